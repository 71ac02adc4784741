"""What a failed attempt means for who owns the destination, and what to do about it, in a sentence. Pure.

What happened stands in the attempt itself (its status, its `detail`); here is what follows from it.
"""

from collections.abc import Mapping
from types import MappingProxyType

from auditcast.schemas.formats import FORMATS
from auditcast.schemas.formats.base import Format
from auditcast.schemas.records import Attempt, Revision
from auditcast.schemas.urls import origin_of

_OPERATOR = "This is for the operator of auditcast to mend"
_LATER = "The same is sent again later by itself"
_EDIT = "'auditcast destinations edit {id} --url …'"

BY_REASON: Mapping[str, str] = MappingProxyType(
    {
        "unreadable": f"{_OPERATOR}: a record in audit.batches cannot be read; find out who wrote it.",
        "conflicting-digest": f"{_OPERATOR}: two batches have the same number; find out who wrote to audit.batches.",
        "destination-unknown": (
            "The deliverers have not read of the destination yet: try again in a moment; if that does not help, they"
            " use another topic prefix or other brokers than this command."
        ),
        "revision-unknown": (
            "The deliverers have not read the newest settings yet: try again in a moment; if that does not help,"
            " somebody wrote audit.destinations anew."
        ),
        "format-unknown": f"{_OPERATOR}: the deliverers are too old for the format {{format}}; upgrade them.",
        "cannot-unseal": (
            f"{_OPERATOR}: the deliverers lack the key that the destination is sealed with; give them every key of"
            " AUDITCAST_SEALING_KEYS that this command has."
        ),
        "destination-invalid": (
            "A setting is not allowed where the deliverers run: correct it with 'auditcast destinations edit {id}';"
            " if it is the host, the deliverers need the same AUDITCAST_ALLOWED_NETWORKS as this command."
        ),
        "halted": (
            "It was paused while a batch was sent in parts: the rest of it is delivered after 'auditcast destinations"
            " resume {id}'."
        ),
        "address-forbidden": (
            "Deliveries go only to public addresses, at port 443 or from 1024 on: use such a URL; or the operator names"
            " the network of {host} in AUDITCAST_ALLOWED_NETWORKS, for the deliverers and for this command."
        ),
        "name-unknown": (
            f"There is no host of this name in public DNS: check how {{host}} is spelt, and correct it with {_EDIT}."
        ),
        "resolver-failed": (
            f"{_OPERATOR} if it lasts: the name server did not answer for {{host}}. {_LATER}, and counts as no attempt."
        ),
        "proxy-unreachable": (
            f"{_OPERATOR}: the proxy in AUDITCAST_EGRESS_PROXY cannot be reached from the deliverers."
        ),
        "proxy-refused": (
            f"{_OPERATOR}: the proxy in AUDITCAST_EGRESS_PROXY refuses to connect to {{host}}, or cannot."
        ),
        "connect-timeout": (
            "{host} does not answer when it is connected to: check host and port, and that its firewall lets the"
            " deliverers' addresses in."
        ),
        "connect-failed": (
            "{host} takes no connection: check that the receiver runs, listens at that port, and is reachable from the"
            " internet."
        ),
        "certificate-refused": (
            "The certificate of {host} is not valid: renew it if it has expired, have it issued for this very name, and"
            " let the server send its intermediate certificates; for an authority of your own, the operator adds it"
            " with AUDITCAST_DELIVERY_CA_FILE."
        ),
        "tls-failed": "{host} does not speak TLS 1.2 or newer at this port: check the port, and the server's TLS.",
        "request-invalid": (
            "No request can be made of the URL and the headers: set them anew with 'auditcast destinations edit {id}'."
        ),
        "write-timeout": "{host} takes the request too slowly: see what slows it down, or lower --window-events.",
        "first-byte-timeout": (
            "{host} took the request and did not answer in time: let it answer at once, and work on the events later."
        ),
        "answer-timeout": "{host} did not end its answer in time: let it answer at once, with little.",
        "connection-closed": (
            "{host} closed the connection without an answer: see its log; often a proxy in front of it did."
        ),
        "connection-lost": "The connection to {host} broke off: see its log. " + _LATER + ".",
        "answer-cut": "{host} broke off in the middle of its answer: see its log.",
        "answer-malformed": "What {host} answers is no HTTP: check that the port is one of an HTTPS server.",
        "answer-too-large": f"{{host}} answers with far more than a receiver would: check the path with {_EDIT}.",
        "answered-early": (
            "{host} answers before it has read the request, so nobody knows whether it took it: see its log, and let it"
            " read the whole body."
        ),
        "redirected": (
            f"Redirects are never followed: give the URL that it leads to, with {_EDIT}; if it leads to a page for"
            " logging in, {credential}."
        ),
        "not-accepted": (
            "This is not how {title} answers when it has taken everything: check that the URL leads there, and what the"
            " answer says."
        ),
        "events-not-taken": "The receiver took some events and not others, for now: see what it says. " + _LATER + ".",
        "events-refused": (
            "The receiver cannot take some events as they are: see what it says of them, and leave out what it does not"
            " like with 'auditcast destinations edit {id} --drop …'."
        ),
        "consent-refused": (
            "The receiver did not allow deliveries when it was asked with OPTIONS: have it answer with"
            " WebHook-Allowed-Origin, or ask no longer, with 'auditcast destinations edit {id} --no-handshake'."
        ),
    }
)  # fmt: skip
"""For every `deliverers.outcomes.Reason`, by its text, so that no command need load what deliverers run on."""

