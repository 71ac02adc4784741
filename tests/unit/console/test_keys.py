"""`auditcast keys`: what it prints is what receivers verify with, and never the keys themselves."""

import base64
import json

from click.testing import CliRunner, Result

from auditcast.console.commands.keys import command
from auditcast.schemas.sealing import new_key
from auditcast.schemas.signing_keys import Signer, genuine, new_signing_key, web_key


def run(*args: str, **environ: str) -> Result:
    return CliRunner().invoke(
        command, args, env={f"AUDITCAST_{name.upper()}": value for name, value in environ.items()}
    )


def test_the_key_of_rfc_8037_has_the_id_that_stands_there() -> None:
    raw = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    public = "whpk_" + base64.b64encode(raw).decode()
    found = web_key(public)
    assert (found["kty"], found["crv"], found["x"], found["use"]) == ("OKP", "Ed25519", x, "sig")
    assert found["kid"] == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_a_new_signing_key_signs_what_its_public_half_verifies() -> None:
    keys = [run("new", "--signing").stdout.strip(), new_signing_key()]
    shown = run("public", sealing_keys=new_key(), signing_keys=",".join(keys))
    first, second = shown.stdout.split()
    assert genuine(first, b"a", Signer(keys).sign(b"a"))
    assert genuine(second, b"a", Signer(keys[1:]).sign(b"a"))
    assert shown.stderr == ""
    published = json.loads(run("public", "--json", sealing_keys=new_key(), signing_keys=",".join(keys)).stdout)
    assert published == {"keys": [web_key(first), web_key(second)]}
    for key in keys:
        assert key not in shown.output
        assert key.removeprefix("whsk_") not in json.dumps(published)


def test_keys_that_follow_from_others_come_with_a_warning() -> None:
    sealing = new_key()
    shown = run("public", sealing_keys=sealing)
    assert shown.stdout.split() == Signer([], [sealing]).public_keys
    assert "AUDITCAST_SIGNING_KEYS is not set" in shown.stderr


def test_a_sealing_key_is_made_unless_a_signing_key_is_asked_for() -> None:
    assert not run("new").stdout.startswith("whsk_")
    assert run("new", "--signing").stdout.startswith("whsk_")
