"""The receivers, each started once; one that cannot be had fails the lane, which was asked for."""

from collections.abc import Iterator

import pytest

from tests.intakes import servers


@pytest.fixture(scope="session")
def loki() -> Iterator[str]:
    """Loki's URL."""
    with servers.loki() as url:
        yield url


@pytest.fixture(scope="session")
def opensearch() -> Iterator[str]:
    """OpenSearch's URL."""
    with servers.opensearch() as url:
        yield url
