"""What a deliverer sends is taken by the libraries that receivers already have, from PyPI and npm."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import standardwebhooks
import svix
from msgspec.structs import replace

from auditcast.schemas.signing_keys import Signer, new_signing_key
from tests.kit.languages import DRIVERS, Case, Checker, Spoken
from tests.kit.sending import NEXT_SECRET, SECRET, Request, chained, sent

PINNED = Path(__file__).parent / "npm"


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries of npm, installed as they are pinned; without npm the tests fail."""
    folder = tmp_path_factory.mktemp("npm")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINNED / name, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)  # noqa: S603  (just above)
    assert done.returncode == 0, done.stderr
    return folder


def of_pypi(library: type[standardwebhooks.Webhook] | type[svix.Webhook]) -> Checker:
    def answer(case: Case) -> str:
        try:
            library(case.secrets[0]).verify(case.request.body, dict(case.request.headers))
        except (standardwebhooks.WebhookVerificationError, svix.WebhookVerificationError, ValueError) as refused:
            return f"refused: {refused}"
        return "genuine"

    return answer


@pytest.fixture(params=["standardwebhooks", "svix", "npm:standardwebhooks", "npm:svix"])
def library(request: pytest.FixtureRequest) -> Iterator[Checker]:
    """One of the libraries."""
    registry, _, name = request.param.rpartition(":")
    if not registry:
        yield of_pypi(standardwebhooks.Webhook if name == "standardwebhooks" else svix.Webhook)
        return
    spoken = Spoken(["node", DRIVERS / "libraries.mjs", request.getfixturevalue("modules"), name])
    yield spoken
    spoken.close()


def fresh(**ways: object) -> Request:
    """A delivery of this very moment: the libraries know no other clock."""
    [batch] = chained(2)
    return sent(batch, now=int(time.time()), **ways)  # type: ignore[arg-type]  # the keywords that `sent` has


def test_a_delivery_is_taken(library: Checker) -> None:
    assert library(Case(request=fresh())) == "genuine"


@pytest.mark.parametrize("secret", [SECRET, NEXT_SECRET])
def test_a_delivery_with_several_signatures_is_taken(library: Checker, secret: str) -> None:
    several = fresh(next_secret=NEXT_SECRET, signer=Signer([new_signing_key()]))
    assert library(Case(request=several, secrets=[secret])) == "genuine"


@pytest.mark.parametrize(
    "change",
    [
        lambda case: replace(case, secrets=[NEXT_SECRET]),
        lambda case: replace(case, request=replace(case.request, body=case.request.body.replace(b"aud_1", b"aud_3"))),
        lambda case: replace(case, request=sent(chained(1)[0])),  # of years ago
    ],
    ids=["secret", "body", "time"],
)
def test_anything_else_is_refused(library: Checker, change: Callable[[Case], Case]) -> None:
    assert library(change(Case(request=fresh()))).startswith("refused: ")


def test_a_packed_body_is_beyond_them(library: Checker) -> None:
    # They take the body for text. The kit's page says so; when this fails, it may say something better.
    assert library(Case(request=fresh(packed=True))).startswith("refused: ")
