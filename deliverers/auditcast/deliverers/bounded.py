"""aiohttp's end of a connection, with the bounds that it lacks: no more than one answer to a request, of bounded size.

Without it a receiver can fill the memory with answers that nobody asked for, have one of them taken for the answer to
the next request, and keep the loop busy with answers 1xx.
"""

import asyncio
from functools import partial
from typing import Any, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from aiohttp.streams import StreamReader

from auditcast.deliverers.outcomes import Failed, Reason

MAX_RAW_BYTES = 2 * 1024 * 1024
"""All that may come for one request, framing included: twice the longest answer, and more than the longest head."""

MAX_INTERIM = 20
"""Answers 1xx before the answer. Each takes some microseconds of the loop in which all destinations are served."""

_FINAL = 200


def bound(connector: aiohttp.TCPConnector) -> None:
    """Have all connections of `connector` bounded."""
    # A private name, so tests/unit/deliverers/test_transport.py fails if aiohttp does without it.
    connector._factory = cast("partial[ResponseHandler]", partial(_BoundedHandler, asyncio.get_running_loop()))


class _BoundedHandler(ResponseHandler):
    """One connection. What goes beyond the bounds closes it, whether a request waits for an answer or not."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._bytes_left = 0
        self._interim_left = 0
        self._answered = False

    def set_response_params(self, **params: Any) -> None:
        """A request goes out."""
        self._bytes_left = MAX_RAW_BYTES
        self._interim_left = MAX_INTERIM
        self._answered = False
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """From the socket."""
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            self._refuse(Reason.ANSWER_TOO_LARGE, f"over {MAX_RAW_BYTES} bytes came for one request")
        else:
            super().data_received(data)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """A complete head, from the parser."""
        if self._exception is not None:
            return
        if self._answered:
            self._refuse(Reason.ANSWER_MALFORMED, "there came more answers than requests")
        elif data[0].code >= _FINAL:
            self._answered = True
            super().feed_data(data, size)
        else:
            self._interim_left -= 1
            if self._interim_left < 0:
                self._refuse(Reason.ANSWER_MALFORMED, f"over {MAX_INTERIM} answers came before the answer")
            else:
                super().feed_data(data, size)

    def _refuse(self, reason: Reason, detail: str) -> None:
        failure = Failed(reason, detail)
        if self._payload is not None:
            aiohttp.helpers.set_exception(self._payload, failure)
        transport = self.transport
        self.set_exception(failure)
        if transport is not None:
            transport.abort()
