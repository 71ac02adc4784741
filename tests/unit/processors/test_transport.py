"""What Faust is bent to, and what it needs to read whatever emitters write."""

from aiokafka import codec
from faust.transport import by_url
from yarl import URL

from auditcast.processors.transport import SCHEME, Transport


def test_faust_finds_the_transport_by_its_entry_point() -> None:
    assert by_url(URL(f"{SCHEME}://127.0.0.1:9092")) is Transport


def test_every_codec_that_an_emitter_may_use_can_be_read() -> None:
    assert all((codec.has_gzip(), codec.has_snappy(), codec.has_lz4(), codec.has_zstd()))
