"""nginx with the configuration in `deploy/nginx`, in front of servers on loopback."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.deployment.files import DEPLOY, require_program
from tests.support.http.server_process import wait_until_answered

MAIN = """
{user}
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log notice;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/conf.d/*.conf;
}}
"""
"""What a distribution's nginx.conf has around `conf.d`, with all files in one folder."""
FILES = ("ratesgraph.conf", "ratesgraph-upstream.conf")
STOP_SECONDS = 30


def write_configuration(folder: Path, port: int, servers: Sequence[int]) -> Path:
    """Write the files of `deploy/nginx` with other addresses only. Return the main file."""
    (folder / "conf.d").mkdir(parents=True)
    addresses = {"listen 80;": f"listen 127.0.0.1:{port};"}
    addresses |= {f"10.0.0.{number}:8000": f"127.0.0.1:{server}" for number, server in enumerate(servers, start=1)}
    texts = {name: (DEPLOY / "nginx" / name).read_text(encoding="utf-8") for name in FILES}
    for old, new in addresses.items():
        assert sum(text.count(old) for text in texts.values()) == 1
        texts = {name: text.replace(old, new) for name, text in texts.items()}
    for name, text in texts.items():
        (folder / "conf.d" / name).write_text(text, encoding="utf-8")
    main = folder / "nginx.conf"
    # A master process of root starts its workers as another account, which cannot open the folder of a test.
    main.write_text(MAIN.format(folder=folder, user="user root;" if os.geteuid() == 0 else ""), encoding="utf-8")
    return main


def check_configuration(main: Path) -> subprocess.CompletedProcess[str]:
    """Run `nginx -t`."""
    command = [require_program("nginx"), "-t", "-c", str(main), "-e", str(main.with_name("error.log"))]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def running_nginx(folder: Path, port: int, servers: Sequence[int]) -> Iterator[str]:
    """Run nginx on the port, in front of servers on these ports. Yield its URL."""
    main = write_configuration(folder, port, servers)
    with subprocess.Popen(
        [require_program("nginx"), "-c", str(main), "-e", str(folder / "error.log")], stderr=subprocess.DEVNULL
    ) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_answered(url)
            yield url
        finally:
            process.terminate()
            process.wait(timeout=STOP_SECONDS)
