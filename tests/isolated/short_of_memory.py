"""short_of_memory.py OPERATION ALLOCATOR [FIRST]: what sockets and servers do, with each allocation failing once."""

from __future__ import annotations

import contextlib
import os
import socket as plain
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shortage import Operation, Short, Stage, Steps, loop, main

import uvnet
import uvnet.tls
from uvnet.server.scope import LISTEN_FAILED
from uvnet.socket.relaying import _enable

BULK = bytes(range(256)) * 4096  # 1 MiB
SPARES = 70  # more write requests than are kept


def nothing() -> None:
    pass


def accepting(**options: Any) -> Operation:
    def accept(stage: Stage, number: int) -> Steps:
        server = stage.keep(uvnet.create_server(stage.keep, **options)).listen(0, "127.0.0.1")
        given_up: list[None] = []
        server.on(LISTEN_FAILED, lambda: given_up.append(None))
        while not server.listening:
            yield
        client = plain.create_connection(("127.0.0.1", server.address().port))
        stage.things.append(client)
        with Short(stage, number):
            yield from stage.settle()
        # A connection is lost, the server is not.
        assert not given_up

    return accept


def connect_tcp(stage: Stage, number: int) -> Steps:
    listening = plain.create_server(("127.0.0.1", 0))
    stage.things.append(listening)
    client = stage.keep(uvnet.Socket())
    with Short(stage, number):
        client.connect(listening.getsockname()[1], "127.0.0.1")
        yield from stage.settle()


def connect_unix(stage: Stage, number: int) -> Steps:
    listening = plain.socket(plain.AF_UNIX)
    listening.bind(f"\0uvnet-short-{os.getpid()}-{number}")
    listening.listen()
    stage.things.append(listening)
    client = stage.keep(uvnet.Socket())
    with Short(stage, number):
        client.connect(f"\0uvnet-short-{os.getpid()}-{number}")
        yield from stage.settle()


def look_up(stage: Stage, number: int) -> Steps:
    listening = plain.create_server(("127.0.0.1", 0))
    stage.things.append(listening)
    client = stage.keep(uvnet.Socket())
    with Short(stage, number):
        client.connect(listening.getsockname()[1], "localhost")
        yield from stage.settle()


def adopt_socket(stage: Stage, number: int) -> Steps:
    ours, theirs = plain.socketpair()
    stage.things.extend((ours, theirs))
    with Short(stage, number):
        stage.keep(uvnet.Socket(handle=ours))
    yield
    if ours.fileno() != -1:
        # It stayed whole.
        ours.send(b"x")
        assert theirs.recv(1) == b"x"


def adopt_descriptor(stage: Stage, number: int) -> Steps:
    ours, theirs = plain.socketpair()
    stage.things.append(theirs)
    descriptor = ours.detach()
    taken = False
    with Short(stage, number):
        stage.keep(uvnet.Socket(fd=descriptor))
        taken = True
    if not taken:
        os.close(descriptor)
    yield


def take_over(stage: Stage, number: int) -> Steps:
    first, theirs = stage.pair()
    theirs.send(b"unread")
    first.on("readable", nothing)
    yield from stage.settle()
    taken = False
    second = None
    with Short(stage, number):
        second = uvnet.Socket(handle=first)
        taken = True
    if taken:
        stage.keep(second)
    else:
        assert not first.pending or first.destroyed


def listen_tcp(stage: Stage, number: int) -> Steps:
    server = stage.keep(uvnet.create_server())
    with Short(stage, number):
        server.listen(0)
        yield from stage.settle(turns=4)


def listen_unix(stage: Stage, number: int) -> Steps:
    server = stage.keep(uvnet.create_server())
    path = os.path.join(os.environ["DIRECTORY"], f"socket-{number}")
    with Short(stage, number):
        server.listen(path)
        yield from stage.settle(turns=4)
    if not server.listening:
        assert not os.path.exists(path)


def listen_given(stage: Stage, number: int) -> Steps:
    given = plain.create_server(("127.0.0.1", 0))
    stage.things.append(given)
    server = stage.keep(uvnet.create_server())
    with Short(stage, number):
        server.listen(given)
        yield from stage.settle(turns=4)
    assert (given.fileno() == -1) == server.listening


def listen_server(stage: Stage, number: int) -> Steps:
    given = stage.keep(uvnet.create_server()).listen(0)
    server = stage.keep(uvnet.create_server())
    with Short(stage, number):
        server.listen(given)
        yield from stage.settle(turns=4)


def read(stage: Stage, number: int) -> Steps:
    socket, theirs = stage.pair()
    socket.on("data", stage.received.extend)
    yield from stage.settle(turns=2)
    stage.sent = BULK[:50_000]
    theirs.send(stage.sent)
    with Short(stage, number):
        yield from stage.settle()


