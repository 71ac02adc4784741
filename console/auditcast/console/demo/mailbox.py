"""A mail server for alert emails: it speaks SMTP with STARTTLS on the loopback, and keeps what it gets in a file."""

import asyncio
import mailbox
import ssl
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from auditcast.kafka.local.process import free_ports

HOST = "localhost"
FROM, TO = "alerts@platform.example", "owner@customer.example"


class Mailbox:
    """One server on the loopback; `file` is an mbox that any mail reader opens, `emails` what came since we began.

    Use as `async with`; `note` is called with each email as it comes.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        file: Path,
        note: Callable[[EmailMessage], None] = lambda email: None,
    ) -> None:
        self.emails: list[EmailMessage] = []
        self.file = file
        [self._port] = free_ports(1)
        self._context = context
        self._note = note
        self._mbox = mailbox.mbox(file)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.come_back()
        return self

    async def __aexit__(self, *failure: object) -> None:
        self.go_down()
        self._mbox.close()

    def environment(self, ca_file: Path) -> dict[str, str]:
        """The settings of those who send emails here; the server's certificate is from the authority in `ca_file`."""
        return {
            "AUDITCAST_SMTP_HOST": HOST,
            "AUDITCAST_SMTP_PORT": str(self._port),
            "AUDITCAST_SMTP_CA_FILE": str(ca_file),
            "AUDITCAST_SMTP_FROM": FROM,
            "AUDITCAST_ALERT_TO": TO,
        }

    def go_down(self) -> None:
        """Take no more emails."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def come_back(self) -> None:
        """Take emails (again)."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(self._session, "127.0.0.1", self._port)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  (aiosmtpd's)
        """An email, whole; it is in the file when the sender is told so."""
        content = envelope.original_content or b""
        self._mbox.add(content)
        self._mbox.flush()
        email = message_from_bytes(content, policy=policy.default)
        self.emails.append(email)
        self._note(email)
        return "250 kept"

    def _session(self) -> SMTP:
        return SMTP(self, hostname=HOST, tls_context=self._context, require_starttls=True, enable_SMTPUTF8=True)
