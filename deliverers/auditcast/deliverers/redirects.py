"""Where an answer redirects to, for people: nobody follows it. Pure."""

import httpx

from auditcast.deliverers.destinations import Target
from auditcast.deliverers.redaction import shown
from auditcast.deliverers.transport import Answer


def redirection(answer: Answer, target: Target) -> str:
    """A sentence, "" if the answer names no URL that can be read.

    Of that neither a query is in it nor the destination's own path, and no path at all if the URL is a credential.
    """
    own = target.url
    try:
        url = own.join(answer.headers.get("location", ""))
    except httpx.InvalidURL:
        return ""
    if not url.host or url == own:
        return ""
    origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
    if url.path == own.path:
        where = f"the same path at {origin}"
    elif url.path.rstrip("/") == own.path.rstrip("/"):
        where = f"the same path at {origin}, {'with' if url.path.endswith('/') else 'without'} a slash at its end"
    else:
        where = origin if target.revision.sealed_url else f"{origin}{url.path}"
    return shown(f"it redirects to {where}".encode(), target.credentials, own)