def read_much(stage: Stage, number: int) -> Steps:
    socket, theirs = stage.pair()
    socket.on("data", stage.received.extend)
    yield from stage.settle(turns=2)
    stage.sent = BULK
    sending = send_in_thread(theirs, stage.sent)
    with Short(stage, number):
        yield from stage.settle()
    while sending.is_alive():
        if socket.destroyed:
            stage.heard("destroyed")
            cut(theirs)
        yield
    yield from stage.settle()


def send_in_thread(theirs: plain.socket, data: bytes) -> threading.Thread:
    def send() -> None:
        with contextlib.suppress(OSError):
            theirs.sendall(data)

    theirs.setblocking(True)
    thread = threading.Thread(target=send)
    thread.start()
    return thread


def cut(theirs: plain.socket) -> None:
    with contextlib.suppress(OSError):
        theirs.shutdown(plain.SHUT_RDWR)


def iterate(stage: Stage, number: int) -> Steps:
    socket, theirs = stage.pair()
    stage.sent = BULK[:50_000]
    theirs.send(stage.sent)
    theirs.shutdown(plain.SHUT_WR)

    async def take() -> None:
        async for chunk in socket:
            stage.received.extend(chunk)

    taking = loop.create_task(take())
    with Short(stage, number):
        yield from stage.settle()
    if not taking.done() or taking.exception() is not None:
        # asyncio's own steps need memory too.
        stage.heard("not taken")
    taking.cancel()


def receive_file(stage: Stage, number: int) -> Steps:
    socket, theirs = stage.pair()
    file = tempfile.TemporaryFile(buffering=0)
    stage.things.append(file)
    stage.sent = BULK[:50_000]
    theirs.send(stage.sent)
    theirs.shutdown(plain.SHUT_WR)
    receiving = loop.create_task(socket.receive_file(file, len(stage.sent)))
    with Short(stage, number):
        yield from stage.settle()
    if not receiving.done() or receiving.exception() is not None:
        stage.heard("not received")
    receiving.cancel()
    # Part of what was received may be lost with the socket, and none of it twice.
    stage.received.extend(os.pread(file.fileno(), len(BULK), 0))


def writing(*sizes: int, callbacks: bool = False, after: int = 1) -> Callable[[Stage, int], Steps]:
    def write(stage: Stage, number: int) -> Steps:
        socket, theirs = stage.pair()
        yield from stage.settle(turns=1)
        calls: list[list[Any]] = []
        offset = 0
        with Short(stage, number):
            for _ in range(after):
                for size in sizes:
                    chunk = BULK[offset : offset + size] if size < len(BULK) else BULK
                    called: list[Any] = []
                    if callbacks:
                        socket.write(chunk, called.append)
                        calls.append(called)
                    else:
                        socket.write(chunk)
                    stage.sent += chunk
                    offset = (offset + size) % 1000
            socket.end()
        yield from stage.settle(theirs, turns=30)
        if not stage.trouble:
            assert all(called == [None] for called in calls), calls
        socket.destroy()
        yield from stage.settle(turns=2)
        assert all(len(called) <= 1 for called in calls), calls
        assert not socket.closed or not any(not called for called in calls), calls

    return write


def write_without_spares(stage: Stage, number: int) -> Steps:
    """Requests are kept for another use; here all of those are in use."""
    socket, theirs = stage.pair()
    others = [stage.pair()[0] for _ in range(SPARES)]
    yield from stage.settle(turns=1)
    for other in others:
        other.write(b"x", lambda error: None)
    stage.sent = BULK
    with Short(stage, number):
        socket.write(BULK)
    yield from stage.settle(theirs, turns=30)


def write_refused(stage: Stage, number: int) -> Steps:
    """What the system refuses only when the turn ends is not lost in silence."""
    socket, theirs = stage.pair(allow_half_open=True)
    theirs.close()
    yield from stage.settle()
    with Short(stage, number):
        socket.write(b"x")
        socket.write(b"y", lambda error: None)
        yield from stage.settle(turns=4)
    assert stage.trouble


def close(stage: Stage, number: int) -> Steps:
    socket, _ = stage.pair()
    socket.write(b"x")
    closed: list[Any] = []
    socket.on("close", closed.append)
    with Short(stage, number):
        socket.destroy()
        yield from stage.settle(turns=4)
    socket.destroy()
    yield from stage.settle(turns=2)
    assert len(closed) <= 1


def close_server(stage: Stage, number: int) -> Steps:
    server = stage.keep(uvnet.create_server()).listen(0)
    with Short(stage, number):
        server.close()
        yield from stage.settle(turns=4)


