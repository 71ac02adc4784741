"""The promise, end to end: what a receiver kept is proved complete, and whatever is taken from it is missed.

An hour passes by a record that is stamped an hour later, as a busy platform's would be.
"""

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_hex

from aiohttp import web
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from auditcast.console.demo.operator import Operator, Said
from auditcast.console.demo.waiting import until
from auditcast.kafka import clients, topics
from auditcast.kafka.local import Broker
from auditcast.kafka.names import Topics
from auditcast.kafka.partitioner import partition_of
from auditcast.kafka.settings import Connection
from tests.conftest import PARTITIONS
from tests.e2e.pipeline import WITHIN_S, Pipeline, fresh, running

HOUR_MS = 3_600_000


class Kept:
    """What a receiver writes down that checks nothing: a line for each delivery."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.lines.append(json.dumps({"headers": dict(request.headers), "body": body.decode()}))
        return web.Response()

    def with_header(self, name: str) -> list[dict[str, str]]:
        """The headers of the deliveries that have a header."""
        found = [{key.lower(): value for key, value in json.loads(line)["headers"].items()} for line in self.lines]
        return [headers for headers in found if name in headers]

    def events(self) -> int:
        """How many events came in batches."""
        ranges = [headers["x-audit-events"].split("-") for headers in self.with_header("x-audit-events")]
        return sum(int(last) - int(first) + 1 for first, last in ranges)


@asynccontextmanager
async def receiver(context: ssl.SSLContext) -> AsyncIterator[Kept]:
    kept = Kept()
    app = web.Application(client_max_size=2_000_000)
    app.router.add_post("/audit", kept.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    kept.url = f"https://127.0.0.1:{runner.addresses[0][1]}/audit"
    try:
        yield kept
    finally:
        await runner.cleanup()


def stamped_by_producers(connection: Connection) -> None:
    """Let the test say what time it is."""
    entry = ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)
    name = Topics(connection.topic_prefix).events
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    clients.Admin(connection).wait(lambda client: client.incremental_alter_configs([resource]))


class Auditor:
    """Runs `auditcast verify` on what was kept, altered or not."""

    def __init__(self, operator: Operator, folder: Path, kept: Kept, secret: str) -> None:
        self._operator = operator
        self._folder = folder
        self._kept = kept
        (folder / "secret").write_text(secret)

    async def verify(self, lines: list[str]) -> Said:
        """Of deliveries."""
        (self._folder / "kept.jsonl").write_text("".join(f"{line}\n" for line in lines))
        return await self._operator.run(
            "verify", str(self._folder / "kept.jsonl"), "--secret-file", str(self._folder / "secret"),
            "--public-keys", str(self._folder / "keys.json"), "--manifests", str(self._folder / "manifests.jsonl"),
        )  # fmt: skip


async def test_what_a_receiver_kept_is_proved_complete(broker: Broker, tmp_path: Path) -> None:
    connection = broker.connection(f"e2e-{token_hex(4)}")
    topics.create(connection, PARTITIONS)
    if broker.broker_time:
        stamped_by_producers(connection)
    async with (
        running(connection, tmp_path, broker_time=False) as pipeline,
        receiver(pipeline.stage.authority.server()) as kept,
    ):
        operator, workspace = Operator(pipeline.stage.environment), fresh()
        added = await operator.run(
            "destinations", "add", "--workspace", workspace, "--url", kept.url, "--window-seconds", "1",
            "--category", "lock", "--manifests", "--json", "--wait",
        )  # fmt: skip
        assert added.code == 0, added.output
        auditor = Auditor(operator, tmp_path, kept, json.loads(added.output)["secret"])
        pipeline.emit(workspace, 30)
        pipeline.emit(workspace, 5, category="workspace", action="renamed")
        await until_kept(pipeline, kept, 30)
        pass_an_hour(pipeline, workspace)
        assert await until(lambda: len(kept.with_header("x-audit-manifest")) == 1, WITHIN_S)

        public = await operator.run("keys", "public", "--json")
        # A remark follows: nobody has set a signing key.
        (tmp_path / "keys.json").write_text(public.output[public.output.index("{") : public.output.rindex("}") + 1])
        exported = await operator.run("manifests", "export", "--output", str(tmp_path / "manifests.jsonl"))
        assert exported.code == 0, exported.output

        batches = [line for line in kept.lines if "x-audit-sequence" in line.lower()]
        whole = await auditor.verify(kept.lines)
        assert whole.code == 0, whole.output
        assert "30" in whole.output
        assert (await auditor.verify(batches[:-1])).code == 1, "the last hour was cut off"
        altered = batches[-1].replace("usr_1", "usr_9")
        assert (await auditor.verify([*batches[:-1], altered])).code == 2


async def until_kept(pipeline: Pipeline, kept: Kept, count: int) -> None:
    await asyncio.to_thread(pipeline.log.flush)
    assert await until(lambda: kept.events() >= count, WITHIN_S), pipeline.stage.workers.failures()


def pass_an_hour(pipeline: Pipeline, workspace: str) -> None:
    later = int(time.time() * 1000) + HOUR_MS
    pipeline.write(b"", partition=partition_of(workspace, PARTITIONS), timestamp=later)
    pipeline.raw.flush()