BY_STATUS: Mapping[int, str] = MappingProxyType(
    {
        400: "The receiver does not understand the request: check that the URL leads to {title}, and what it answers.",
        401: "The receiver does not know who sends: {credential}.",
        402: "The receiver wants to be paid: see your plan there.",
        403: "The receiver does not allow it: {credential}, and what the key may do there.",
        404: f"The receiver has nothing at this path: check the URL, and correct it with {_EDIT}.",
        405: f"The receiver takes no POST at this path: check the URL, and correct it with {_EDIT}.",
        406: "The receiver does not take this content type: {content_type}.",
        407: f"{_OPERATOR}: a proxy wants a login; set AUDITCAST_EGRESS_PROXY_LOGIN.",
        408: "The receiver waited too long for the request: see its log. " + _LATER + ".",
        410: (
            "The receiver says that it is gone for good, and a real delivery disables the destination: if it has moved,"
            f" {_EDIT}, then 'auditcast destinations enable {{id}}'."
        ),
        411: "A proxy before the receiver cannot handle the request: see its log.",
        413: (
            "The receiver takes less in one request: raise its limit, or lower --window-events; larger batches are"
            " split by themselves."
        ),
        415: "The receiver does not take this content type: {content_type}.",
        422: "The receiver cannot use what it got: check that the URL leads to {title}, and what it answers.",
        425: _LATER + ": the receiver asked for that.",
        429: "The receiver limits how often it is called: raise its limit, or --window-seconds. " + _LATER + ".",
        431: "The receiver finds the headers too large: remove some with --remove-header.",
        501: "The receiver does not know this kind of request: check that the URL leads to {title}.",
    }
)

_OTHER = {
    1: "{host} answers what is no answer to a POST: check that the URL leads to {title}.",
    4: "The receiver refuses the request: see its answer and its log.",
    5: "The receiver itself has failed: see its log. " + _LATER + ".",
}
"""By the first digit of a status."""


def advice(attempt: Attempt, revision: Revision) -> str:
    """What to do after an attempt that failed, made under `revision` or an earlier one; empty if nothing is known."""
    return _sentence(attempt).format_map(_terms(revision))


def _sentence(attempt: Attempt) -> str:
    if attempt.error is not None and attempt.error in BY_REASON:
        return BY_REASON[attempt.error]
    status = attempt.status or 0
    if 200 <= status < 300:
        return BY_REASON["not-accepted"]
    if 300 <= status < 400:
        return BY_REASON["redirected"]
    return BY_STATUS.get(status, _OTHER.get(status // 100, ""))


def _terms(revision: Revision) -> dict[str, str]:
    """What sentences are filled with; nothing of it is secret."""
    form = FORMATS.get(revision.format)
    return {
        "id": revision.destination,
        "host": origin_of(revision.url).removeprefix("https://"),
        "format": revision.format,
        "title": form.title if form else revision.format,
        "credential": _credential(revision, form),
        "content_type": _content_type(revision, form),
    }


def _credential(revision: Revision, form: Format | None) -> str:
    """Where the receiver looks for the credential."""
    if form is not None and form.required_headers:
        names = [header.name for header in form.required_headers]
        return f"check the value of the header {' and '.join(names)}"
    if form is not None and form.secret_url:
        return "check the URL, which is the credential here"
    named = [header.name for header in revision.headers]
    if not named:
        return "it may want a header Authorization, which this destination lacks: add it with --header-from-env"
    return f"check the value of the header {named[0] if len(named) == 1 else 'that it looks at: ' + ', '.join(named)}"


def _content_type(revision: Revision, form: Format | None) -> str:
    options = {option.name: option for option in form.options} if form else {}
    if "content_type" not in options:
        return f"check that the URL leads to {form.title if form else revision.format}"
    return (
        f"try another, as in 'auditcast destinations edit {revision.destination} --option"
        f" content_type={options['content_type'].example}' ({options['content_type'].description})"
    )
