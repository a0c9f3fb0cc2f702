"""short_of_memory_transports.py OPERATION ALLOCATOR [FIRST]: what transports do, with each allocation failing once.

Besides what shortage.py asserts: connection_lost() came once where connection_made() had been called, whoever is
at the other end has an answer or an end, and a server has served the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket as plain
import ssl
import tempfile
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from shortage import Operation, Short, Stage, Steps, loop, main

BULK = bytes(range(256)) * 4096  # 1 MiB
WORD = b"what is to be echoed"
TURNS = 60

certificates = os.environ["CERTIFICATES"]
serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
serving.load_cert_chain(os.path.join(certificates, "server.pem"))
# A ticket would be what the peer has not read when it closes.
serving.num_tickets = 0
trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
trusting.load_verify_locations(os.path.join(certificates, "authority.pem"))


class Hears(asyncio.BaseProtocol):
    """Echoes; counts its beginnings and its ends without an allocation that could fail."""

    def __init__(self, stage: Stage, answers: bool = True) -> None:
        self.stage = stage
        self.answers = answers
        self.transport: Any = None
        self.losses: deque[Any] = deque()
        self.connection_lost = self.losses.append  # type: ignore[assignment, method-assign]
        stage.afterwards.append(self.check)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.stage.things.append(transport)

    def got(self, data: bytes) -> None:
        if self.answers:
            self.transport.write(data)
        else:
            self.stage.received += data

    def check(self) -> None:
        lost = len(self.losses)
        assert lost == 1 or (lost == 0 and self.transport is None), (lost, self.transport, self.stage.trouble)
        if lost and self.losses[0] is not None:
            self.stage.heard("lost", self.losses[0])


class Plain(Hears, asyncio.Protocol):
    def data_received(self, data: bytes) -> None:
        self.got(data)


class Buffered(Hears, asyncio.BufferedProtocol):
    def get_buffer(self, sizehint: int) -> Any:
        self.buffer = bytearray(1000)
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.got(bytes(self.buffer[:nbytes]))


class Peer:
    """A socket of Python's at the other end, with TLS or without; it does something when it is pumped."""

    def __init__(self, stage: Stage, connection: plain.socket, context: ssl.SSLContext | None = None) -> None:
        connection.setblocking(False)
        stage.things.append(connection)
        self.connection = connection
        self.received = bytearray()
        self.unsent = bytearray()
        self.over = False
        self.tls: ssl.SSLObject | None = None
        if context is not None:
            self.begin_tls(context)

    def begin_tls(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        is_server = context is serving
        name = None if is_server else "localhost"
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=is_server, server_hostname=name)

    def send(self, data: bytes) -> None:
        self.unsent += data
        self.pump()

    def pump(self) -> None:
        """Take what has come, send what can be sent."""
        try:
            self.take()
        except BlockingIOError:
            pass
        except OSError:
            self.over = True
        with contextlib.suppress(OSError):
            if self.tls is None:
                del self.unsent[: self.connection.send(self.unsent)]
                return
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                if self.unsent:
                    del self.unsent[: self.tls.write(self.unsent)]
            while self.outgoing.pending:
                self.connection.send(self.outgoing.read(10_000))

    def take(self) -> None:
        while chunk := self.connection.recv(1 << 18):
            if self.tls is None:
                self.received += chunk
                continue
            self.incoming.write(chunk)
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                while chunk := self.tls.read(1 << 18):
                    self.received += chunk
                self.over = True
        self.over = True

    def end(self) -> None:
        """Say that nothing more will come."""
        if self.tls is not None:
            with contextlib.suppress(ssl.SSLError):
                self.tls.unwrap()
            self.pump()
        with contextlib.suppress(OSError):
            self.connection.shutdown(plain.SHUT_WR)

    def pumped(self, turns: int = 14) -> Steps:
        for _ in range(turns):
            self.pump()
            yield

    def until(self, condition: Callable[[], bool], stage: Stage) -> Steps:
        """Until something is true, or the end has come."""
        for _ in range(1000):
            self.pump()
            if condition() or self.over:
                return
            yield
        raise AssertionError(("neither an answer nor an end", bytes(self.received[:100]), stage.trouble, stage.things))


