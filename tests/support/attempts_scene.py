"""Addresses that answer in all the ways there are, and what becomes of attempts to connect to them.

The addresses are of loopback, all with one port, and no other program has them.  One whose queue is full does not
answer; Linux asks it again a second later.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import socket as plain
from collections.abc import Iterator
from typing import Any

__all__ = ["ANSWERS", "LATER", "Address", "addresses", "expected"]

ANSWERS = "accepts", "accepts later", "refuses", "refuses later", "is silent"
LATER = 1.0  # seconds after which Linux sends a SYN again

_numbers = itertools.count()


class Address:
    """One address, taken; with another answer than "refuses" something listens there."""

    def __init__(self, host: str, port: int, answer: str) -> None:
        self.host = host
        self.answer = answer
        self.listener = plain.socket()
        self.listener.bind((host, port))
        self.port: int = self.listener.getsockname()[1]
        self.filling: list[plain.socket] = []
        if answer != "refuses":
            self.listener.listen(8 if answer == "accepts" else 0)
            self.listener.setblocking(False)
        if answer not in ("accepts", "refuses"):
            self.filling.append(plain.create_connection((host, self.port), 5))

    def go_on(self) -> None:
        """Whoever asks again is answered."""
        if self.answer == "accepts later":
            self.listener.accept()[0].close()
        elif self.answer == "refuses later":
            self.listener.close()

    def accepted(self) -> list[plain.socket]:
        """Every connection that has come about, the one that filled the queue apart."""
        found: list[plain.socket] = []
        if self.answer == "is silent":
            return found
        with contextlib.suppress(OSError):
            while True:
                peer, name = self.listener.accept()
                if name in [filling.getsockname() for filling in self.filling]:
                    peer.close()
                else:
                    found.append(peer)
        return found

    def close(self) -> None:
        for socket in (*self.filling, self.listener):
            socket.close()


@contextlib.contextmanager
def addresses(*answers: str) -> Iterator[list[Address]]:
    """An address for each answer; all have the port of the first."""
    network = f"127.{20 + os.getpid() % 200}.{next(_numbers) % 250 + 1}"
    with contextlib.ExitStack() as stack:
        taken: list[Address] = []
        for number, answer in enumerate(answers, 1):
            port = taken[0].port if taken else 0
            taken.append(Address(f"{network}.{number}", port, answer))
            stack.callback(taken[-1].close)
        yield taken


def expected(answers: tuple[str, ...], delay: float) -> list[tuple[Any, ...]]:
    """The events of connecting to addresses with these answers, up to where nothing more comes.

    Each event is its name with the number of the address.
    """
    events: list[tuple[Any, ...]] = []
    waiting = list(range(len(answers)))
    under_way: list[int] = []
    due: list[tuple[float, int, str, int]] = []
    order = itertools.count()

    def begin(now: float) -> None:
        number = waiting.pop(0)
        under_way.append(number)
        events.append(("connectionAttempt", number))
        answer = answers[number]
        if answer != "is silent":
            heapq.heappush(due, (now + LATER * answer.endswith("later"), next(order), answer.split()[0], number))
        heapq.heappush(due, (now + delay, next(order), "delay", number))

    begin(0)
    while due:
        now, _, what, number = heapq.heappop(due)
        if what == "accepts":
            return [*events, ("connect", number), ("ready",)]
        if what == "refuses":
            events.append(("connectionAttemptFailed", number))
            under_way.remove(number)
        elif not waiting or number != waiting[0] - 1 or number not in under_way:
            # The next address has been tried already.
            continue
        else:
            events.append(("connectionAttemptTimeout", number))
        if waiting:
            begin(now)
        elif not under_way:
            return [*events, ("error",), ("close", True)]
    return events
