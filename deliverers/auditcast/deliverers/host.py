"""What the process asks of its host: its signals, certificate authorities, open files, memory."""

import asyncio
import gc
import resource
import signal
import ssl
from collections.abc import Callable

from auditcast.schemas.errors import Misconfigured

SPARE_FILES = 100
"""Open files beside the connections to destinations."""


def ending() -> tuple[asyncio.Future[None], Callable[[BaseException | None], None]]:
    """What the running loop's worker waits for: SIGTERM, SIGINT, or a call of the function, with the error if any."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end(error: BaseException | None = None) -> None:
        if not ended.done():
            ended.set_result(None) if error is None else ended.set_exception(error)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, end)
    return ended, end


def spare_the_collector() -> None:
    """Keep what lives as long as the process out of Python's cycle collection, and have it run less often.

    Left as it is, it takes a tenth of all CPU time here: it walks through every batch that waits, and all modules.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def tls(ca_file: str, setting: str) -> ssl.SSLContext:
    """The system's authorities and those of `ca_file`; TLS 1.2 and above, certificates and names verified.

    `setting` is the variable that names the file.
    """
    # Not `create_default_context`, which obeys SSLKEYLOGFILE: whoever has that file can read what was sent.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError):
            raise Misconfigured(f"{setting}: {ca_file} is no readable PEM file of certificates") from None
    return context


def allow_files(connections: int) -> None:
    """Raise the soft limit of open files, as far as it goes, to what that many connections need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + SPARE_FILES
    if hard not in (-1, resource.RLIM_INFINITY) and hard < needed:
        raise Misconfigured(
            f"AUDITCAST_DELIVERY_CONNECTIONS: {connections} connections need {needed} open files, but the system allows"
            f" {hard}: lower it, or raise the limit (ulimit -n)"
        )
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
