"""Ports for programs that must be told one."""

import random
import socket

FIRST, LAST = 10_000, 32_000
"""Below the ports that the kernel gives to connections and to listeners without a port of their own (`ip_local_port_range`).

One of those may be taken between the choice and the start of the program, or while the program restarts.
"""


def find_free_port() -> int:
    """Return a port on loopback that nothing listens on."""
    while True:
        port = random.SystemRandom().randrange(FIRST, LAST)
        with socket.socket() as sock:
            # As the programs do, so that a connection that has just been closed does not count.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
