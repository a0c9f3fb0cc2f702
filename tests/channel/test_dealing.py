"""Dealing connections out: who gets which, and where those go that nobody has taken."""

from __future__ import annotations

import os
import socket as plain
from collections.abc import Collection
from functools import partial
from typing import Any

import pytest
from descriptors import open_descriptors
from harness import Player
from waiting import turns, until

from uvnet._channel.channel import Channel, new_channel
from uvnet._channel.dealing import RoundRobin, deal_out, receive_dealt

DEALT, TAKEN = 16, 17
ACCEPTED_AT_ONCE = 16
MOST_UNSENT = 16


class Owner:
    def _abandoned(self) -> None:
        pass


def nothing(_error: Any) -> None:
    pass


def keep(descriptors: list[int], got: list[int]) -> None:
    got.extend(descriptors)
    descriptors.clear()


class Stage:
    """A dealer, and what those get that it deals to; some of them answer at once, others when the test says so."""

    def __init__(self, count: int, answering: Collection[int] = ()) -> None:
        listening = plain.create_server(("127.0.0.1", 0), backlog=300)
        self.port = listening.getsockname()[1]
        self.robin: RoundRobin = deal_out(listening.detach(), 300, plain.AF_INET, nothing)
        self.channels: list[Channel] = []
        self.shares: list[Any] = []
        self.got: list[list[int]] = []
        self.clients: list[plain.socket] = []
        for number in range(count):
            near, far = plain.socketpair()
            channel = new_channel(near.detach(), Owner(), nothing)
            self.channels.append(channel)
            self.shares.append(self.robin.share(channel, 7))
            got: list[int] = []
            self.got.append(got)
            end = new_channel(far.detach(), Owner(), nothing)
            end.carriers.add(DEALT)
            end.receivers[DEALT] = partial(self._was_dealt, end, got, number in answering)
            self.channels.append(end)
            channel.receivers[TAKEN] = lambda payload, _, number=number: self.shares[number].was_taken(payload[4:])

    def _was_dealt(self, end: Channel, got: list[int], answers: bool, payload: bytes, descriptors: list[int]) -> None:
        if answers:
            end.send(TAKEN, payload[:4] + b"\1" * len(descriptors))
        keep(descriptors, got)

    def connect(self, count: int) -> None:
        self.clients.extend(plain.create_connection(("127.0.0.1", self.port)) for _ in range(count))

    def counts(self) -> list[int]:
        return [len(got) for got in self.got]

    async def end(self, before: dict[int, str]) -> None:
        """All of it, and nothing is left open."""
        self.robin.close()
        for client in self.clients:
            client.close()
        for channel in self.channels:
            channel.disconnect()
        for descriptor in sum(self.got, []):
            os.close(descriptor)
        await turns()
        assert open_descriptors() == before


def test_each_gets_as_many(play: Player) -> None:
    async def scenario() -> None:
        await turns()
        before = open_descriptors()
        stage = Stage(4, range(4))
        for share in stage.shares:
            share.wants(True)
        stage.connect(80)
        await until(lambda: sum(stage.counts()) == 80)
        assert stage.counts() == [20] * 4
        assert [share.dealt for share in stage.shares] == [20] * 4
        await stage.end(before)

    play(scenario)


def test_what_was_not_taken_goes_to_another_one(play: Player) -> None:
    async def scenario() -> None:
        await turns()
        before = open_descriptors()
        stage = Stage(2)
        first, second = stage.shares
        first.wants(True)
        second.wants(True)
        stage.connect(10)
        await until(lambda: stage.counts() == [5, 5])
        # Of the first some are taken, one comes back, which says that no more are wanted, the others are left over.
        first.was_taken(b"\1\1\0")
        assert not first.ready
        # Who has not taken yet what it has got is busy.
        await turns(20)
        assert stage.counts() == [5, 5]
        second.was_taken(b"\1" * 5)
        await until(lambda: stage.counts() == [5, 6])
        first.gone()
        assert stage.robin.waiting == 3
        second.was_taken(b"\1")
        await until(lambda: stage.counts() == [5, 8])
        assert stage.robin.waiting == 2
        second.was_taken(b"\1" * 2)
        assert stage.robin.waiting == 0
        # More than there is makes no difference.
        second.was_taken(b"\1\0\1")
        first.gone()
        first.was_taken(b"\1")
        assert stage.robin.waiting == 0
        await stage.end(before)

    play(scenario)


