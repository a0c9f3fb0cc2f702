"""Two transports that talk to each other: what was done to them, what their protocols heard, and what must be true of it.

A program writes the bytes of one cycle, so whatever arrives says where it belongs.  `offered` is what a transport was
given to send; `promised` is what of it was given before its end was said.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket as plain
from collections.abc import Awaitable, Callable
from typing import Any

from pairs import SMALL

from uvnet.transports.base_transport import transports_of

__all__ = ["CALLBACKS", "Action", "End", "Life", "Oops", "bounded_until"]

CALLBACKS = ("made", "data", "buffer", "updated", "eof", "pause", "resume", "lost")
CYCLE = 251
# More than is ever written or received at once.
LONG = bytes(range(CYCLE)) * 6000
LIMITS = ((65_536, 16_384), (1000, 1), (1, 1), (0, 0))

Action = tuple[str, int]


class Oops(Exception):
    """What a callback raises."""


def piece(start: int, size: int) -> bytes:
    """Bytes `start` to `start + size` of what is written."""
    return LONG[start % CYCLE : start % CYCLE + size]


async def bounded_until(condition: Callable[[], Any], what: Callable[[], str], seconds: float = 10) -> None:
    """Wait for what must become true soon."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while not condition():
        assert loop.time() < deadline, f"not in {seconds} s: {what()}"
        await asyncio.sleep(0.001)


class _Hears:
    """A protocol that passes on what it hears to its end of the connection."""

    end: End

    def connection_made(self, transport: Any) -> None:
        self.end.made(transport)

    def eof_received(self) -> Any:
        return self.end.hear(self, "eof")

    def pause_writing(self) -> None:
        self.end.hear(self, "pause")

    def resume_writing(self) -> None:
        self.end.hear(self, "resume")

    def connection_lost(self, error: BaseException | None) -> None:
        self.end.lost_with = error
        self.end.hear(self, "lost")

    def retire(self) -> None:
        """Another one is in its place."""


class Plain(_Hears, asyncio.Protocol):
    def __init__(self, end: End) -> None:
        self.end = end

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        self.end.hear(self, "data", data)


class Buffered(_Hears, asyncio.BufferedProtocol):
    def __init__(self, end: End) -> None:
        self.end = end
        self.buffer = bytearray(65_536)

    def get_buffer(self, sizehint: int) -> Any:
        self.buffer = bytearray(1000 if len(self.buffer) == 65_536 else 65_536)
        self.end.hear(self, "buffer")
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.end.hear(self, "updated", bytes(self.buffer[:nbytes]))


class _Pausing:
    """What a StreamReader has of its transport: it pauses and resumes as it likes."""

    def __init__(self, end: End) -> None:
        self.pause_reading = lambda: end.act(("pause", 0))
        self.resume_reading = lambda: end.act(("resume", 0))


class Streams(_Hears, asyncio.StreamReaderProtocol):
    """asyncio's, between the transport and a StreamReader that is read from."""

    def __init__(self, end: End) -> None:
        self.end = end
        self.reader = asyncio.StreamReader(5000)
        self.reader.set_transport(_Pausing(end))  # type: ignore[arg-type]
        super().__init__(self.reader)
        self.fed = self.taken = 0
        end.start(self.take())

    async def take(self) -> None:
        with contextlib.suppress(OSError, Oops):
            while data := await self.reader.read(7000):
                self.taken += len(data)

    def data_received(self, data: bytes) -> None:
        # The reader may pause the transport.
        self.end.hear(self, "data", data)
        self.fed += len(data)
        asyncio.StreamReaderProtocol.data_received(self, data)

    def eof_received(self) -> Any:
        asyncio.StreamReaderProtocol.eof_received(self)
        return self.end.hear(self, "eof")

    def pause_writing(self) -> None:
        asyncio.StreamReaderProtocol.pause_writing(self)
        super().pause_writing()

    def resume_writing(self) -> None:
        # It may be the one before it that was paused.
        if self._paused:  # type: ignore[attr-defined]
            asyncio.StreamReaderProtocol.resume_writing(self)
        super().resume_writing()

    def connection_lost(self, error: BaseException | None) -> None:
        asyncio.StreamReaderProtocol.connection_lost(self, error if isinstance(error, Exception) else None)
        super().connection_lost(error)

    async def drain(self) -> None:
        with contextlib.suppress(OSError, Oops):
            await self._drain_helper()  # type: ignore[attr-defined]

    def retire(self) -> None:
        # Whoever still waits here would wait for ever.
        asyncio.StreamReaderProtocol.connection_lost(self, None)


STYLES: tuple[Callable[[End], Any], ...] = (Plain, Buffered, Streams)


