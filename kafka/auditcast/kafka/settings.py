"""Settings from the environment: frozen, typed, validated once; an error names the variable."""

import difflib
import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from auditcast.schemas.errors import Misconfigured

PREFIX = "AUDITCAST_"
S = TypeVar("S", bound=Struct)

FORM = "form"
"""In a `Meta`'s `extra`: how a value must look, in words, for the error about one that does not."""


class Secret:
    """A value that only `reveal` shows: as text, formatted, in logs and in errors it is `***`.

    Not a `str`, so that joining it to one, or writing it as JSON, fails instead of leaking.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The value itself."""
        return self._text

    def __repr__(self) -> str:
        return "***" if self._text else ""

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._text))


# Settings of several stages mean the same in each of them, so their types stand here.
SealingKeys = Annotated[
    tuple[Secret, ...], Meta(description="Keys that seal secrets, separated by commas: the first seals, all open")
]
SigningKeys = Annotated[
    tuple[Secret, ...],
    Meta(
        description="Ed25519 keys of manifests and of signatures `v1a`, separated by commas: the first signs;"
        " without any they are derived from the sealing keys"
    ),
]
Timestamps = Annotated[
    Literal["broker", "producer"],
    Meta(description="Whose clock stamps records; `producer` only for a broker that ignores LogAppendTime"),
]
AllowedNetworks = Annotated[
    tuple[str, ...], Meta(description="Private networks that deliveries may go to, as CIDRs separated by commas")
]
BaseUrl = Annotated[
    str,
    Meta(
        pattern=r"^https?://[^\s/?#]+[^\s?#]*$",
        description="Where the workspaces are: an event's `source`",
        extra={FORM: "a URL that begins with https:// or http://, without query"},
    ),
]
TypePrefix = Annotated[
    str,
    Meta(
        pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,199}$",
        description="What an event's `type` begins with",
        extra={FORM: "letters, digits, '.', '_' and '-', at most 200"},
    ),
]
CatalogueFile = Annotated[
    str, Meta(description="A TOML file with the platform's own categories and actions, beside the built-in ones")
]