def done(stage: Stage, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task, whose failure is heard of."""

    def over(task: asyncio.Task[Any]) -> None:
        if task.cancelled() or task.exception() is not None:
            # Not the task itself, which holds the frames of what has failed.
            stage.heard("task", repr(task))

    task: asyncio.Task[Any] = loop.create_task(coroutine)
    task.add_done_callback(over)
    return task


def until_done(stage: Stage, task: asyncio.Task[Any], peer: Peer | None = None) -> Steps:
    for turn in range(1000):
        if peer is not None:
            peer.pump()
        if task.done():
            return
        waiter = task._fut_waiter  # type: ignore[attr-defined]
        if turn > 100 and waiter is not None and waiter.done():
            # set_result() of asyncio's own had no memory to wake the task: nobody can.
            stage.heard("never woken")
            task.get_coro().close()
            return
        yield
    raise AssertionError(("for ever", task))


def succeeded(task: asyncio.Task[Any]) -> bool:
    return task.done() and task.exception() is None


def connected(stage: Stage, protocol: Hears, tls: bool = False) -> Any:
    """A transport for the protocol and its peer, before memory is short."""
    mine, theirs = plain.socketpair()
    peer = Peer(stage, theirs, serving if tls else None)
    making = loop.create_connection(
        lambda: protocol, sock=mine, ssl=trusting if tls else None, server_hostname="localhost" if tls else None
    )
    yield from until_done(stage, done(stage, making), peer)
    return protocol.transport, peer


# === Operations ===


def accept(style: type[Hears], tls: bool, unix: bool = False) -> Operation:
    """A connection from its beginning to its echo; and another one afterwards."""

    def operation(stage: Stage, number: int) -> Steps:
        context = serving if tls else None
        path = f"\0uvnet-short-{os.getpid()}-{number}"
        if unix:
            making = loop.create_unix_server(lambda: style(stage), path, ssl=context)
        else:
            making = loop.create_server(lambda: style(stage), "127.0.0.1", 0, ssl=context)
        task = done(stage, making)
        yield from until_done(stage, task)
        server = task.result()
        stage.things.append(server)

        def client() -> Peer:
            connection = plain.socket(plain.AF_UNIX if unix else plain.AF_INET)
            connection.connect(path if unix else server.sockets[0].getsockname())
            return Peer(stage, connection, trusting if tls else None)

        first = client()
        stage.sent = WORD
        first.unsent += WORD
        with Short(stage, number):
            yield from first.pumped()
        yield from first.until(lambda: len(first.received) >= len(WORD), stage)
        stage.received += first.received
        assert server.is_serving()
        second = client()
        second.unsent += WORD
        yield from second.until(lambda: second.received == WORD, stage)
        assert second.received == WORD, "the next one was not served"
        server.abort_clients()
        for _ in range(3):
            yield
        assert len(server.connections) == 0, len(server.connections)

    return operation


def listen(stage: Stage, number: int) -> Steps:
    with Short(stage, number):
        task = done(stage, loop.create_server(lambda: Plain(stage), "127.0.0.1", 0))
        for _ in range(6):
            yield
    yield from until_done(stage, task)
    if succeeded(task):
        stage.things.append(task.result())


def connect(tls: bool) -> Operation:
    def operation(stage: Stage, number: int) -> Steps:
        mine, theirs = plain.socketpair()
        peer = Peer(stage, theirs, serving if tls else None)
        stage.sent = WORD
        peer.unsent += WORD
        making = loop.create_unix_connection(
            lambda: Plain(stage), sock=mine, ssl=trusting if tls else None, server_hostname="localhost" if tls else None
        )
        with Short(stage, number):
            task = done(stage, making)
            yield from peer.pumped()
        yield from until_done(stage, task, peer)
        if succeeded(task):
            yield from peer.until(lambda: len(peer.received) >= len(WORD), stage)
        else:
            # The socket stayed the program's, or the transport has closed it.
            mine.close()
        stage.received += peer.received

    return operation


def echo(style: type[Hears], tls: bool) -> Operation:
    def operation(stage: Stage, number: int) -> Steps:
        _, peer = yield from connected(stage, style(stage), tls)
        stage.sent = WORD * 500
        with Short(stage, number):
            peer.send(stage.sent)
            yield from peer.pumped()
        yield from peer.until(lambda: len(peer.received) >= len(stage.sent), stage)
        stage.received += peer.received

    return operation


def doing(what: Callable[[Stage, Any], object], tls: bool = False, sent: bytes = b"") -> Operation:
    """What a transport sends before it is closed arrives; nothing, where it is not to arrive."""

    def operation(stage: Stage, number: int) -> Steps:
        transport, peer = yield from connected(stage, Plain(stage), tls)
        stage.sent = sent
        with Short(stage, number):
            what(stage, transport)
            yield from peer.pumped()
        if not transport.is_closing():
            transport.close()
        yield from peer.until(lambda: False, stage)
        stage.received += peer.received
        # Its answer to a close_notify.
        peer.end()
        yield

    return operation


def write_many(_: Stage, transport: Any) -> None:
    for _ in range(5):
        transport.write(b"some")
        transport.writelines([b"more", bytearray(b"lines"), b""])


def exchange(stage: Stage, transport: Any) -> None:
    transport.pause_reading()
    old = transport.get_protocol()
    new = Buffered(stage)
    # What is lost is lost for one of them.
    new.losses, new.connection_lost = old.losses, old.connection_lost
    stage.afterwards.pop()
    new.transport = transport
    transport.set_protocol(new)
    transport.resume_reading()
    transport.set_write_buffer_limits(0)
    transport.write(WORD)


def names(_: Stage, transport: Any) -> None:
    for name in ("socket", "sockname", "peername", "cipher", "peercert"):
        transport.get_extra_info(name)


def write_eof(_: Stage, transport: Any) -> None:
    transport.write(WORD)
    transport.write_eof()


def close_behind(_: Stage, transport: Any) -> None:
    transport.write(WORD)
    transport.close()


def abort_behind(stage: Stage, transport: Any) -> None:
    transport.write(WORD)
    transport.abort()
    stage.heard("aborted")


def send_file(tls: bool) -> Operation:
    def operation(stage: Stage, number: int) -> Steps:
        transport, peer = yield from connected(stage, Plain(stage), tls)
        stage.sent = BULK
        with tempfile.TemporaryFile() as file:
            file.write(BULK)
            with Short(stage, number):
                task = done(stage, loop.sendfile(transport, file))
                yield from peer.pumped()
            yield from until_done(stage, task, peer)
            if succeeded(task):
                yield from peer.until(lambda: len(peer.received) >= len(BULK), stage)
        stage.received += peer.received

    return operation


def start_tls(stage: Stage, number: int) -> Steps:
    protocol = Plain(stage)
    transport, peer = yield from connected(stage, protocol)
    peer.begin_tls(trusting)
    stage.sent = WORD
    with Short(stage, number):
        task = done(stage, loop.start_tls(transport, protocol, serving, server_side=True))
        yield from peer.pumped()
    yield from until_done(stage, task, peer)
    if succeeded(task):
        protocol.transport = task.result()
        stage.things.append(protocol.transport)
        peer.send(WORD)
        yield from peer.until(lambda: len(peer.received) >= len(WORD), stage)
    stage.received += peer.received


def peer_ends(tls: bool, breaks: bool = False) -> Operation:
    def operation(stage: Stage, number: int) -> Steps:
        transport, peer = yield from connected(stage, Plain(stage, answers=False), tls)
        stage.sent = WORD
        with Short(stage, number):
            peer.send(WORD)
            if breaks:
                peer.connection.close()
                peer.over = True
            else:
                peer.end()
            yield from peer.pumped()
        yield from peer.until(transport.is_closing, stage)
        assert transport.is_closing() or peer.over

    return operation


OPERATIONS: dict[str, Operation] = {
    "accept": accept(Plain, False),
    "accept-buffered": accept(Buffered, False),
    "accept-unix": accept(Plain, False, True),
    "accept-tls": accept(Plain, True),
    "accept-tls-buffered": accept(Buffered, True),
    "listen": listen,
    "connect": connect(False),
    "connect-tls": connect(True),
    "echo": echo(Plain, False),
    "echo-buffered": echo(Buffered, False),
    "echo-tls": echo(Plain, True),
    "echo-tls-buffered": echo(Buffered, True),
    "write": doing(lambda _, transport: transport.write(WORD), sent=WORD),
    "write-tls": doing(lambda _, transport: transport.write(WORD), True, WORD),
    "write-many": doing(write_many, sent=b"somemorelines" * 5),
    "write-many-tls": doing(write_many, True, b"somemorelines" * 5),
    "write-much": doing(lambda _, transport: transport.write(BULK), sent=BULK),
    "write-much-tls": doing(lambda _, transport: transport.write(BULK), True, BULK),
    "write-eof": doing(write_eof, sent=WORD),
    "exchange": doing(exchange, sent=WORD),
    "exchange-tls": doing(exchange, True, WORD),
    "names": doing(names),
    "close": doing(close_behind, sent=WORD),
    "close-tls": doing(close_behind, True, WORD),
    "abort": doing(abort_behind, sent=WORD),
    "abort-tls": doing(abort_behind, True, WORD),
    "sendfile": send_file(False),
    "sendfile-tls": send_file(True),
    "start-tls": start_tls,
    "peer-ends": peer_ends(False),
    "peer-ends-tls": peer_ends(True),
    "peer-breaks": peer_ends(False, True),
    "peer-breaks-tls": peer_ends(True, True),
}

main(OPERATIONS)
