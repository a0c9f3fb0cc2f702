"""short_of_memory_channels.py OPERATION ALLOCATOR [FIRST]: channels and what goes over them, as each allocation fails."""

from __future__ import annotations

import os
import socket as plain
import time
from typing import Any

from shortage import Operation, Short, Stage, Steps, main

import uvnet
from uvnet._channel.channel import new_channel
from uvnet._channel.dealing import deal_out
from uvnet.processes.port import MessagePort


class Owner:
    def _abandoned(self) -> None:
        pass


PATIENCE = 20  # seconds


def nothing(*_: Any) -> None:
    pass


class End:
    """One end, for frames."""

    def __init__(self, descriptor: int) -> None:
        self.got: list[tuple[int, int]] = []
        self.lost: list[Any] = []
        self.channel = new_channel(descriptor, Owner(), self.lost.append)
        self.channel.carriers.add(1)
        self.channel.receivers[1] = self.received

    def received(self, payload: bytes, descriptors: list[int]) -> None:
        self.got.append((len(payload), len(descriptors)))

    def close(self) -> None:
        self.channel.disconnect()


def ends(stage: Stage) -> tuple[End, End]:
    near, far = plain.socketpair()
    made = End(near.detach()), End(far.detach())
    stage.things.extend(made)
    return made


def make(stage: Stage, number: int) -> Steps:
    near, far = plain.socketpair()
    stage.things.append(far)
    descriptor = near.detach()
    made = False
    with Short(stage, number):
        end = End(descriptor)
        stage.things.append(end)
        made = True
    if not made:
        # It stayed with us.
        os.close(descriptor)
    yield


def frames(*sizes: int, descriptors: int = 0) -> Operation:
    def send(stage: Stage, number: int) -> Steps:
        one, other = ends(stage)
        given = [os.dup(0) for _ in range(descriptors)]
        told: list[Any] = []
        queued: list[int] = []
        with Short(stage, number):
            for size in sizes:
                one.channel.send(1, b"x" * size, given, told.append)
                queued.append(size)
            yield from stage.settle(turns=20)
        yield from stage.settle(turns=20)
        # A channel that was short of memory pauses before it tries again: for a time, and not for some turns.
        given_up = time.monotonic() + PATIENCE
        while not (one.lost or other.lost or len(other.got) >= len(queued) - bool(stage.trouble)):
            assert time.monotonic() < given_up, (queued, other.got, stage.trouble)
            yield from stage.settle(turns=1)
        yield from stage.settle(turns=4)
        for descriptor in given:
            os.close(descriptor)
        # What was queued is there, or its end was told at both ends.
        if other.lost or one.lost:
            stage.heard("lost")
            yield from stage.settle(turns=4)
            assert one.lost and other.lost, (one.lost, other.lost)
        else:
            got = [size for size, _ in other.got]
            # A receiver that has no memory is reported, and has had its frame.
            assert got == queued or (stage.trouble and len(got) == len(queued) - 1), (queued, got)
        assert len(told) <= len(queued)

    return send


def end(stage: Stage, number: int) -> Steps:
    one, other = ends(stage)
    told: list[Any] = []
    one.channel.send(1, b"x", (), told.append)
    with Short(stage, number):
        one.channel.disconnect()
        yield from stage.settle(turns=10)
    yield from stage.settle(turns=10)
    one.channel.disconnect()
    yield from stage.settle(turns=4)
    # Who could not note it was reported.
    assert other.lost or stage.trouble


def ports(stage: Stage) -> tuple[MessagePort, MessagePort, list[Any]]:
    made = MessagePort(), MessagePort()
    got: list[Any] = []
    for port, each in zip(made, plain.socketpair(), strict=True):
        port._open(each.detach())
        port.on("error", stage.heard)

    def listener(*given: Any) -> None:
        try:
            got.append(given)
        except MemoryError:
            got.append(given)
            raise

    made[1].on("message", listener)
    stage.afterwards.append(lambda: [port._channel.disconnect() for port in made if port._channel.is_open])  # type: ignore[union-attr]
    return *made, got


def message(stage: Stage, number: int) -> Steps:
    one, _, got = ports(stage)
    sent = False
    with Short(stage, number):
        one.send({"a": [1, 2, 3]}, nothing)
        sent = True
        yield from stage.settle(turns=14)
    yield from stage.settle(turns=10)
    assert got or stage.trouble or not sent


def socket(stage: Stage, number: int) -> Steps:
    """A connection is here, or there, or closed: never at both ends, never at none."""
    one, other, got = ports(stage)
    ours, theirs = stage.pair()
    theirs.send(b"unread")
    yield from stage.settle(turns=2)
    told: list[Any] = []
    with Short(stage, number):
        one.send("socket", ours, told.append)
        yield from stage.settle(turns=14)
    yield from stage.settle(turns=14)
    for _, handle in got:
        stage.keep(handle)
    if stage.trouble and not got:
        # Where there was no memory to call the listener it is open, and nobody has it.
        for each in uvnet.active_handles():
            if isinstance(each, uvnet.Socket) and each is not ours:
                each.destroy()
    here = not ours.pending and not ours.destroyed
    there = bool(got) and not got[0][1].destroyed
    open_channel = one._channel.is_open and other._channel.is_open  # type: ignore[union-attr]
    assert not (here and there)
    if not here and not there:
        assert stage.trouble, "it is nowhere, and nobody was told"
        # Nobody holds it.
        for port in (one, other):
            if port._channel.is_open:  # type: ignore[union-attr]
                port._channel.disconnect()  # type: ignore[union-attr]
        yield from stage.settle(turns=6)
        here = not ours.pending and not ours.destroyed
    if here:
        ours.write(b"here")
        yield from stage.settle(turns=4)
    elif there:
        got[0][1].write(b"there")
        yield from stage.settle(turns=4)
    try:
        answer = theirs.recv(10)
    except BlockingIOError:
        answer = None
    except ConnectionResetError:
        answer = b""
    assert answer is not None, (here, there, open_channel, told, stage.trouble)
    if answer == b"":
        stage.heard("closed")


def deal(stage: Stage, number: int) -> Steps:
    """A connection reaches somebody, or is closed."""
    listening = plain.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    one, other = ends(stage)
    got: list[int] = []
    other.channel.carriers.add(16)

    def dealt(_payload: bytes, descriptors: list[int]) -> None:
        got.extend(descriptors)
        descriptors.clear()

    other.channel.receivers[16] = dealt
    robin = deal_out(listening.detach(), 10, plain.AF_INET, stage.heard)
    stage.things.append(robin)
    share = robin.share(one.channel, 7)
    share.wants(True)
    client = plain.create_connection(("127.0.0.1", port))
    client.setblocking(False)
    stage.things.append(client)
    with Short(stage, number):
        yield from stage.settle(turns=10)
    yield from stage.settle(turns=20)
    # Where it could not leave then, another event lets it.
    share.wants(True)
    yield from stage.settle(turns=10)
    if got:
        assert len(got) == 1
        with Short(stage, number):
            share.was_taken(b"\1")
        os.close(got[0])
        return
    if robin.waiting:
        assert other.lost or stage.trouble
        return
    try:
        assert client.recv(10) == b""
    except ConnectionResetError:
        pass
    stage.heard("closed")


OPERATIONS: dict[str, Operation] = {
    "make": make,
    "frame": frames(10),
    "frames": frames(0, 10, 300_000, 10),
    "descriptors": frames(10, 200_000, descriptors=2),
    "end": end,
    "message": message,
    "socket": socket,
    "deal": deal,
}

uvnet.next_tick(nothing)
main(OPERATIONS)
