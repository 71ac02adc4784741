"""A real mail server for tests, with TLS and a login; it can refuse, hang, and be away."""

import asyncio
import ssl
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any, Literal, Self

import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from auditcast.deliverers.alerts.settings import Settings
from auditcast.kafka.settings import Connection, Secret

HOST = "127.0.0.1"
USER, PASSWORD = "auditcast", "correct-horse"
Security = Literal["starttls", "tls"]


class Mailbox:
    """Keeps what it takes in `emails`. `answers` is what it says to an address, or to the content (`DATA`), after
    `delay_s`."""

    def __init__(self, ca: trustme.CA, security: Security = "starttls", *, name: str = HOST) -> None:
        self.emails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.answers: dict[str, str] = {}
        self.delay_s = 0.0
        self._security = security
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert(name).configure_cert(self._context)
        self.port = 0
        self.open()

    def open(self) -> None:
        """Listen, at the same port as before if there was one."""
        more: dict[str, Any] = (
            # Without requiring it first, aiosmtpd offers no login over a connection that was encrypted all along.
            {"ssl_context": self._context, "auth_require_tls": False}
            if self._security == "tls"
            else {"tls_context": self._context, "require_starttls": True, "auth_required": True}
        )
        self._controller = _Controller(self, hostname=HOST, port=self.port, authenticator=self._authenticate, **more)
        self._controller.start()
        self.port = self._controller.port

    def close(self) -> None:
        """Be away."""
        self._controller.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def environ(self, ca_file: str) -> dict[str, str]:
        """The settings that lead here."""
        return {
            "AUDITCAST_SMTP_HOST": HOST,
            "AUDITCAST_SMTP_PORT": str(self.port),
            "AUDITCAST_SMTP_SECURITY": self._security,
            "AUDITCAST_SMTP_USERNAME": USER,
            "AUDITCAST_SMTP_PASSWORD": PASSWORD,
            "AUDITCAST_SMTP_FROM": "alerts@example.com",
            "AUDITCAST_SMTP_CA_FILE": ca_file,
        }

    def settings(self, ca_file: str, **more: Any) -> Settings:
        """The same as a struct."""
        fields: dict[str, Any] = {
            "connection": Connection(bootstrap_servers="127.0.0.1:9"),
            "smtp_host": HOST,
            "smtp_port": self.port,
            "smtp_security": self._security,
            "smtp_username": USER,
            "smtp_password": Secret(PASSWORD),
            "smtp_from": "alerts@example.com",
            "smtp_ca_file": ca_file,
            "smtp_timeout_ms": 5_000,
        }
        return Settings(**fields | more)

    def ids(self) -> list[str]:
        """The Message-ID of each email that came."""
        return [email["Message-ID"] for email in self.emails]

    # What aiosmtpd calls, in its own thread and by its own names.

    async def handle_RCPT(  # noqa: N802  (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take an address or refuse it."""
        if address not in self.answers:
            envelope.rcpt_tos.append(address)
        return self.answers.get(address, "250 OK")

    async def handle_DATA(  # noqa: N802  (aiosmtpd's name)
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take an email or refuse it."""
        await asyncio.sleep(self.delay_s)
        if "DATA" not in self.answers:
            assert isinstance(envelope.content, bytes)
            self.emails.append(message_from_bytes(envelope.content, policy=policy.default))
            self.recipients.append(list(envelope.rcpt_tos))
        return self.answers.get("DATA", "250 OK")

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        known = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=known, handled=False)


class _Controller(Controller):
    def _trigger_server(self) -> None:
        # It makes sure that it can be reached, at port 0 unless told the one that it got.
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd has types only here and there
