"""Settings are read once, and what is wrong with one is said in a sentence that names its variable."""

import json
import logging
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, Struct

from auditcast.kafka.settings import AllowedNetworks, BaseUrl, Connection, SealingKeys, Secret, read, unknown
from auditcast.schemas.errors import Misconfigured

BROKER = {"AUDITCAST_BOOTSTRAP_SERVERS": "kafka-1:9092, kafka-2:9092"}
LOGIN = {"AUDITCAST_SASL_USERNAME": "auditcast", "AUDITCAST_SASL_PASSWORD": "hunter2"}


class Stage(Struct, frozen=True, kw_only=True):
    connection: Connection
    sealing_keys: SealingKeys = ()
    allowed_networks: AllowedNetworks = ()
    base_url: BaseUrl = "https://atmos-pro.com"
    seconds: Annotated[float, Meta(gt=0, le=60)] = 1.5
    loud: bool = False


def sentence(**changed: str) -> str:
    with pytest.raises(Misconfigured) as error:
        read(Stage, BROKER | {f"AUDITCAST_{name}": value for name, value in changed.items()})
    return str(error.value)


def test_what_is_not_set_has_its_default_and_empty_is_not_set() -> None:
    environ = BROKER | {"AUDITCAST_SEALING_KEYS": " one , two ,", "AUDITCAST_LOUD": "true", "AUDITCAST_SECONDS": " "}
    stage = read(Stage, environ)
    assert stage.sealing_keys == (Secret("one"), Secret("two"))
    assert (stage.loud, stage.seconds, stage.allowed_networks) == (True, 1.5, ())
    assert stage.connection == Connection(bootstrap_servers="kafka-1:9092, kafka-2:9092")
    assert read(Stage, BROKER | {"AUDITCAST_ALLOWED_NETWORKS": "10.0.0.0/8"}).allowed_networks == ("10.0.0.0/8",)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"BOOTSTRAP_SERVERS": ""},
            "AUDITCAST_BOOTSTRAP_SERVERS is not set: see 'auditcast settings' for what it means",
        ),
        (
            {"BOOTSTRAP_SERVERS": "kafka"},
            "AUDITCAST_BOOTSTRAP_SERVERS: 'kafka' must be host:port, several separated by commas",
        ),
        (
            {"SECURITY_PROTOCOL": "SSLL"},
            "AUDITCAST_SECURITY_PROTOCOL: 'SSLL' is none of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL",
        ),
        (
            {"SESSION_TIMEOUT_MS": "10 s"},
            "AUDITCAST_SESSION_TIMEOUT_MS: '10 s' must be a whole number, at least 6000, at most 300000",
        ),
        (
            {"SESSION_TIMEOUT_MS": "5999"},
            "AUDITCAST_SESSION_TIMEOUT_MS: '5999' must be a whole number, at least 6000, at most 300000",
        ),
        ({"SECONDS": "0"}, "AUDITCAST_SECONDS: '0' must be a number, more than 0, at most 60"),
        ({"LOUD": "yes"}, "AUDITCAST_LOUD: 'yes' is neither true nor false"),
        (
            {"TOPIC_PREFIX": "a b"},
            "AUDITCAST_TOPIC_PREFIX: 'a b' must be letters, digits, '.', '_' and '-', at most 100",
        ),
        (
            {"BASE_URL": "atmos"},
            "AUDITCAST_BASE_URL: 'atmos' must be a URL that begins with https:// or http://, without query",
        ),
        (
            {"SSL_CA_FILE": "/no/ca.pem", "SECURITY_PROTOCOL": "SSL"},
            "AUDITCAST_SSL_CA_FILE: there is no file '/no/ca.pem'",
        ),
        (
            {"SECURITY_PROTOCOL": "SASL_SSL"},
            "AUDITCAST_SASL_USERNAME is not set, and AUDITCAST_SECURITY_PROTOCOL is SASL_SSL: correct one of them",
        ),
    ],
)
def test_a_wrong_setting_is_named(changed: dict[str, str], said: str) -> None:
    assert sentence(**changed) == said


@pytest.mark.parametrize("given", ["ssl_ca_file", "ssl_certificate_file", "ssl_key_file"])
def test_certificates_are_never_ignored_in_favour_of_clear_text(given: str) -> None:
    said = sentence(**{given.upper(): __file__})
    assert said == (
        f"AUDITCAST_{given.upper()} is set, and AUDITCAST_SECURITY_PROTOCOL is PLAINTEXT: set it to SSL or SASL_SSL"
    )


def test_a_login_is_never_ignored_either() -> None:
    assert "AUDITCAST_SASL_USERNAME is set, and AUDITCAST_SECURITY_PROTOCOL is PLAINTEXT" in sentence(
        SASL_USERNAME="auditcast", SASL_PASSWORD="hunter2"
    )


def test_confluent_gets_the_login_and_the_certificates(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("ca.pem", "client.pem")}
    for file in files.values():
        file.touch()
    environ = BROKER | LOGIN | {"AUDITCAST_SECURITY_PROTOCOL": "SASL_SSL", "AUDITCAST_SASL_MECHANISM": "PLAIN"}
    environ |= {
        "AUDITCAST_SSL_CA_FILE": str(files["ca.pem"]),
        "AUDITCAST_SSL_CERTIFICATE_FILE": str(files["client.pem"]),
    }
    assert read(Connection, environ).confluent(linger_ms=5, error_cb=print) == {
        "bootstrap.servers": "kafka-1:9092, kafka-2:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "auditcast",
        "sasl.password": "hunter2",
        "ssl.ca.location": str(files["ca.pem"]),
        "ssl.certificate.location": str(files["client.pem"]),
        "ssl.key.location": str(files["client.pem"]),
        "linger.ms": 5,
        "error_cb": print,
    }


def test_a_secret_shows_itself_only_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret("hunter2")
    connection = read(Connection, BROKER | LOGIN | {"AUDITCAST_SECURITY_PROTOCOL": "SASL_PLAINTEXT"})
    logging.getLogger("test").warning("%s %r %s", secret, [secret], connection)
    shown = [f"{secret}", f"{secret!r}", str(secret), str(connection), repr(connection), caplog.text]
    assert not [text for text in shown if "hunter2" in text]
    assert secret.reveal() == "hunter2"


@pytest.mark.parametrize("leak", [lambda value: "x" + value, json.dumps, msgspec.json.encode, "".join, open])
def test_a_secret_cannot_pass_for_text(leak: Any) -> None:
    with pytest.raises(TypeError):
        leak(Secret("hunter2"))


def test_a_misspelled_variable_is_pointed_out() -> None:
    assert unknown((Stage,), BROKER | {"AUDITCAST_SEALING_KEY": "x", "OTHER": "y"}) == [
        "AUDITCAST_SEALING_KEY is no setting: did you mean AUDITCAST_SEALING_KEYS?"
    ]
