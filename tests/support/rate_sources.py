"""Exchange rate source on loopback, with configurable responses and recorded requests."""

import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import orjson

Send = Callable[[bytes], object]
StreamBody = Callable[[Send], object]


def ecb_zip(csv: str) -> bytes:
    """Return a zip file in the format of the European Central Bank."""
    return zip_of({"eurofxref-hist.csv": csv.encode()})


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip file with these files."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


def table_of(rates: dict[str, float], base: str = "USD") -> bytes:
    """Return a day's rates in the format of openexchangerates."""
    return orjson.dumps({"disclaimer": "…", "timestamp": 1_700_000_000, "base": base, "rates": rates})


@dataclass
class RateSource:
    """Configuration of the responses, and record of the requests.

    A response is `status` with `body`, or the bytes that `stream_body` sends until its `send` fails. `bodies` overrides the
    body for single paths. `requests` contains (path, Authorization header) in order.
    """

    url: str = ""
    status: int = 200
    body: bytes = b""
    bodies: dict[str, bytes] = field(default_factory=dict)
    stream_body: StreamBody | None = None
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def rate_source() -> Iterator[RateSource]:
    """Run a source until the end of the block."""
    source = RateSource()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            source.requests.append((self.path, self.headers.get("Authorization")))
            if source.stream_body is not None:
                try:
                    source.stream_body(self.wfile.write)
                except OSError:
                    # The client has closed the connection.
                    self.close_connection = True
                return
            body = source.bodies.get(self.path, source.body)
            self.send_response(source.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Disable logging."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        source.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield source
        finally:
            source.ended.set()
            server.shutdown()
            thread.join()
