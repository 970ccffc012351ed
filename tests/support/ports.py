"""Owns the choice of TCP ports for servers that tests start."""

import socket


def free_port() -> int:
    """Return a loopback port that was free a moment ago; who binds it must be ready to ask again."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
