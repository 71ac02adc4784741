"""Settings from the environment: frozen, typed, validated once; an error names the variable."""

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from auditcast.schemas.errors import Misconfigured

PREFIX = "AUDITCAST_"
S = TypeVar("S", bound=Struct)

Port = Annotated[int, Meta(ge=1, le=65535)]


class Secret(str):
    """A string that shows itself only to who asks for it by `str.__str__`; reprs and logs get dots."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


# Settings of several stages mean the same in each of them, so their types stand here.
SealingKeys = Annotated[
    tuple[Secret, ...], Meta(description="Keys that seal secrets, separated by commas: the first seals, all open")
]
Timestamps = Annotated[
    Literal["broker", "producer"],
    Meta(description="Whose clock stamps records; `producer` only for a broker that ignores LogAppendTime"),
]
AllowedNetworks = Annotated[
    tuple[str, ...], Meta(description="Private networks that deliveries may go to, as CIDRs separated by commas")
]
BaseUrl = Annotated[
    str, Meta(pattern=r"^https?://[^\s/?#]+[^\s?#]*$", description="Where the workspaces are: an event's `source`")
]
TypePrefix = Annotated[
    str, Meta(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,199}$", description="What an event's `type` begins with")
]


class Connection(Struct, frozen=True, kw_only=True):
    """How to reach Kafka, for Faust and confluent-kafka alike."""

    bootstrap_servers: Annotated[
        str, Meta(min_length=1, description="Where the Kafka brokers are: host:port, several separated by commas")
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
    topic_prefix: Annotated[
        str,
        Meta(
            pattern=r"^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$",
            description="What the names of all topics and consumer groups begin with",
        ),
    ] = "audit"
    session_timeout_ms: Annotated[
        int, Meta(ge=6000, le=300_000, description="How long a silent worker keeps its partitions, in milliseconds")
    ] = 10_000

    def confluent(self, **more: Any) -> dict[str, Any]:
        """A configuration for confluent-kafka, `more` added with `_` for `.` (callbacks, `…_cb` and `on_…`, as they are)."""
        config: dict[str, Any] = {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            config |= {
                "sasl.mechanism": self.sasl_mechanism,
                "sasl.username": self.sasl_username,
                "sasl.password": str(self.sasl_password),
            }
        if self.ssl_ca_file:
            config["ssl.ca.location"] = self.ssl_ca_file
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
        if name in environ:
            values[field.name] = _converted(name, environ[name], field.type)
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
    plain = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    parts = [part.strip() for part in text.split(",") if part.strip()]
    try:
        if plain is Secret:
            return Secret(text)
        if plain == tuple[Secret, ...]:
            return tuple(map(Secret, parts))
        return msgspec.convert(parts if plain == tuple[str, ...] else text, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Misconfigured(f"{name}: {str(error)[0].lower()}{str(error)[1:]}") from None
