"""short_of_memory_datagrams.py OPERATION ALLOCATOR [FIRST]: a UDP socket and its datagrams, as each allocation fails."""

from __future__ import annotations

import socket as plain
from typing import Any

from shortage import Operation, Short, Stage, Steps, loop, main

import uvnet
from uvnet._udp.datagram import DatagramHandle


def nothing(*_: Any) -> None:
    pass


class End:
    def __init__(self, stage: Stage) -> None:
        self.got: list[bytes] = []
        self.errors: list[Any] = []
        self.handle = DatagramHandle(loop, self.received, self.failed, owner=self)
        stage.things.append(self)
        self.handle.bind("127.0.0.1", 0, ipv6=False)
        self.name = self.handle.getsockname()

    def received(self, batch: list[Any]) -> None:
        self.got.extend([data for data, _, _ in batch])

    def failed(self, error: Any, remote: Any) -> None:
        self.errors.append((error, remote))

    def close(self) -> None:
        self.handle.close()


def make(stage: Stage, number: int) -> Steps:
    with Short(stage, number):
        End(stage)
    yield


def pass_on(stage: Stage, number: int) -> Steps:
    """They arrive, or somebody is told; and what comes behind arrives."""
    one, other = End(stage), End(stage)
    payloads = [b"x" * 100] * 5 + [b"y"] * 3
    sent = False
    with Short(stage, number):
        one.handle.send(payloads, other.name)
        sent = True
        yield from stage.settle(turns=8)
    yield from stage.settle(turns=4)
    assert other.got == payloads or stage.trouble, other.got
    assert sent or stage.trouble
    other.got.clear()
    one.handle.send([b"behind"], other.name)
    yield from stage.settle(turns=4)
    assert other.got == [b"behind"]


def refused(stage: Stage, number: int) -> Steps:
    one = End(stage)
    with plain.socket(plain.AF_INET, plain.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        name = gone.getsockname()
    with Short(stage, number):
        one.handle.send([b"x"], name)
        one.handle.send([bytes(70_000)], name)
        yield from stage.settle(turns=8)
    yield from stage.settle(turns=4)
    assert len(one.errors) == 2 or stage.trouble
    one.handle.send([b"y"], one.name)
    yield from stage.settle(turns=4)
    assert one.got == [b"y"]


def end(stage: Stage, number: int) -> Steps:
    one = End(stage)
    told: list[bool] = []
    with Short(stage, number):
        one.handle.close(lambda: told.append(True))
        yield from stage.settle(turns=4)
    yield from stage.settle(turns=4)
    assert told == [True] or stage.trouble


OPERATIONS: dict[str, Operation] = {"make": make, "pass_on": pass_on, "refused": refused, "end": end}

uvnet.next_tick(nothing)
main(OPERATIONS)
