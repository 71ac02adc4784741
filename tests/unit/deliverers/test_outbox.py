"""What an acknowledgement must tell."""

import asyncio

import pytest

from auditcast.deliverers.outbox import _settle
from auditcast.kafka.errors import BrokerUnavailable


async def test_an_acknowledgement_that_does_not_say_where_is_none() -> None:
    known, unknown = asyncio.Future[int](), asyncio.Future[int]()
    _settle(known, None, 0)
    _settle(unknown, None, None)
    assert await known == 0
    with pytest.raises(BrokerUnavailable, match="does not say where"):
        await unknown
