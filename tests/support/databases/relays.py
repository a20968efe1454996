"""Relays in front of a PostgreSQL: they add TLS, or change what the server reports."""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
CHUNK_BYTES = 65_536


class Relay:
    """Relay of connections to a Unix socket.

    Attributes:
        port: Port to connect to.
        replacements: Bytes of the server and the bytes of the same length that clients receive instead.
    """

    def __init__(self, listener: socket.socket, server: Path, context: ssl.SSLContext | None) -> None:
        self.port: int = listener.getsockname()[1]
        self.replacements: dict[bytes, bytes] = {}
        self._listener, self._server, self._context = listener, server, context

    def serve(self) -> None:
        """Accept connections until the listener is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=[client], daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as server:
            server.connect(str(self._server))
            if self._context is not None:
                assert client.recv(len(SSL_REQUEST)) == SSL_REQUEST
                client.sendall(b"S")
                client = self._context.wrap_socket(client, server_side=True)
            to_server = threading.Thread(target=self._forward, args=[client, server], daemon=True)
            to_server.start()
            self._forward(server, client)
        client.close()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK_BYTES):
                for old, new in self.replacements.items():
                    assert len(old) == len(new)
                    data = data.replace(old, new)
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def running_relay(server: Path, context: ssl.SSLContext | None = None) -> Iterator[Relay]:
    """Run a relay in front of a server's socket, with TLS if there is a context."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        relay = Relay(listener, server, context)
        thread = threading.Thread(target=relay.serve, daemon=True)
        thread.start()
        yield relay
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def create_tls_context(folder: Path, host: str) -> tuple[ssl.SSLContext, Path]:
    """Return the TLS context of a server, and the file of its self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path, key_path = folder / f"{host}.crt", folder / f"{host}.key"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path, key_path)
    return context, path