class End:
    """One end of the connection, and all that was seen of it."""

    def __init__(self, life: Life, name: str, style: int, reactions: dict[str, list[Action]]) -> None:
        self.life = life
        self.name = name
        self.reactions = reactions
        self.transport: Any = None
        self.tasks: list[asyncio.Task[Any]] = []
        self.heard: list[str] = []
        self.received = bytearray()
        self.offered = self.promised = 0
        self.lost_with: BaseException | None = None
        self.raised = 0
        self.secure = life.tls is not None
        self.upgrading = False
        self.ended = False  # write_eof() was called
        self.closed = False  # here
        self.cut = False  # what was offered may never arrive
        self.sending = 0  # files
        self.broken = False  # within a file
        self.paused: bool | None = False  # None: a file that was sent has resumed it, or has not
        self.asked = False  # get_buffer() was called while data was welcome
        self.ended_open = False  # eof_received() came while it was open
        self.protocol = STYLES[style](self)

    @property
    def lost(self) -> bool:
        return "lost" in self.heard

    def is_paused(self) -> bool:
        """Whether the last that its protocol heard of it was pause_writing()."""
        return self.heard.count("pause") > self.heard.count("resume")

    def is_gone(self) -> bool:
        return (self.lost or not self.heard) and all(task.done() for task in self.tasks)

    def __repr__(self) -> str:
        """For what fails."""
        return (
            f"{self.name}: offered {self.offered}, promised {self.promised}, received {len(self.received)}, "
            f"ended {self.ended}, closed {self.closed}, cut {self.cut}, {self.transport!r}, "
            f"to write: {self.transport and self.transport.get_write_buffer_size()}, "
            f"tasks: {[task for task in self.tasks if not task.done()]}, heard: {self.heard}"
        )

    def start(self, waited_for: Awaitable[Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(waited_for)
        self.tasks.append(task)
        return task  # type: ignore[return-value]

    # === What protocols hear ===

    def made(self, transport: Any) -> None:
        self.transport = transport
        if self.life.narrow:
            transport.get_extra_info("socket").setsockopt(plain.SOL_SOCKET, plain.SO_SNDBUF, SMALL)
        self.hear(self.protocol, "made")

    def hear(self, protocol: Any, what: str, data: bytes = b"") -> Any:
        self.heard.append(what)
        self.life.expect(protocol is self.protocol, self, f"{what!r} to a protocol of before")
        self.life.expect(self.heard[0] == "made", self, f"{what!r} before connection_made()")
        self.life.expect("lost" not in self.heard[:-1], self, f"{what!r} after connection_lost()")
        if what in ("data", "buffer", "updated"):
            welcome = self.paused is not True and not self.closed
            self.life.expect(welcome or (what == "updated" and self.asked), self, f"{what!r} not welcome")
            self.asked = what == "buffer"
            self.life.expect(data == piece(len(self.received), len(data)), self, "wrong data")
            self.received += data
        elif what == "eof":
            # With TLS the end is read together with the data before it, as asyncio's transports do.
            self.life.expect(self.paused is not True or self.secure, self, "'eof' while paused")
            self.ended_open = not self.closed
        elif what in ("pause", "resume"):
            turns = [each for each in self.heard if each in ("pause", "resume")]
            self.life.expect((len(turns) % 2 == 1) == (what == "pause"), self, f"{what!r} twice")
        return self.react(what)

    def react(self, what: str) -> Any:
        actions = self.reactions.get(what)
        if actions:
            action = actions.pop(0)
            if action[0] == "raise":
                self.raised += 1
                # From the others it is reported, and nothing else.
                self.cut |= what not in ("pause", "resume", "lost")
                raise Oops(what)
            # An answer within a read is to a buffer that the old protocol has named.
            if not (what in ("buffer", "updated") and action[0] == "set_protocol"):
                self.act(action)
        if what != "eof":
            return None
        keep = self.life.keeps_open and not self.secure
        self.closed |= not keep
        return keep

    # === What programs do ===

    def act(self, action: Action) -> None:
        name, size = action
        if self.transport is None or (self.upgrading and name not in ("close", "abort", "names", "looks")):
            return
        getattr(self, f"do_{name}")(size)

    def written(self, size: int, write: Callable[[], None]) -> None:
        """`write` sends so much of what comes next; it may call pause_writing(), where more is written."""
        if self.broken:
            return
        refused = self.ended or self.sending
        closing = self.transport.is_closing()
        if not refused:
            self.offered += size
            if not closing:
                self.promised = self.offered
        try:
            write()
        except RuntimeError:
            self.life.expect(refused, self, "a write was refused")
        else:
            self.life.expect(not refused, self, "a write was not refused")

    def do_write(self, size: int) -> None:
        data = piece(self.offered, size)
        self.written(size, lambda: self.transport.write(data))

    def do_writelines(self, size: int) -> None:
        data = piece(self.offered, size)
        third = size // 3
        parts = [data[:third], bytearray(data[third : 2 * third]), b"", memoryview(data)[2 * third :]]
        self.written(size, lambda: self.transport.writelines(parts))

    def do_write_eof(self, _: int) -> None:
        if self.secure:
            try:
                self.transport.write_eof()
            except NotImplementedError:
                return
            self.life.expect(False, self, "write_eof() with TLS")
        if not self.sending:
            self.ended |= not self.transport.is_closing()
            self.transport.write_eof()

    def do_pause(self, _: int) -> None:
        self.paused = True
        self.transport.pause_reading()

    def do_resume(self, _: int) -> None:
        self.paused = False
        self.transport.resume_reading()

    def do_limits(self, number: int) -> None:
        high, low = LIMITS[number % len(LIMITS)]
        self.transport.set_write_buffer_limits(high, low)

    def do_set_protocol(self, number: int) -> None:
        if self.lost:
            return
        before, self.protocol = self.protocol, STYLES[number % len(STYLES)](self)
        self.transport.set_protocol(self.protocol)
        before.retire()

    def do_close(self, _: int) -> None:
        self.closed = True
        self.transport.close()

    def do_abort(self, _: int) -> None:
        self.closed = self.cut = True
        self.transport.abort()

    def do_force(self, _: int) -> None:
        self.closed = self.cut = True
        self.transport._force_close(ConnectionAbortedError("made by the test"))

    def do_names(self, _: int) -> None:
        for name in ("socket", "sockname", "peername", "sslcontext", "ssl_object", "peercert", "cipher", "none"):
            self.transport.get_extra_info(name)
        repr(self.transport)

    def do_looks(self, _: int) -> None:
        transport = self.transport
        self.life.expect(transport.get_write_buffer_size() >= 0, self, "less than nothing is to be written")
        self.life.expect(transport.is_closing() or not self.lost, self, "open, and lost")
        self.life.expect(not (transport.is_reading() and self.paused), self, "reads, and is paused")
        self.life.expect(transport.get_protocol() in (self.protocol, None) or self.upgrading, self, "another protocol")

    def do_collect(self, _: int) -> None:
        gc.collect()

    def do_drain(self, _: int) -> None:
        if isinstance(self.protocol, Streams):
            self.start(self.protocol.drain())

    def do_sendfile(self, size: int) -> None:
        if size:
            self.start(self.send_file(size))

    async def send_file(self, size: int) -> None:
        if self.sending or self.transport.is_closing() or self.ended or self.upgrading:
            return
        start = self.offered
        self.offered += size
        self.sending += 1
        # Until it has been sent nothing else is read, whoever resumes.
        with open(self.life.file, "rb") as file:
            try:
                await asyncio.get_running_loop().sendfile(self.transport, file, start % CYCLE, size)
                self.promised = self.offered
            except (OSError, Oops):
                self.cut = True
            finally:
                self.sending -= 1
                self.paused = None
        # The rest of the file is not to be written by anybody.
        self.broken |= self.cut

    def check(self, other: End) -> None:
        heard = self.heard
        assert not heard or heard.count("made") == heard.count("lost") == 1, (self.name, heard)
        assert not heard or (heard[0] == "made" and heard[-1] == "lost"), (self.name, heard)
        assert heard.count("eof") <= 1, (self.name, heard)
        assert len(self.received) <= other.offered, (self.name, len(self.received), other.offered)
        if self.ended_open and not self.cut and not other.cut and other.lost_with is None:
            assert len(self.received) >= other.promised, (self.name, len(self.received), other.promised, heard)
        assert all(task.done() and task.exception() is None for task in self.tasks), (self.name, self.tasks)
        if isinstance(self.protocol, Streams) and self.lost_with is None and not self.cut and heard:
            assert self.protocol.taken == self.protocol.fed, (self.protocol.taken, self.protocol.fed)


class Life:
    """A connection between two ends of this program."""

    def __init__(
        self, kind: str, path: str, file: str, tls: tuple[Any, Any] | None, *, keeps_open: bool, narrow: bool,
        styles: tuple[int, int], reactions: dict[tuple[str, str], list[Action]],
    ) -> None:  # fmt: skip
        self.kind = kind
        self.path = path
        self.file = file
        self.tls = tls
        self.keeps_open = keeps_open  # what eof_received() says
        self.narrow = narrow  # the system takes little at once
        self.wrong: list[str] = []
        self.server: Any = None
        self.ends = {
            name: End(
                self, name, style,
                {callback: [*actions] for (who, callback), actions in reactions.items() if who == name},
            )
            for name, style in zip(("server", "client"), styles, strict=True)
        }  # fmt: skip

    def story(self) -> str:
        return "\n".join(map(repr, self.ends.values()))

    def expect(self, is_so: Any, end: End, what: str) -> None:
        if not is_so:
            self.wrong.append(f"{end.name}: {what} ({end.heard[-6:]})")

    async def begin(self) -> None:
        """Listen, and begin to connect."""
        loop: Any = asyncio.get_running_loop()
        server, client = self.ends["server"], self.ends["client"]
        ours, theirs = self.tls or (None, None)
        name = "localhost" if theirs else None
        if self.kind == "unix":
            self.server = await loop.create_unix_server(lambda: server.protocol, self.path, ssl=ours)
            connecting = loop.create_unix_connection(
                lambda: client.protocol, self.path, ssl=theirs, server_hostname=name
            )
        else:
            self.server = await loop.create_server(lambda: server.protocol, "127.0.0.1", 0, ssl=ours)
            where = self.server.sockets[0].getsockname()
            connecting = loop.create_connection(
                lambda: client.protocol, *where, ssl=theirs, server_hostname=name
            )
        client.start(self.connected(connecting))

    async def connected(self, connecting: Awaitable[Any]) -> None:
        try:
            await connecting
        except (OSError, Oops):
            for end in self.ends.values():
                end.cut = True

    def is_over(self, end: End) -> bool:
        return end.closed or end.cut or end.lost or end.ended or end.ended_open

    def is_quiet(self) -> bool:
        """Whether all that was written has arrived."""
        server, client = self.ends.values()
        return (
            len(server.received) == client.offered and len(client.received) == server.offered
            and not server.sending and not client.sending and bool(server.heard) and bool(client.heard)
        )  # fmt: skip

    async def upgrade(self, certificates: tuple[Any, Any]) -> None:
        """start_tls() at both ends, if nothing is on its way."""
        ends = [*self.ends.values()]
        for end in ends:
            end.act(("resume", 0))
        for _ in range(100):
            if self.is_quiet() or any(map(self.is_over, ends)):
                break
            await asyncio.sleep(0.001)
        if not self.is_quiet() or any(self.is_over(end) or end.secure or end.upgrading for end in ends):
            return
        for end, context in zip(ends, certificates, strict=True):
            end.upgrading = True
            end.start(self.secure(end, context))

    async def secure(self, end: End, context: Any) -> None:
        loop = asyncio.get_running_loop()
        serves = end.name == "server"
        try:
            end.transport = await loop.start_tls(
                end.transport, end.protocol, context, server_side=serves, server_hostname=None if serves else "localhost"
            )
            end.secure = True
        except (OSError, Oops):
            for each in self.ends.values():
                each.cut = True
        end.upgrading = False

    async def settle(self, how: str) -> None:
        """Bring it to its end, by "close", "abort", "server ends" or "client ends"; what was promised must come true."""
        ends = [*self.ends.values()]
        for end in ends:
            end.reactions.clear()
        def is_cut() -> bool:
            return any(end.cut for end in ends)

        await bounded_until(
            lambda: is_cut() or all(end.heard and not end.upgrading for end in ends), self.story
        )
        def have_read() -> bool:
            for end in ends:
                # Where a file is sent nothing is read, and the two may send to each other.
                end.act(("resume", 0))
            return any(map(self.is_over, ends)) or self.is_quiet()

        await bounded_until(have_read, self.story)
        if not any(map(self.is_over, ends)):
            await bounded_until(lambda: is_cut() or not any(end.is_paused() for end in ends), self.story)
            first = ends[how == "client ends"]
            if how in ("server ends", "client ends"):
                first.act(("close" if first.secure else "write_eof", 0))
                await bounded_until(lambda: is_cut() or any(end.ended_open or end.lost for end in ends), self.story)
        for end in ends:
            end.act(("abort" if how == "abort" else "close", 0))
        self.server.close()
        if all(end.closed and not end.secure and end.transport and end.transport.get_write_buffer_size() for end in ends):
            # Neither reads any more, so neither can send: with asyncio's transports too that is for ever.
            for end in ends:
                end.act(("abort", 0))

        def are_gone() -> bool:
            have_read()
            for end in ends:
                if not end.closed:
                    # Its connection_made() came later.
                    end.act(("close", 0))
            return all(end.is_gone() for end in ends)

        await bounded_until(are_gone, self.story)
        await bounded_until(lambda: not self.server.connections, self.story)
        assert not transports_of(asyncio.get_running_loop())

    def check(self, reports: list[dict[str, Any]]) -> None:
        assert not self.wrong, self.wrong
        server, client = self.ends.values()
        server.check(client)
        client.check(server)
        raised = sum(end.raised for end in self.ends.values())
        for report in reports:
            error = report["exception"]
            # What get_buffer() raises is behind uvloop's error.
            assert isinstance(error, Oops) or isinstance(error.__cause__, Oops), reports
        assert len(reports) == raised, (raised, reports)


