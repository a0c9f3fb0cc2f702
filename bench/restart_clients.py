"""Clients of a server that is being restarted: what became of each of their requests."""

from __future__ import annotations

import re
import select
import socket
import threading
import time
from collections import Counter

PAUSE = 0.002  # seconds between two requests of a client
LIMIT = 30.0  # seconds for an answer
HOST = "127.0.0.1"
LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Clients:
    """Threads that ask until they are stopped, half of them on connections that stay.

    counts, each of what connections stay ("kept ...") and of those for one request ("single ..."):
    requests; refused: connections; reset: connections that were never answered; failed: any other request without its
    whole answer.  Where connections stay also idle ends: connections that had ended before the next request was sent;
    crossed: requests that were sent while the connection was being closed, and not answered.
    """

    def __init__(self, port: int, threads: int) -> None:
        self.counts: Counter[str] = Counter()
        self._port = port
        self._answered: dict[int, float] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask_on_one if index % 2 else self._ask_on_many)
            for index in range(threads)
        ]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def answered_since(self, moment: float) -> set[int]:
        """The processes that have answered since then, on the clock of time.monotonic()."""
        with self._lock:
            return {process for process, last in self._answered.items() if last >= moment}

    def _count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def _note(self, kind: str, body: bytes) -> None:
        with self._lock:
            self.counts[f"{kind} requests"] += 1
            self._answered[int(body)] = time.monotonic()

    def _ask_on_many(self) -> None:
        while not self._stopped.wait(PAUSE):
            connection = self._connect("single")
            if connection is not None:
                with connection:
                    self._ask(connection, "single", b"close", is_first=True)

    def _ask_on_one(self) -> None:
        connection: socket.socket | None = None
        is_first = True
        while not self._stopped.wait(PAUSE):
            if connection is not None and select.select([connection], [], [], 0)[0]:
                # Nothing but its end can have come.
                self._count("kept idle ends")
                connection.close()
                connection = None
            if connection is None:
                connection, is_first = self._connect("kept"), True
            if connection is not None:
                if not self._ask(connection, "kept", b"keep-alive", is_first):
                    connection.close()
                    connection = None
                is_first = False
        if connection is not None:
            connection.close()

    def _connect(self, kind: str) -> socket.socket | None:
        try:
            return socket.create_connection((HOST, self._port), LIMIT)
        except ConnectionRefusedError:
            self._count(f"{kind} refused")
        except OSError:
            self._count(f"{kind} failed")
        return None

    def _ask(self, connection: socket.socket, kind: str, wish: bytes, is_first: bool) -> bool:
        """Whether the connection can be asked again."""
        received = b""
        reset = False
        try:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: %s\r\n\r\n" % wish)
            while True:
                head, separator, body = received.partition(b"\r\n\r\n")
                found = LENGTH.search(head) if separator else None
                if found is not None and len(body) == int(found[1]):
                    self._note(kind, body)
                    return b"connection: close" not in head.lower()
                piece = connection.recv(4096)
                if not piece:
                    break
                received += piece
        except (ConnectionResetError, BrokenPipeError):
            reset = True
        except OSError:
            self._count(f"{kind} failed")
            return False
        if received:
            self._count(f"{kind} failed")
        elif is_first:
            self._count(f"{kind} reset" if reset else f"{kind} failed")
        else:
            self._count(f"{kind} crossed")
        return False