class Connection(Struct, frozen=True, kw_only=True):
    """How to reach Kafka, for Faust and confluent-kafka alike."""

    bootstrap_servers: Annotated[
        str,
        Meta(
            pattern=r"^[^\s,]+:\d{1,5}(\s*,\s*[^\s,]+:\d{1,5})*$",
            description="Where the Kafka brokers are: host:port, several separated by commas",
            extra={FORM: "host:port, several separated by commas"},
        ),
    ]
    security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"], Meta(description="How to talk to the brokers")
    ] = "PLAINTEXT"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], Meta(description="How to log in to the brokers")
    ] = "SCRAM-SHA-512"
    sasl_username: Annotated[str, Meta(description="The login at the brokers")] = ""
    sasl_password: Annotated[Secret, Meta(description="The login's password")] = Secret("")
    ssl_ca_file: Annotated[
        str, Meta(description="A file with the certificate authorities (PEM) of the brokers, if not the system's")
    ] = ""
    ssl_certificate_file: Annotated[
        str, Meta(description="A file with the certificate (PEM) that this client shows to the brokers")
    ] = ""
    ssl_key_file: Annotated[
        str, Meta(description="A file with the key (PEM) of that certificate, if it is not in the same file")
    ] = ""
    topic_prefix: Annotated[
        str,
        Meta(
            pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$",
            description="What the names of all topics and consumer groups begin with",
            extra={FORM: "letters, digits, '.', '_' and '-', at most 100"},
        ),
    ] = "audit"
    session_timeout_ms: Annotated[
        int, Meta(ge=6000, le=300_000, description="How long a silent worker keeps its partitions, in milliseconds")
    ] = 10_000

    def __post_init__(self) -> None:
        login = self.security_protocol.startswith("SASL")
        for needed in ("sasl_username", "sasl_password"):
            if bool(getattr(self, needed)) != login:
                raise Misconfigured(
                    f"{variable(needed)} is {'not ' if login else ''}set, and"
                    f" {variable('security_protocol')} is {self.security_protocol}: correct one of them"
                )
        for given in ("ssl_ca_file", "ssl_certificate_file", "ssl_key_file"):
            path = getattr(self, given)
            if path and not self.encrypted:
                # Else a client that was meant to be encrypted would talk in clear text.
                raise Misconfigured(
                    f"{variable(given)} is set, and {variable('security_protocol')} is {self.security_protocol}:"
                    " set it to SSL or SASL_SSL"
                )
            if path and not Path(path).is_file():
                raise Misconfigured(f"{variable(given)}: there is no file {path!r}")

    @property
    def encrypted(self) -> bool:
        """Whether the brokers are talked to over TLS."""
        return self.security_protocol.endswith("SSL")

    def confluent(self, **more: Any) -> dict[str, Any]:
        """A configuration for confluent-kafka, `more` added with `_` for `.` (not in callbacks, `…_cb` and `on_…`)."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            config |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.sasl_username,
                "sasl.password": self.sasl_password.reveal(),
            }
        files = {
            "ssl.ca.location": self.ssl_ca_file,
            "ssl.certificate.location": self.ssl_certificate_file,
            "ssl.key.location": self.ssl_key_file or self.ssl_certificate_file,
        }
        config |= {name: path for name, path in files.items() if path}
        callbacks = {name for name in more if name.endswith("_cb") or name.startswith("on_")}
        return config | {name if name in callbacks else name.replace("_", "."): more[name] for name in more}


def variable(field: str) -> str:
    """The environment variable of a settings field."""
    return PREFIX + field.upper()


def read(kind: type[S], environ: Mapping[str, str]) -> S:
    """`kind` filled from `AUDITCAST_…`; nested settings share the same names. Raises `Misconfigured`."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            values[field.name] = read(field.type, environ)
            continue
        name = variable(field.name)
        # Empty is unset: that is how compose files and unit files leave a setting out.
        text = environ.get(name, "").strip()
        if text:
            values[field.name] = _converted(name, text, field.type)
        elif field.required:
            raise Misconfigured(f"{name} is not set: see 'auditcast settings' for what it means")
    return kind(**values)


def unknown(kinds: tuple[type[Struct], ...], environ: Mapping[str, str]) -> list[str]:
    """A sentence for each `AUDITCAST_…` variable that no setting reads: most often a misspelling."""
    known = {name for kind in kinds for name in names(kind)}
    sentences = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            sentences.append(f"{name} is no setting" + (f": did you mean {near[0]}?" if near else ""))
    return sentences


def names(kind: type[Struct]) -> list[str]:
    """The variables that `kind` is read from."""
    found = []
    for field in msgspec.structs.fields(kind):
        nested = isinstance(field.type, type) and issubclass(field.type, Struct)
        found += names(field.type) if nested else [variable(field.name)]
    return found


def _converted(name: str, text: str, kind: Any) -> Any:
    plain, *metas = get_args(kind) if get_origin(kind) is Annotated else (kind,)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if plain is Secret:
        return Secret(text)
    if plain == tuple[Secret, ...]:
        return tuple(map(Secret, parts))
    try:
        return msgspec.convert(parts if get_origin(plain) is tuple else text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"{name}: {_problem(text, plain, metas, error)}") from None


def _problem(text: str, plain: Any, metas: list[Meta], error: msgspec.ValidationError) -> str:
    """What is wrong with a value, for a person."""
    if get_origin(plain) is Literal:
        return f"{text!r} is none of {', '.join(get_args(plain))}"
    if plain is bool:
        return f"{text!r} is neither true nor false"
    if plain in (int, float):
        words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
        bounds = [(word, getattr(meta, name)) for name, word in words.items() for meta in metas]
        limits = "".join(f", {word} {bound}" for word, bound in bounds if bound is not None)
        return f"{text!r} must be a {'whole ' if plain is int else ''}number{limits}"
    form = next((meta.extra[FORM] for meta in metas if meta.extra and FORM in meta.extra), None)
    return f"{text!r} must be {form}" if form else f"{text!r} is refused: {error}"
