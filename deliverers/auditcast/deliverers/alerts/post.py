"""The mail server: one connection, verified, and its refusals sorted by who can mend them."""

import asyncio
from collections.abc import Sequence
from email.message import EmailMessage

import aiosmtplib
from msgspec import Struct

from auditcast.deliverers import host
from auditcast.deliverers.alerts.misfortunes import PostClosed, misfortune, said
from auditcast.deliverers.alerts.settings import Settings


class Receipt(Struct, frozen=True):
    """What became of an email at each address: accepted, refused for now (and why), refused for good (and why)."""

    accepted: frozenset[str]
    later: dict[str, str] = {}
    never: dict[str, str] = {}


class Post:
    """Hands emails to one mail server over a connection that is kept until `rest`. For one task at a time."""

    def __init__(self, settings: Settings) -> None:
        self._sender = settings.smtp_from
        self._at = f"{settings.smtp_host}:{settings.smtp_port}"
        self._timeout_s = settings.smtp_timeout_ms / 1000
        security = settings.smtp_security
        self._client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username or None,
            password=settings.smtp_password.reveal() or None,
            use_tls=security == "tls",
            start_tls=security == "starttls",
            tls_context=None if security == "none" else host.tls(settings.smtp_ca_file, "AUDITCAST_SMTP_CA_FILE"),
            timeout=self._timeout_s,
        )

    async def check(self) -> None:
        """Connect and log in. Raises `PostClosed`, and `Misconfigured` for what will be refused again."""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.connect()
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise misfortune(error, self._at, self._timeout_s) from None
        await self.rest()

    async def send(self, email: EmailMessage, to: Sequence[str]) -> Receipt:
        """Hand over `email` for the addresses `to`; raises `PostClosed` if that is not about them."""
        try:
            # One bound over everything: a server that dribbles keeps to any bound of a single answer.
            async with asyncio.timeout(self._timeout_s):
                return await self._send(email, to)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            self._client.close()
            raise PostClosed(str(misfortune(error, self._at, self._timeout_s))) from None
        except BaseException:
            self._client.close()
            raise

    async def rest(self) -> None:
        """End the connection, until something is sent again."""
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._client.is_connected:
                    await self._client.quit()
        except (aiosmtplib.SMTPException, OSError):
            pass  # everything that counts was acknowledged before
        finally:
            self._client.close()

    async def _send(self, email: EmailMessage, to: Sequence[str]) -> Receipt:
        if not self._client.is_connected:
            await self._client.connect()
        try:
            refused, _ = await self._client.sendmail(self._sender, to, email.as_bytes())
        except aiosmtplib.SMTPRecipientsRefused as all_:
            return _receipt(to, {each.recipient: (each.code, each.message) for each in all_.recipients})
        except aiosmtplib.SMTPDataError as error:
            # It is this email that is refused, whoever it is for.
            return _receipt(to, dict.fromkeys(to, (error.code, error.message)))
        return _receipt(to, {address: (answer.code, answer.message) for address, answer in refused.items()})


def _receipt(to: Sequence[str], refused: dict[str, tuple[int, str]]) -> Receipt:
    return Receipt(
        frozenset(to) - refused.keys(),
        later={address: said(code, text) for address, (code, text) in refused.items() if code < 500},
        never={address: said(code, text) for address, (code, text) in refused.items() if code >= 500},
    )
