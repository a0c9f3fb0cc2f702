"""Messages and handles between two ports, both in this process: who has what, whatever happens on the way."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import re
import socket as plain
import struct
from typing import Any

import pytest
import uvloop
from descriptors import open_descriptors
from harness import Player
from ports import Heard, connection, two_ports
from waiting import turns, until, upcoming

import uvnet
from uvnet.processes.port import MOST_UNHEARD, PICKLE


async def count(server: uvnet.Server) -> int:
    found: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    server.get_connections(lambda _, number: found.set_result(number))
    return await found


def closed(*things: Any) -> None:
    for thing in things:
        (thing.close if isinstance(thing, plain.socket) else thing.destroy)()


def test_what_was_sent_is_there_before_the_end(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ports()
        heard = Heard(other)
        socket, far = connection()
        told: list[Any] = []
        one.send("first")
        one.send("socket", socket, told.append)
        one.send("last")
        one.disconnect()
        assert not one.connected
        await until(lambda: heard.disconnects)
        assert [message for message, _ in heard.messages] == ["first", "socket", "last"]
        # One end has it, and the other one has not got it back.
        assert told == [None]
        assert socket.pending
        received = heard.messages[1][1]
        received.write(b"here")
        assert await asyncio.to_thread(far.recv, 10) == b"here"
        received.destroy()
        assert await asyncio.to_thread(far.recv, 10) == b""
        far.close()

    play(scenario)


def test_who_does_not_get_a_socket_gives_it_back_with_what_it_had_received(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ports()
        socket, far = connection()
        far.send(b"early ")
        await until(lambda: socket.readable_length)
        told: list[Any] = []
        one.send("socket", socket, told.append)
        assert socket.pending
        assert socket.readable_length == 0
        # It goes before it has read anything.
        other._channel.disconnect()  # type: ignore[union-attr]
        await until(lambda: told)
        assert told[0].code == "ERR_IPC_CHANNEL_CLOSED"
        far.send(b"late")
        assert await socket.read_exactly(10) == b"early late"
        socket.write(b"answer")
        assert await asyncio.to_thread(far.recv, 10) == b"answer"
        closed(socket, far)

    play(scenario)


def test_a_socket_that_was_destroyed_on_its_way_is_not_opened_again(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ports()
        socket, far = connection()
        one.send("socket", socket)
        socket.destroy()
        other._channel.disconnect()  # type: ignore[union-attr]
        await until(lambda: not one.connected)
        assert await asyncio.to_thread(far.recv, 10) == b""
        far.close()

    play(scenario)


def test_a_server_counts_a_connection_that_was_sent_on_and_back(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ports()
        heard, back = Heard(other), Heard(one)
        server = uvnet.create_server(pause_on_connect=True).listen(0)
        arrived = upcoming(server, "connection")
        client = uvnet.connect(server.address().port, "127.0.0.1")
        (socket,) = await arrived
        one.send("there", socket)
        await until(lambda: heard.messages)
        other.send("back", heard.messages[0][1])
        await until(lambda: back.messages)
        assert await count(server) == 1
        server.close()
        # It is neither of the sockets that had it before.
        heard.messages[0][1].destroy()
        socket.destroy()
        other.send("still there")
        await until(lambda: len(back.messages) == 2)
        assert await count(server) == 1
        over = upcoming(server, "close")
        back.messages[0][1].destroy()
        await over
        client.destroy()
        one.disconnect()
        await until(lambda: not other.connected)

    play(scenario)


class Unloadable:
    def __reduce__(self) -> Any:
        return int, ("this is no number",)


def test_pickle_and_a_message_that_cannot_be_loaded(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ports(PICKLE)
        heard = Heard(other)
        one.send({1, 2})
        await until(lambda: heard.messages)
        assert heard.messages == [({1, 2}, None)]
        socket, far = connection()
        told: list[Any] = []
        one.send(Unloadable(), socket, told.append)
        await until(lambda: told)
        assert told[0].errno == errno.EPROTO
        socket.write(b"mine again")
        assert await asyncio.to_thread(far.recv, 10) == b"mine again"
        closed(socket, far)
        one.disconnect()
        await until(lambda: heard.disconnects)

    play(scenario)
    play.expect_report(ValueError)


def test_messages_wait_for_a_listener_up_to_a_limit(play: Player, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        one, other = two_ports()
        for number in range(MOST_UNHEARD):
            one.send(number)
        socket, far = connection()
        plain_socket, far_of_plain = plain.socketpair()
        one.send("too much", socket)
        one.send("too much", plain_socket)
        assert await asyncio.to_thread(far.recv, 10) == b""
        plain_socket.close()
        assert await asyncio.to_thread(far_of_plain.recv, 10) == b""
        heard = Heard(other)
        one.send("now")
        await until(lambda: len(heard.messages) == MOST_UNHEARD + 1)
        assert [message for message, _ in heard.messages] == [*range(MOST_UNHEARD), "now"]
        closed(far, far_of_plain)
        one.disconnect()
        await until(lambda: heard.disconnects)

    play(scenario)
    assert caplog.text.count("has no 'message' listener") == 2


def test_a_listener_that_raises_holds_up_nothing(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ports()
        for number in range(3):
            one.send(number)
        await turns(20)
        got: list[Any] = []

        def raises_at_first(message: Any, _handle: Any) -> None:
            got.append(message)
            if message == 0:
                raise ValueError("not this one")

        other.on("message", raises_at_first)
        one.send("late")
        await until(lambda: len(got) == 4)
        assert got == [0, 1, 2, "late"]
        one.disconnect()
        await until(lambda: not other.connected)

    play(scenario)
    play.expect_report(ValueError)


def test_who_repeats_messages_listens_too(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ports()
        repeater = uvnet.EventEmitter()
        other._observe("message", lambda *given: repeater.emit("message", *given))
        other._repeated_by(repeater)
        one.send("early")
        await turns(20)
        got: list[Any] = []
        repeater.on("message", lambda message, _: got.append(message))
        one.send("late")
        await until(lambda: len(got) == 2)
        assert got == ["early", "late"]
        one.disconnect()
        await until(lambda: not other.connected)

    play(scenario)


def test_a_listener_may_disconnect_and_others_keep_their_messages(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ports()
        for number in range(3):
            one.send(number)
        got: list[Any] = []

        def listener(message: Any, _handle: Any) -> None:
            got.append(message)
            if other.connected:
                other.disconnect()

        other.on("message", listener)
        await until(lambda: not one.connected)
        assert got == [0, 1, 2]

    play(scenario)


BAD: dict[str, Any] = {
    "a message": (lambda port, socket: port.send(object(), socket), TypeError),
    "a circle": (lambda port, socket: port.send((circle := [], circle.append(circle))[0], socket), ValueError),
    "a handle": (lambda port, socket: port.send(1, object()), TypeError),
    "a number as handle": (lambda port, socket: port.send(1, 3), TypeError),
    "options": (lambda port, socket: port.send(1, socket, 3), TypeError),
    "a callback": (lambda port, socket: port.send(1, socket, None, 3), TypeError),
    "a closed plain socket": (lambda port, socket: port.send(1, closed_plain()), RuntimeError),
    "a server that does not listen": (lambda port, socket: port.send(1, uvnet.Server()), RuntimeError),
    "a socket without a connection": (lambda port, socket: port.send(1, uvnet.Socket()), RuntimeError),
    "a message too long": (lambda port, socket: port.send("x" * (64 << 20), socket), RuntimeError),
}  # fmt: skip


def closed_plain() -> plain.socket:
    made = plain.socket()
    made.close()
    return made


@pytest.mark.parametrize("what", BAD)
def test_bad_input_changes_nothing(play: Player, what: str) -> None:
    call, kind = BAD[what]

    async def scenario() -> None:
        one, other = two_ports()
        heard = Heard(other)
        socket, far = connection()
        before = open_descriptors()
        with pytest.raises(kind):
            call(one, socket)
        assert open_descriptors() == before
        assert not socket.pending
        socket.write(b"mine")
        assert await asyncio.to_thread(far.recv, 10) == b"mine"
        one.send("next")
        await until(lambda: heard.messages)
        assert heard.messages == [("next", None)]
        closed(socket, far)
        one.disconnect()
        await until(lambda: heard.disconnects)

    play(scenario)


def test_a_handle_of_another_loop(play: Player) -> None:
    async def scenario() -> None:
        loop = uvloop.new_event_loop()
        one, other = two_ports()

        async def theirs() -> Any:
            return connection()

        try:
            socket, far = await asyncio.to_thread(loop.run_until_complete, theirs())
            with pytest.raises(RuntimeError) as caught:
                one.send(1, socket)
            far.close()
            assert re.search("belongs to another event loop|an event loop of another thread", str(caught.value))
        finally:
            loop.close()
        one.disconnect()
        await until(lambda: not other.connected)

    play(scenario)


def test_what_a_callback_raises_is_reported_and_others_are_called(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ports()
        told: list[Any] = []
        done = asyncio.Event()

        def raising(_error: Any) -> None:
            raise ZeroDivisionError

        async def later(error: Any) -> None:
            told.append(error)
            done.set()

        one.send(1, raising)
        one.send(2, later)
        await done.wait()
        assert told == [None]
        one.disconnect()
        await until(lambda: not other.connected)

    play(scenario)
    play.expect_report(ZeroDivisionError)


# Length, kind and number of descriptors, as in _channel/channel.pyx.
def frame(kind: int, payload: bytes, descriptors: int = 0) -> bytes:
    return struct.pack("=IHH", len(payload), kind, descriptors) + payload


HANDLE = b"\0\0\0\x02\0\0\0\0{}1"
GARBAGE: dict[str, tuple[bytes, int, bool]] = {
    # What is written, with how many descriptors, and whether that is the end of the channel.
    "no kind there is": (frame(99, b""), 0, True),
    "too long": (struct.pack("=IHH", 1 << 31, 1, 0), 0, True),
    "text": (b"GET / HTTP/1.1\r\n\r\n", 0, True),
    "more descriptors than a frame can have": (frame(2, HANDLE, 65535), 1, True),
    "descriptors where none belong": (frame(1, b"1", 2), 2, True),
    "no JSON": (frame(1, b"\xff{"), 0, False),
    "no JSON inside": (frame(3, b"]"), 0, False),
    "nothing to act on": (frame(3, b'{"act":"nothing"}', 2), 2, False),
    "an answer to nothing": (frame(3, b'{"act":"got","number":7}'), 0, False),
    "a handle without a number": (frame(2, HANDLE, 1), 1, False),
    "a handle that says nothing": (frame(2, b"", 1), 1, False),
    "a handle of no kind": (frame(2, b'\0\0\0\x1a\0\0\0\0{"number":1,"type":"none"}1', 1), 1, False),
    "a handle that is no socket": (frame(2, b'\0\0\0\x1b\0\0\0\0{"number":1,"type":"plain"}1', 3), 3, False),
}  # fmt: skip


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_leaves_nothing_open(play: Player, what: str) -> None:
    data, count, ends = GARBAGE[what]

    async def scenario() -> None:
        near, far = plain.socketpair()
        one = uvnet.processes.MessagePort()
        before = set(open_descriptors())
        one._open(near.detach())
        heard = Heard(one)
        reader, writer = os.pipe()
        plain.send_fds(far, [data], [reader] * count)
        os.close(reader)
        if not ends:
            far.send(frame(1, b'"sound"'))
            await until(lambda: heard.messages)
            assert heard.messages == [("sound", None)]
            far.close()
        await until(lambda: heard.disconnects)
        far.close()
        # Nobody has the other end of the pipe any more.
        with pytest.raises(BrokenPipeError):
            os.write(writer, b"x")
        os.close(writer)
        await asyncio.sleep(0)
        assert set(open_descriptors()) <= before

    play(scenario)
    play.expected = len(play.reported)
    assert play.expected <= 1


def test_a_descriptor_that_somebody_else_closes(play: Player) -> None:
    async def scenario() -> None:
        one, other = two_ports()
        heard, far = Heard(one), Heard(other)
        socket, peer = connection()
        told: list[Any] = []
        os.close(one._channel.descriptor)  # type: ignore[union-attr]
        one.send("socket", socket, told.append)
        await until(lambda: heard.disconnects and far.disconnects)
        assert told[0] is not None
        assert not socket.pending
        closed(socket, peer)

    play(scenario)


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_called_from_listeners(play: Player, seed: int) -> None:
    chance = random.Random(seed)

    async def scenario() -> None:
        ports = two_ports()
        left = 60
        callbacks = [0, 0]  # promised, kept
        things: list[Any] = []

        def called(_error: Any) -> None:
            callbacks[1] += 1
            act()

        def act() -> None:
            nonlocal left
            left -= 1
            if left < 0:
                return
            port = chance.choice(ports)
            what = chance.randrange(12)
            try:
                if what < 4:
                    callbacks[0] += 1
                    port.send("x" * chance.choice((1, 10, 200_000)), called)
                elif what < 7:
                    socket, far = connection()
                    things.extend((socket, far))
                    callbacks[0] += 1
                    port.send("socket", socket, {"keep_open": chance.random() < 0.3}, called)
                elif what < 9 and things:
                    thing = chance.choice(things)
                    if isinstance(thing, uvnet.Socket):
                        callbacks[0] += 1
                        port.send("again", thing, called)
                elif what == 9 and left < 20:
                    port.disconnect()
                elif what == 10 and left < 10:
                    port._channel.disconnect()  # type: ignore[union-attr]
                else:
                    port.unref()
            except RuntimeError:
                # Closed, or on its way.
                callbacks[0] -= 1

        for port in ports:
            port.on("error", lambda _: act())
            port.on("disconnect", act)
            port.on("message", lambda _, handle: (things.append(handle) if handle else None, act()))
        while left > 0:
            act()
            await asyncio.sleep(0)
        for port in ports:
            if port.connected:
                port.disconnect()
        await until(lambda: not any(port._channel.is_open for port in ports))  # type: ignore[union-attr]
        await asyncio.sleep(0.001)
        assert callbacks[0] == callbacks[1]
        for thing in things:
            closed(thing)

    play(scenario)
