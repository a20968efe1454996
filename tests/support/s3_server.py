"""S3 server of the tests (moto), on loopback."""

import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import httpx

from ingest.archive.storage import open_storage
from tests.support.waiting import eventually

NUMBERS = itertools.count()
START_SECONDS = 60
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}


class S3Server:
    """Running S3 server, whose address and credentials are in the environment."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def create_bucket(self) -> str:
        """Create an empty bucket; return its URL."""
        name = f"archive-{next(NUMBERS)}"
        httpx.put(f"{self.endpoint}/{name}").raise_for_status()
        return f"s3://{name}"

    def put(self, url: str, data: bytes) -> None:
        """Replace an object."""
        httpx.put(f"{self.endpoint}/{url.removeprefix('s3://')}", content=data).raise_for_status()

    def delete(self, url: str) -> None:
        """Delete an object."""
        httpx.delete(f"{self.endpoint}/{url.removeprefix('s3://')}").raise_for_status()

    def get(self, url: str) -> bytes:
        """Return an object."""
        return httpx.get(f"{self.endpoint}/{url.removeprefix('s3://')}").raise_for_status().content


@contextmanager
def running_s3_server() -> Iterator[S3Server]:
    """Start the server for the block, with the environment of its clients."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    endpoint = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(endpoint).is_success
        except httpx.TransportError:
            return False

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            eventually(answers, "moto does not start", START_SECONDS)
            open_storage.cache_clear()
            with mock.patch.dict(os.environ, {**CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}):
                yield S3Server(endpoint)
        finally:
            process.kill()
