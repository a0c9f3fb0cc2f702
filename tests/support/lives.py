"""What a socket of uvnet and its peers have done, and what must be true of it afterwards.

The peers are Python's sockets, driven by the test.  Every stream of bytes is a cycle of its own: a byte says
where in it it stands, and the first one whose stream it is.
"""

from __future__ import annotations

import contextlib
import socket as plain
import struct
from typing import Any

from pairs import Listening, read_now

import uvnet

__all__ = ["EVENTS", "Life", "Peer", "SOURCES"]

EVENTS = (
    "lookup", "connect", "ready", "data", "readable", "end", "drain", "finish", "pause", "resume",
    "timeout", "error", "close",
)  # fmt: skip
SOURCES = (*EVENTS, "written", "ended", "looking up")
CYCLE = 251
LONG = bytes(range(CYCLE)) * 1300
STREAMS = 8

Action = tuple[str, int]


def piece(stream: int, start: int, size: int) -> bytes:
    """Bytes `start` to `start + size` of a stream."""
    offset = (stream * 31 + start) % CYCLE
    return LONG[offset : offset + size]


def stream_of(data: bytes | bytearray) -> int:
    """Which stream begins like this; every byte of `data` must be the right one."""
    (stream,) = (number for number in range(STREAMS) if piece(number, 0, 1)[0] == data[0])
    for start in range(0, len(data), CYCLE * 1000):
        part = data[start : start + CYCLE * 1000]
        assert part == piece(stream, start, len(part)), f"stream {stream} is broken behind {start}"
    return stream


class Peer:
    """The other end of one connection."""

    def __init__(self, connection: plain.socket, stream: int) -> None:
        self.connection = connection
        self.stream = stream
        self.wanted = 0
        self.sent = 0
        self.received = bytearray()
        self.reads = True
        self.ends = False
        self.state = "open"  # "finished": FIN sent; "gone": closed here
        self.broken = False
        self.end = False  # nothing more will come

    def pump(self) -> None:
        """Send and take what can be sent and taken now."""
        try:
            while self.state == "open" and self.sent < self.wanted:
                size = min(self.wanted - self.sent, 65_536)
                self.sent += self.connection.send(piece(self.stream, self.sent, size))
        except BlockingIOError:
            pass
        except OSError:
            # The system tells of a broken connection once, reading would just come to an end.
            self.wanted = self.sent
            self.broken = True
        if self.ends and self.state == "open" and self.sent == self.wanted:
            self.state = "finished"
            with contextlib.suppress(OSError):
                self.connection.shutdown(plain.SHUT_WR)
        while self.state != "gone" and self.reads and not self.end:
            try:
                chunk = read_now(self.connection)
            except OSError:
                self.end = self.broken = True
                return
            if chunk is None:
                return
            self.received += chunk
            if not chunk:
                self.end = True

    def act(self, action: Action) -> None:
        name, size = action
        if self.state == "gone":
            return
        if name == "peer sends" and not self.ends:
            self.wanted += size
        elif name == "peer ends":
            self.ends = True
        elif name == "peer resets":
            if self.connection.family != plain.AF_UNIX:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(plain.SOL_SOCKET, plain.SO_LINGER, linger)
            self.close()
        elif name == "peer stops reading":
            self.reads = False
        elif name == "peer reads":
            self.reads = True
        self.pump()

    def close(self) -> None:
        self.state = "gone"
        self.connection.close()


