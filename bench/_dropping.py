"""Faust as the processor has it, whose chunks are dropped: the part of `process.py` that is not ours."""

import asyncio
import os
from typing import Any

from faust.types import TP

from auditcast.kafka.names import Topics
from auditcast.kafka.settings import Connection, read
from auditcast.processors.app import faust_app


async def main() -> None:
    """Drop chunks for ever, committing each second."""
    connection = read(Connection, os.environ)
    topics = Topics(connection.topic_prefix)
    app = faust_app(connection, topics, ".cache")
    ends: dict[TP, int] = {}

    async def drop(stream: Any) -> None:
        async for event in stream.noack().events():
            ends[event.message.tp] = event.message.offset + 1

    app.agent(app.topic(topics.events, key_serializer="raw", value_serializer="raw", acks=False))(drop)
    await app.start()
    while True:
        await asyncio.sleep(1)
        if ends:
            await app.consumer._commit(dict(ends))


if __name__ == "__main__":
    asyncio.run(main())
