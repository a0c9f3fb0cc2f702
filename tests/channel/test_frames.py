"""Frames of a channel, and the descriptors that go with them."""

from __future__ import annotations

import os
import socket as plain
from typing import Any

import pytest
from harness import Player
from waiting import until

from uvnet._channel.channel import Channel, new_channel


class Owner:
    def _abandoned(self) -> None:
        pass


class End:
    """One end of a channel, and what has come there."""

    def __init__(self, descriptor: int) -> None:
        self.got: list[tuple[bytes, list[int]]] = []
        self.lost: list[Exception | None] = []
        self.channel: Channel = new_channel(descriptor, Owner(), self.lost.append)
        self.channel.receivers[1] = self.received
        self.channel.carriers.add(1)

    def received(self, payload: bytes, descriptors: list[int]) -> None:
        self.got.append((payload, descriptors.copy()))
        descriptors.clear()


def two_ends() -> tuple[End, End]:
    near, far = plain.socketpair()
    return End(near.detach()), End(far.detach())


def test_frames_arrive_whole_and_in_order(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ends()
        payloads = [b"", b"a", b"b" * 100, b"c" * 3_000_000, b"", b"d" * 70_000]
        told: list[Any] = []
        for payload in payloads:
            one.channel.send(1, payload, (), told.append)
        await until(lambda: len(other.got) == len(payloads))
        assert other.got == [(payload, []) for payload in payloads]
        assert told == [None] * len(payloads)
        assert one.channel.queued == 0
        one.channel.disconnect()
        await until(lambda: other.lost == [None])
        assert one.lost == [None]

    play(scenario)


def test_descriptors_come_with_their_frame(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ends()
        pipes = [os.pipe() for _ in range(6)]
        readers = [reader for reader, _ in pipes]
        one.channel.send(1, b"two", readers[:2])
        one.channel.send(1, b"none")
        one.channel.send(1, b"three" * 50_000, readers[2:5])
        one.channel.send(1, b"one", readers[5:])
        await until(lambda: len(other.got) == 4)
        assert [len(descriptors) for _, descriptors in other.got] == [2, 0, 3, 1]
        received = [descriptor for _, descriptors in other.got for descriptor in descriptors]
        for number, (reader, writer) in enumerate(pipes):
            os.write(writer, b"%d" % number)
            assert os.read(received[number], 10) == b"%d" % number
            assert not os.get_inheritable(received[number])
            for descriptor in (reader, writer, received[number]):
                os.close(descriptor)
        one.channel.disconnect()
        await until(lambda: other.lost != [])

    play(scenario)


def test_what_is_not_sent_is_told(play: Player) -> None:
    async def scenario() -> None:
        near, far = plain.socketpair()
        end = End(near.detach())
        told: list[Any] = []
        while end.channel.send(1, b"x" * 50_000, (), told.append):
            end.channel.send_now()
        sent = len(told)
        far.close()
        await until(lambda: end.lost != [])
        assert len(told) > sent
        assert {type(error).__name__ for error in told[sent:]} == {"NetRuntimeError"}
        with pytest.raises(RuntimeError, match="Channel closed"):
            end.channel.send(1, b"")

    play(scenario)


def test_what_waits_is_bounded(play: Player) -> None:
    async def scenario() -> None:
        near, far = plain.socketpair()
        end = End(near.detach())
        payload = b"x" * (64 << 20)
        with pytest.raises(RuntimeError) as caught:
            end.channel.send(1, payload + b"x")
        assert caught.value.code == "ERR_IPC_CHANNEL_FULL"  # type: ignore[attr-defined]
        assert end.channel.queued == 0
        with pytest.raises(RuntimeError):
            end.channel.send(1, b"", range(251))
        assert not any(end.channel.send(1, payload) for _ in range(2))
        with pytest.raises(RuntimeError):
            end.channel.send(1, b"")
        # What the processes must say to each other is bounded elsewhere.
        assert not end.channel.send(1, b"", must=True)
        end.channel.disconnect()
        far.close()

    play(scenario)


def test_what_has_come_is_heard_where_the_other_end_has_not_read_everything(play: Player) -> None:
    async def scenario() -> None:
        near, far = plain.socketpair()
        end = End(near.detach())
        end.channel.send(1, b"never read")
        end.channel.send_now()
        far.send(b"\1\0\0\0\1\0\0\0a" + b"\1\0\0\0\1\0\0\0b")
        # The socket has an error from now on.
        far.close()
        told: list[Any] = []
        end.channel.send(1, b"never sent", (), told.append)
        await until(lambda: end.lost)
        assert end.got == [(b"a", []), (b"b", [])]
        assert end.lost == [None]
        assert len(told) == 1

    play(scenario)


def test_the_last_words_of_a_process(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ends()
        for number in range(50):
            one.channel.send(1, b"%d" % number * 20_000)
        one.channel.send_now()
        queued = one.channel.queued
        # Somebody else has that end too, and it stays open.
        other.channel.finish()
        assert other.lost == [None]
        assert 0 < len(other.got) < 50
        assert queued > 0
        await until(lambda: one.lost)

    play(scenario)


def test_what_the_receiver_does_not_take_is_closed(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ends()
        pipes = [os.pipe() for _ in range(3)]

        def receiver(_payload: bytes, descriptors: list[int]) -> None:
            taken.append(descriptors[1])
            descriptors[1] = -1
            raise ZeroDivisionError

        taken: list[int] = []
        other.channel.receivers[1] = receiver
        one.channel.send(1, b"", [reader for reader, _ in pipes], lambda _: [os.close(reader) for reader, _ in pipes])
        await until(lambda: taken)
        await until(lambda: play.reported)
        for number, (_, writer) in enumerate(pipes):
            if number == 1:
                os.write(writer, b"x")
            else:
                with pytest.raises(BrokenPipeError):
                    os.write(writer, b"x")
            os.close(writer)
        assert os.read(taken[0], 10) == b"x"
        os.close(taken[0])
        one.channel.disconnect()
        await until(lambda: other.lost)

    play(scenario)
    play.expect_report(ZeroDivisionError)