class Life:
    """A socket, from its making to its last 'close', through every connection it has had."""

    def __init__(
        self, listening: Listening, reactions: dict[str, list[Action]], answer: str, options: dict[str, Any]
    ) -> None:
        self.listening = listening
        self.reactions = reactions
        self.answer = answer
        self.socket = uvnet.Socket(options)
        self.peers: list[Peer] = []
        self.events: list[str] = []
        self.lives = 1
        self.connects = 0
        self.written = [0] * STREAMS  # by connect(): how much was accepted
        self.done = [0] * STREAMS  # how much of that was called back without an error
        self.received: list[bytearray] = []  # by 'connect'
        self.complete: set[int] = set()  # those of which 'end' came
        self.callbacks: list[int] = []
        for event in EVENTS:
            if event != "readable" or "readable" in reactions:
                self.socket.on(event, lambda *arguments, event=event: self.happened(event, arguments))

    # What happens.

    def happened(self, event: str, arguments: tuple[Any, ...]) -> None:
        self.events.append(event)
        if event == "connect":
            self.received.append(bytearray())
        elif event == "data":
            (chunk,) = arguments
            self.received[-1] += chunk.encode("latin1") if isinstance(chunk, str) else chunk
        elif event == "end":
            self.complete.add(len(self.received) - 1)
        self.react(event)

    def react(self, source: str) -> None:
        """Do what was chosen for this occasion, once."""
        for action in self.reactions.pop(source, ()):
            self.act(action)

    def callback(self, source: str, stream: int, size: int) -> Any:
        index = len(self.callbacks)
        self.callbacks.append(0)

        def called(error: BaseException | None) -> None:
            self.callbacks[index] += 1
            if error is None:
                self.done[stream] += size
            self.react(source)

        return called

    def look_up(self, host: str, query: dict[str, Any], callback: Any) -> None:
        self.react("looking up")
        if self.answer == "sync":
            callback(None, [("127.0.0.1", 4)])
        elif self.answer == "tick":
            uvnet.next_tick(callback, None, [("127.0.0.1", 4)])
        else:
            uvnet.next_tick(callback, OSError("by the test"))

    # What is done.

    def act(self, action: Action) -> None:
        name, size = action
        socket = self.socket
        if name.startswith("peer"):
            self.pump()
            if self.peers:
                self.peers[-1].act(action)
        elif name == "connect":
            self.connect()
        elif name in ("write", "write text", "end", "end with data"):
            self.write(name, size)
        elif name == "unshift":
            self.unshift(size)
        elif name == "set_timeout":
            socket.set_timeout(size / 1000)
        elif name == "set_encoding":
            socket.set_encoding("latin1")
        elif name == "fail":
            socket.destroy(ConnectionAbortedError("by the test"))
        elif name == "reset":
            if self.listening.socket.family != plain.AF_UNIX:
                socket.reset_and_destroy()
        elif name == "read some":
            socket.read(size)
        else:
            getattr(socket, name)()

    def connect(self) -> None:
        begins = self.socket.destroyed
        options: dict[str, Any] = {"path": self.listening.where[0]}
        if len(self.listening.where) == 2:
            options = {"port": self.listening.where[0], "host": "peer", "lookup": self.look_up}
        if self.connects < STREAMS - 1 and self.socket.pending and not self.socket.connecting:
            self.lives += begins
            self.connects += 1
            number = self.connects
            try:
                self.socket.connect(options)
            except OSError:
                # A callback that the last life owed has connected it meanwhile.
                assert self.connects > number
                self.lives -= begins
        elif not begins:
            with contextlib.suppress(OSError):
                self.socket.connect(options)
                raise AssertionError("a second connection")

    def write(self, name: str, size: int) -> None:
        stream = self.connects
        data: Any = piece(stream, self.written[stream], size)
        accepted = self.socket.writable
        if name == "end":
            self.socket.end(self.callback("ended", stream, 0))
            return
        if accepted:
            self.written[stream] += size
        called = self.callback("written" if name != "end with data" else "ended", stream, size)
        if name == "write":
            self.socket.write(data, called)
        elif name == "write text":
            self.socket.write(data.decode("latin1"), "latin1", called)
        else:
            self.socket.end(data, called)

    def unshift(self, size: int) -> None:
        """Put back what came last, as if it had not come yet."""
        if size and self.received and self.socket.readable and not self.socket.pending:
            taken = bytes(self.received[-1][-size:])
            del self.received[-1][len(self.received[-1]) - len(taken) :]
            self.socket.unshift(taken)

    def pump(self) -> None:
        """Let every peer do what it can."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.peers.append(Peer(self.listening.accept(), len(self.peers) % STREAMS))
        for peer in self.peers:
            peer.pump()

    def let_peers_read(self) -> bool:
        """Whether all of them have come to an end of what was sent to them."""
        self.pump()
        for peer in self.peers:
            peer.reads = True
            peer.pump()
        return all(peer.end or peer.state == "gone" for peer in self.peers)

    def close(self) -> None:
        """Afterwards nothing is left of the peers."""
        for peer in self.peers:
            peer.close()

    # What must be true.

    def check(self) -> None:
        assert self.callbacks == [1] * len(self.callbacks), self.callbacks
        for event in ("connect", "ready", "end", "finish", "error"):
            assert self.events.count(event) <= self.lives, (event, self.events)
        assert self.events.count("close") == self.lives, self.events
        last = len(self.events) - self.events[::-1].index("close")
        assert not self.events[last:], self.events
        for number, data in enumerate(self.received):
            if not data:
                continue
            sender = self.peers[stream_of(data)]
            assert len(data) <= sender.sent
            if number in self.complete:
                assert sender.state in ("finished", "gone")
                assert len(data) == sender.sent or sender.state == "gone"
        for peer in self.peers:
            if not peer.received:
                continue
            stream = stream_of(peer.received)
            assert len(peer.received) <= self.written[stream]
            if peer.end and not peer.broken and peer.state != "gone":
                assert len(peer.received) >= self.done[stream], (len(peer.received), self.done[stream])