def test_nobody_wants_any(play: Player) -> None:
    async def scenario() -> None:
        await turns()
        before = open_descriptors()
        stage = Stage(1)
        (share,) = stage.shares
        stage.connect(3)
        await turns(20)
        assert stage.robin.waiting == 0
        share.wants(True)
        await until(lambda: stage.counts() == [3])
        # While it is busy, the others stay in the backlog; then they come together.
        stage.connect(2 * ACCEPTED_AT_ONCE)
        await turns(20)
        assert stage.robin.waiting == 3
        share.was_taken(b"\1" * 3)
        await until(lambda: stage.counts() == [3 + ACCEPTED_AT_ONCE])
        await turns(20)
        assert stage.robin.waiting == ACCEPTED_AT_ONCE
        share.was_taken(b"\1" * ACCEPTED_AT_ONCE)
        await until(lambda: stage.counts() == [3 + 2 * ACCEPTED_AT_ONCE])
        left: list[None] = []
        share.leave(lambda: left.append(None))
        assert not left
        share.was_taken(b"\1" * ACCEPTED_AT_ONCE)
        assert left == [None]
        stage.connect(1)
        await turns(20)
        assert stage.counts() == [3 + 2 * ACCEPTED_AT_ONCE]
        await stage.end(before)

    play(scenario)


def test_few_wait_for_one_that_hangs(play: Player) -> None:
    async def scenario() -> None:
        await turns()
        before = open_descriptors()
        stage = Stage(2, [1])
        hanging, other = stage.shares
        hanging.wants(True)
        other.wants(True)
        stage.connect(200)
        await until(lambda: sum(stage.counts()) + MOST_UNSENT == 200)
        assert hanging.waiting <= ACCEPTED_AT_ONCE + MOST_UNSENT
        # Those that it has not been sent yet go to others, once it is to get no more.
        hanging.leave()
        await until(lambda: sum(stage.counts()) == 200)
        assert hanging.waiting == stage.counts()[0]
        await stage.end(before)

    play(scenario)


def test_what_cannot_be_sent_is_dealt_again(play: Player) -> None:
    async def scenario() -> None:
        await turns()
        before = open_descriptors()
        stage = Stage(2, [1])
        first, second = stage.shares
        first.wants(True)
        second.wants(True)
        stage.channels[0].disconnect()
        stage.connect(4)
        await until(lambda: stage.robin.waiting == 2)
        assert stage.counts() == [0, 2]
        assert first.waiting == 2
        first.gone()
        await until(lambda: stage.counts() == [0, 4])
        await stage.end(before)

    play(scenario)
    play.expected = len(play.reported)
    assert play.expected


@pytest.mark.parametrize("payload", [b"", b"\7", b"\7\0\0\0", b"\7\0\0\0\xff", b"\7\0\0\0\x10too short"])
def test_who_has_no_such_lease_refuses(play: Player, payload: bytes) -> None:
    async def scenario() -> None:
        near, far = plain.socketpair()
        ends = [new_channel(end.detach(), Owner(), nothing) for end in (near, far)]
        answers: list[bytes] = []
        ends[1].receivers[TAKEN] = lambda payload, _: answers.append(payload)
        reader, writer = os.pipe()
        descriptors = [reader, -1]
        if len(payload) < 4:
            with pytest.raises(OSError):
                receive_dealt(ends[0], {}, payload, descriptors)
        else:
            receive_dealt(ends[0], {}, payload, descriptors)
            await until(lambda: answers)
            assert answers == [b"\7\0\0\0\0\0"]
        # None was taken.
        assert descriptors == [reader, -1]
        os.close(reader)
        os.close(writer)
        for end in ends:
            end.disconnect()

    play(scenario)
