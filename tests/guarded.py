"""Apache Kafka behind TLS and a login, as it stands in most companies."""

from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from msgspec.structs import replace

from auditcast.kafka.local import ApacheBroker
from auditcast.kafka.settings import Connection, Secret

USER, PASSWORD = "auditcast", "hunter2"
_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"


class GuardedBroker(ApacheBroker):
    """Takes SASL/PLAIN over TLS only, and only clients with a certificate of `ca`; files go to `folder`."""

    def __init__(self, ca: trustme.CA, folder: Path) -> None:
        self._ca_file, self._server_file, self._client_file = (
            folder / f"{name}.pem" for name in ("ca", "server", "client")
        )
        ca.cert_pem.write_to_path(self._ca_file)
        self._server_file.write_bytes(_for_java(ca.issue_cert("127.0.0.1")))
        ca.issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(self._client_file)
        super().__init__(
            properties={
                "listener.security.protocol.map": "CLIENTS:SASL_SSL,CONTROLLER:PLAINTEXT",
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(self._server_file),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(self._ca_file),
                "listener.name.clients.ssl.client.auth": "required",
                "sasl.enabled.mechanisms": "PLAIN",
                "sasl.mechanism.inter.broker.protocol": "PLAIN",
                "listener.name.clients.plain.sasl.jaas.config": (
                    f'{_LOGIN} username="{USER}" password="{PASSWORD}" user_{USER}="{PASSWORD}";'
                ),
            }
        )

    def connection(self, prefix: str = "audit") -> Connection:
        """With everything that the broker asks for."""
        return replace(
            super().connection(prefix),
            security_protocol="SASL_SSL",
            sasl_mechanism="PLAIN",
            sasl_username=USER,
            sasl_password=Secret(PASSWORD),
            ssl_ca_file=str(self._ca_file),
            ssl_certificate_file=str(self._client_file),
        )


def _for_java(leaf: trustme.LeafCert) -> bytes:
    """Key and certificates in one file; Java reads keys in PKCS #8 only."""
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return encoded + b"".join(part.bytes() for part in leaf.cert_chain_pems)
