"""What is wrong with a receiver's certificate, in a person's terms. Pure.

What stands in a certificate is whatever a receiver likes, so of its text only what can be in a name is ever repeated.
"""

import re
from datetime import datetime

from cryptography import x509

MOST_NAMES = 5
LONGEST_NAME = 100

_NOT_YET_VALID = 9
_EXPIRED = 10
_SELF_SIGNED = 18
_UNKNOWN = {2, 19, 20, 21, 27}
_OTHER_NAME = {62, 63, 64}
"""OpenSSL's numbers (X509_V_ERR_…) of what it found."""

_ABOVE = "a certificate that the receiver's is signed with"
"""Of which the dates are to blame if those of the receiver's own are good."""

_UNLIKELY = re.compile(r"[^A-Za-z0-9.*:_-]")


def explained(code: int, certificate: bytes | None, host: str, now: datetime) -> str:
    """Why a certificate (in DER) was refused that `host` showed, for OpenSSL's `code`; "" if that says it all."""
    if code == _SELF_SIGNED:
        return "the certificate is signed by itself, and by no authority"
    if code in _UNKNOWN:
        return (
            "the certificate is signed by an authority that is not known here, or the receiver leaves out those between"
        )
    try:
        return _told(code, x509.load_der_x509_certificate(certificate or b""), host, now)
    except Exception:  # noqa: BLE001  (a receiver made it; what it upsets in a parser must end no process)
        return ""


def _told(code: int, shown: x509.Certificate, host: str, now: datetime) -> str:
    first, last = shown.not_valid_before_utc, shown.not_valid_after_utc
    if code == _EXPIRED:
        return f"the certificate expired on {last:%Y-%m-%d}" if last < now else f"{_ABOVE} has expired"
    if code == _NOT_YET_VALID:
        future = first > now
        return f"the certificate is not yet valid until {first:%Y-%m-%d}" if future else f"{_ABOVE} is not yet valid"
    return f"the certificate is for {_names(shown)}, not {host}" if code in _OTHER_NAME else ""


def _names(shown: x509.Certificate) -> str:
    """Whom it is for: some of its names and addresses."""
    try:
        names = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "no name at all"
    found = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    told = [_UNLIKELY.sub("?", name[:LONGEST_NAME]) for name in found[:MOST_NAMES]]
    if len(found) > MOST_NAMES:
        told.append(f"{len(found) - MOST_NAMES} more names")
    return ", ".join(told) or "no name at all"
