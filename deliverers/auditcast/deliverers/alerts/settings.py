"""The settings of the alert emails."""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from auditcast.deliverers.alerts.addresses import usable
from auditcast.kafka.settings import FORM, Connection, Secret, Timestamps
from auditcast.schemas.errors import Misconfigured


class Settings(Struct, frozen=True, kw_only=True):
    """What to tell whom, and by which mail server."""

    connection: Connection
    timestamps: Timestamps = "broker"
    smtp_host: Annotated[
        str,
        Meta(
            pattern=r"^[A-Za-z0-9.:-]{1,253}$",
            description="The mail server that alert emails are handed to",
            extra={FORM: "a host name or an address, without port"},
        ),
    ]
    smtp_port: Annotated[
        int, Meta(ge=1, le=65_535, description="Its port: 587 for `starttls`, 465 for `tls`, as a rule")
    ] = 587
    smtp_security: Annotated[
        Literal["starttls", "tls", "none"],
        Meta(description="How to talk to it; without TLS there is no login, and others can read the emails"),
    ] = "starttls"
    smtp_username: Annotated[str, Meta(description="The login at the mail server; empty: none")] = ""
    smtp_password: Annotated[Secret, Meta(description="The password of that login")] = Secret("")
    smtp_from: Annotated[str, Meta(description="Whom alert emails come from: alerts@example.com")]
    smtp_timeout_ms: Annotated[
        int, Meta(ge=100, le=600_000, description="The longest that handing over one email may take, in milliseconds")
    ] = 30_000
    smtp_ca_file: Annotated[
        str, Meta(description="A PEM file of certificate authorities to trust for the mail server beside the system's")
    ] = ""
    alert_to: Annotated[
        tuple[str, ...],
        Meta(description="Who gets the alerts of destinations without addresses and owners, separated by commas"),
    ] = ()
    console_url: Annotated[
        str,
        Meta(
            pattern=r"^https?://[^\s/?#]+[^\s?#]*$",
            description="Where the web console is; emails link to /destinations/ID there",
            extra={FORM: "a URL that begins with https:// or http://, without query"},
        ),
    ] = ""
    alert_every_ms: Annotated[
        int,
        Meta(
            ge=1000,
            le=86_400_000,
            description="The shortest time between two emails about one destination, in milliseconds",
        ),
    ] = 3_600_000
    pause_after_days: Annotated[
        float,
        Meta(ge=0, le=365, description="Days of nothing but failures after which a destination is paused; 0: never"),
    ] = 5.0

    def __post_init__(self) -> None:
        if bool(self.smtp_username) != bool(self.smtp_password):
            raise Misconfigured("set both AUDITCAST_SMTP_USERNAME and AUDITCAST_SMTP_PASSWORD, or neither")
        if self.smtp_username and self.smtp_security == "none":
            raise Misconfigured(
                "AUDITCAST_SMTP_SECURITY is none, so the password would travel in clear: set it to starttls or tls"
            )
        if self.smtp_ca_file and not Path(self.smtp_ca_file).is_file():
            raise Misconfigured(f"AUDITCAST_SMTP_CA_FILE: there is no file {self.smtp_ca_file!r}")
        for name, given in (("SMTP_FROM", (self.smtp_from,)), ("ALERT_TO", self.alert_to)):
            for address in given:
                if not usable(address):
                    raise Misconfigured(f"AUDITCAST_{name}: {address!r} is no email address, as in alerts@example.com")