def relaying(when: str, how: str) -> Callable[[Stage, int], Steps]:
    """`when` memory is short: when the relay is made, while it runs, when it is left; `how` much is on its way."""

    def relay(stage: Stage, number: int) -> Steps:
        source, theirs = stage.pair()
        sink, reader = stage.pair()
        stage.sent = BULK * (4 if how == "much" else 1)
        sending = send_in_thread(theirs, stage.sent)
        # Much longer than a busy machine needs.
        deadline = time.monotonic() + 30
        source.pipe(sink)
        if when == "made":
            with Short(stage, number):
                yield from stage.settle(reader)
        else:
            yield from stage.settle(turns=4)
            if how == "much":
                # Enough at once for a kernel pipe.
                for _ in range(10):
                    stage.read(reader)
                    yield
            assert source._relayed
            with Short(stage, number):
                if when == "left":
                    # A look at it ends the relay.
                    sink.write(b"")
                    source.on("pause", nothing)
                    _ = sink.writable_length
                yield from stage.settle(reader)
        while time.monotonic() < deadline:
            stage.read(reader)
            yield
            if source.destroyed or sink.destroyed:
                break
            if len(stage.received) >= len(stage.sent):
                break
        assert time.monotonic() < deadline, "it has stopped, and nobody was told"
        if source.destroyed or sink.destroyed:
            stage.heard("destroyed")
        cut(theirs)
        while sending.is_alive():
            stage.read(reader)
            yield
        yield from stage.settle(reader)

    return relay


def proxy(stage: Stage, number: int) -> Steps:
    upstream = stage.keep(uvnet.create_server(lambda socket: stage.keep(socket).pipe(socket))).listen(0, "127.0.0.1")
    while not upstream.listening:
        yield
    server = stage.keep(uvnet.create_proxy(f"127.0.0.1:{upstream.address().port}")).listen(0, "127.0.0.1")
    server.on("upstreamError", stage.heard)
    while not server.listening:
        yield
    client = plain.create_connection(("127.0.0.1", server.address().port))
    client.setblocking(False)
    stage.things.append(client)
    stage.sent = b"through the proxy"
    client.send(stage.sent)
    with Short(stage, number):
        yield from stage.settle(client)
    yield from stage.settle(client, turns=20)
    if len(stage.received) < len(stage.sent):
        # Then its end has come.
        try:
            rest = client.recv(100)
            assert rest == b"", rest
            stage.heard("closed")
        except BlockingIOError:
            raise AssertionError(("neither the answer nor an end", stage.trouble, stage.things)) from None
        except ConnectionResetError:
            stage.heard("reset")


def _contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    directory = Path(os.environ["CERTIFICATES"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(directory / "server.pem")
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(directory / "authority.pem")
    return server, client


def secure(when: str) -> Callable[[Stage, int], Steps]:
    """Memory is short in the handshake, or in what comes after it; nothing waits for ever."""
    contexts: list[ssl.SSLContext] = []

    def talk(stage: Stage, number: int) -> Steps:
        contexts[:] = contexts or _contexts()
        server = stage.keep(uvnet.tls.create_server(lambda socket: stage.keep(socket).pipe(socket), context=contexts[0]))
        server.on("tlsClientError", lambda error, socket: stage.heard(error))
        server.listen(0, "127.0.0.1")
        while not server.listening:
            yield
        stage.sent = BULK[:50_000]
        client: Any = None

        def connect() -> None:
            nonlocal client
            client = stage.keep(uvnet.tls.connect(server.port, "localhost", context=contexts[1]))
            client.on("data", stage.received.extend)

        if when == "handshake":
            with Short(stage, number):
                connect()
                client.end(stage.sent)
                yield from stage.settle()
        else:
            connect()
            while client.secure_connecting:
                yield
            with Short(stage, number):
                client.end(stage.sent)
                yield from stage.settle()
        for _ in range(200):
            if client is None or client.closed:
                break
            yield
        if client is not None and not client.closed:
            # The other end may have lost what it had to say.
            assert stage.trouble, client

    return talk


OPERATIONS: dict[str, Operation] = {
    "accept": accepting(),
    "accept-limited": accepting(preset="internet", max_lifetime=60),
    "connect-tcp": connect_tcp,
    "connect-unix": connect_unix,
    "look-up": look_up,
    "adopt-socket": adopt_socket,
    "adopt-descriptor": adopt_descriptor,
    "take-over": take_over,
    "listen-tcp": listen_tcp,
    "listen-unix": listen_unix,
    "listen-given": listen_given,
    "listen-server": listen_server,
    "read": read,
    "read-much": read_much,
    "iterate": iterate,
    "receive-file": receive_file,
    "write": writing(10),
    "write-many": writing(10, 20, 30, after=5),
    "write-callbacks": writing(10, 20, 30, callbacks=True, after=3),
    "write-much": writing(10, 1 << 20, 20, callbacks=True),
    "write-without-spares": write_without_spares,
    "write-refused": write_refused,
    "close": close,
    "close-server": close_server,
    "relay-made": relaying("made", "little"),
    "relay-running": relaying("running", "little"),
    "relay-left": relaying("left", "little"),
    "splice": relaying("running", "much"),
    "splice-left": relaying("left", "much"),
    "proxy": proxy,
    "tls-handshake": secure("handshake"),
    "tls-echo": secure("echo"),
}

_enable(True)
main(OPERATIONS)
