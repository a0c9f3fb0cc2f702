"""Ports for what has to be told one by number: nobody else comes to have it meanwhile.

They are below those that the system gives to whoever asks for any, which other tests do all the time: a port that was
had like that and given up may be somebody else's at once.
"""

from __future__ import annotations

import contextlib
import random
import socket as plain

__all__ = ["free_port", "free_ports"]

# Linux gives those from 32768 on, other systems higher ones.
PORTS = range(20_000, 32_000)
TRIES = 1000

_random = random.SystemRandom()


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Different ones, which can be bound at that address."""
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        for _ in range(TRIES):
            if len(found) == count:
                return found
            tried = stack.enter_context(plain.socket(plain.AF_INET6 if ":" in host else plain.AF_INET))
            port = _random.choice(PORTS)
            with contextlib.suppress(OSError):
                tried.bind((host, port))
                found.append(port)
    raise AssertionError(f"no {count} free ports at {host}")


def free_port(host: str = "127.0.0.1") -> int:
    """One of them."""
    (port,) = free_ports(1, host)
    return port
