"""Why a mail server cannot be used, in one sentence: the only place where the library's exceptions are told apart."""

import ssl
from collections.abc import Callable

import aiosmtplib

from auditcast.deliverers.alerts.phrases import clean
from auditcast.schemas.errors import AuditcastError, Misconfigured


class PostClosed(AuditcastError):
    """The mail server takes nothing at the moment; the text says why."""


def misfortune(error: Exception, server: str, timeout_s: float) -> AuditcastError:
    """`error` as `Misconfigured` if only a person can mend it, else as `PostClosed`; never with a password."""
    for cause in (error, error.__cause__):
        for kind, sentence in _SENTENCES.items():
            if isinstance(cause, kind) and _lasting(cause):
                return Misconfigured(sentence(cause, server))
    if isinstance(error, TimeoutError):
        return PostClosed(f"the mail server {server} did not answer within {timeout_s:g} s")
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return PostClosed(f"the mail server {server} answers {said(error.code, error.message)}")
    return PostClosed(f"the mail server {server} cannot be reached ({_brief(error)})")


def said(code: int, text: str) -> str:
    """An answer of a mail server on one line."""
    return clean(f"{code} {text}", 200)


_SENTENCES: dict[type[Exception], Callable[[Exception, str], str]] = {
    # The nearest class first: a refused certificate is an SSLError, too.
    ssl.SSLCertVerificationError: lambda error, server: (
        f"the certificate of the mail server {server} is refused"
        f" ({clean(getattr(error, 'verify_message', ''), 200)}): check AUDITCAST_SMTP_HOST and AUDITCAST_SMTP_CA_FILE"
    ),
    ssl.SSLError: lambda error, server: (
        f"TLS with the mail server {server} fails ({getattr(error, 'reason', None) or 'no reason given'}):"
        " check AUDITCAST_SMTP_SECURITY and AUDITCAST_SMTP_PORT"
    ),
    aiosmtplib.SMTPNotSupported: lambda _, server: (
        f"the mail server {server} offers no STARTTLS, or no login that is known here:"
        " check AUDITCAST_SMTP_SECURITY and AUDITCAST_SMTP_USERNAME"
    ),
    aiosmtplib.SMTPAuthenticationError: lambda _, server: (
        f"the mail server {server} refuses the login: check AUDITCAST_SMTP_USERNAME and AUDITCAST_SMTP_PASSWORD"
    ),
    aiosmtplib.SMTPSenderRefused: lambda _, server: (
        f"the mail server {server} refuses the sender: check AUDITCAST_SMTP_FROM, and whether a login is needed"
    ),
}


def _lasting(error: BaseException | None) -> bool:
    """Whether the same will be answered again; SMTP's codes below 500 say that it need not."""
    return not isinstance(error, aiosmtplib.SMTPResponseException) or error.code >= 500


def _brief(error: Exception) -> str:
    cause = error.__cause__ or error
    return clean(cause.strerror if isinstance(cause, OSError) and cause.strerror else str(error), 200)
