"""Keys lie where Kafka's Java client puts them; murmur2.json is its own word (made by fixtures/Murmur2.java)."""

import json
from pathlib import Path

import pytest

from auditcast.kafka.partitioner import partition_of

JAVA = json.loads((Path(__file__).parents[2] / "fixtures" / "murmur2.json").read_text())


@pytest.mark.parametrize("java", JAVA, ids=lambda java: f"{len(java['key_utf8_hex']) // 2}-bytes-{java['murmur2']}")
def test_a_key_lies_where_the_java_client_puts_it(java: dict) -> None:
    key = bytes.fromhex(java["key_utf8_hex"]).decode()
    assert {count: partition_of(key, int(count)) for count in java["partition"]} == java["partition"]
