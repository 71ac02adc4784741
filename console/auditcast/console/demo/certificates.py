"""A certificate authority made on the spot, so that receivers speak real TLS and nothing has to look away."""

import ssl
from pathlib import Path

import trustme


class Authority:
    """A CA that lives as long as this object; its certificate is written to `folder`/ca.pem for the deliverers."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA(organization_name="auditcast demo")
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.file))

    def server(self) -> ssl.SSLContext:
        """TLS for a receiver at 127.0.0.1 or localhost."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        return context
