"""Services on the loopback that are switched on and off, answer what they are told, or never end."""

import datetime as dt
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Web:
    """What an HTTP server answers by path, and what it was asked: method, path, headers, body."""

    answers: Mapping[str, tuple[int, Mapping[str, str], bytes]]
    url: str = ""
    asked: list[tuple[str, str, Mapping[str, str], bytes]] = field(default_factory=list)


@contextmanager
def running_web(
    answers: Mapping[str, tuple[int, Mapping[str, str], bytes]], *, port: int = 0, context: ssl.SSLContext | None = None
) -> Iterator[Web]:
    web = Web(answers)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            web.asked.append((self.command, self.path, dict(self.headers), body))
            status, headers, content = web.answers.get(self.path, (404, {}, b"nothing here"))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_HEAD = answer  # noqa: N815 -- names of http.server

        def log_message(self, *_: object) -> None:
            """What was asked is in `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    web.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_port}"
    with _serving(server):
        yield web


@contextmanager
def running_tcp(talk: Callable[[BaseRequestHandler], None]) -> Iterator[int]:
    """A server that talks so with each who connects; its port."""

    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            talk(self)

    server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    with _serving(server):
        yield server.server_address[1]


@contextmanager
def _serving(server: ThreadingHTTPServer | ThreadingTCPServer) -> Iterator[None]:
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is no news
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def certificate(folder: Path, host: str) -> Path:
    """A self-signed certificate of the host, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / f"{host}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path
