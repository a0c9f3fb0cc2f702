"""HTTP3: what the members of a stream about headers mean, where the protocol is "h3".  Section 8.

The frames are aioquic's h3; this is between it and the streams of a session.  Header fields are pairs of str.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Any

from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived, PushPromiseReceived
from aioquic.h3.exceptions import NoAvailablePushIDError
from aioquic.quic.events import StopSendingReceived, StreamDataReceived, StreamReset

from uvnet.errors.codes import invalid_state, invalid_type, invalid_value
from uvnet.quic.engine import Engine

__all__ = ["HTTP3"]

# What aioquic does not promise.
PRIVATE_NAMES = {
    "H3Connection": (
        "_blocked_streams", "_init_connection", "_max_push_id", "_max_table_capacity", "_next_push_id", "_stream",
    ),
}  # fmt: skip

_REQUEST = frozenset((":method", ":scheme", ":authority", ":path", ":protocol"))
_RESPONSE = frozenset((":status",))


class _Connection(H3Connection):
    """With the sizes that are wanted."""

    def __init__(self, quic: Any, options: Mapping[str, int]) -> None:
        self._options = options
        super().__init__(quic)

    def _init_connection(self) -> None:
        options = self._options
        self._max_table_capacity = min(options.get("qpack_max_table_capacity", 4096), 4096)
        self._blocked_streams = min(options.get("qpack_blocked_streams", 16), 16)
        if self._is_client and "max_pushes" in options:
            # The last id that may be used; without one nothing is said, and none may be.
            self._max_push_id = options["max_pushes"] - 1 if options["max_pushes"] else None
        super()._init_connection()


class _Sent(enum.Enum):
    """How far a stream's own side has got."""

    NOTHING = 0
    HEADERS = 1
    LAST_HEADERS = 2  # trailers, or those that nothing follows: end() sends them


class HTTP3:
    """HTTP/3 over one session."""

    def __init__(self, session: Any, engine: Engine, options: Mapping[str, int]) -> None:
        self._session = session
        self._engine = engine
        self._most_pairs = options.get("max_header_pairs", 128)
        self._most_length = min(options.get("max_header_length", 65536), options.get("max_header_list_size", 65536))
        self._sent: dict[int, _Sent] = {}
        self._last: dict[int, list[tuple[bytes, bytes]]] = {}
        self._answered: set[int] = set()  # streams on which the headers of a request or a final response have come
        self._h3 = _Connection(engine.connection, options)
        session._transmit_soon()

    def receive(self, stream_id: int, data: bytes, fin: bool) -> None:
        """Bytes of any stream: those of requests are told to their streams, others are of the protocol's own."""
        session = self._session
        stream = session._streams.get(stream_id)
        if stream is None and not stream_id & 2:
            stream = session._accept_stream(stream_id)
            if stream is None:
                session._engine.credit(None, len(data))
                return
        cost = len(data)
        told: list[Any] = list(
            self._h3.handle_event(StreamDataReceived(data=data, end_stream=fin, stream_id=stream_id))
        )
        for event in told:
            target = session._streams.get(event.stream_id)
            if target is None and isinstance(event, HeadersReceived) and event.push_id is not None:
                target = self._accept_push(event.stream_id, event.push_id)
            if target is None:
                continue
            if isinstance(event, PushPromiseReceived):
                target._emit_headers("pushHeaders", self._pairs(event.headers), event.push_id)
                continue
            paid = cost if event.stream_id == stream_id else 0
            cost -= paid
            if isinstance(event, HeadersReceived):
                self._tell_headers(target, event)
            target._deliver(event.data if isinstance(event, DataReceived) else b"", paid, event.stream_ended)
        if cost and session._engine is not None:
            target = session._streams.get(stream_id)
            if target is not None:
                target._deliver(b"", cost, False)
            else:
                session._engine.credit(stream_id, cost)

    def interrupted(self, stream_id: int, code: int, stopped: bool) -> None:
        """The peer has given up a stream, or does not want what is sent on it."""
        kind = StopSendingReceived if stopped else StreamReset
        self._h3.handle_event(kind(error_code=code, stream_id=stream_id))

    def may_write(self, stream: Any) -> bool:
        """Whether what is written may go: headers come before a body."""
        return self._sent.get(stream.id) is _Sent.HEADERS

    def write(self, stream: Any, data: bytes, fin: bool) -> None:
        last = self._last.pop(stream.id, None) if fin else None
        if last is not None:
            self._h3.send_headers(stream.id, last, True)
        elif stream.id in self._sent:
            self._h3.send_data(stream.id, data, fin)
        else:
            self._engine.write(stream.id, data, fin)

    def submit(self, stream: Any, headers: Any, kind: str, terminal: bool) -> bool:
        """The body of submit_..._headers()."""
        pairs = self._check(headers, kind)
        wanted = _Sent.HEADERS if kind == "trailing" else None
        if stream.writable_ended or self._sent.get(stream.id) is not wanted:
            reason = "it is ended" if stream.writable_ended else "other headers come first"
            raise invalid_state(f"submit_{kind}_headers", reason)
        if terminal:
            self._sent[stream.id] = _Sent.LAST_HEADERS
            self._last[stream.id] = pairs
            if kind == "trailing":
                # Behind the body, which may still wait.
                self._sent[stream.id] = _Sent.HEADERS
            stream.end()
            return True
        self._h3.send_headers(stream.id, pairs, False)
        if kind == "initial":
            self._sent[stream.id] = _Sent.HEADERS
        self._session._transmit_soon()
        return True

    def push(self, stream: Any, headers: Any, high_water_mark: int | None, default_encoding: str | None) -> Any:
        """The body of push_stream()."""
        session = self._session
        mark, encoding = session._stream_options(high_water_mark, default_encoding)
        if session._is_client or not stream.client_initiated or stream.unidirectional:
            raise invalid_state("push_stream", "only a server pushes, and on a request")
        pairs = self._check(headers, "push")
        if not self._engine.may_open(True):
            raise invalid_state("push_stream", "the client takes no more streams")
        try:
            push_id = self._h3._next_push_id
            stream_id = self._h3.send_push_promise(stream.id, pairs)
        except NoAvailablePushIDError:
            raise invalid_state("push_stream", "the client takes no more pushes") from None
        session._transmit_soon()
        return session._new_stream(stream_id, mark, encoding, push_id)

    def forget(self, stream_id: int) -> None:
        """A stream is destroyed."""
        self._sent.pop(stream_id, None)
        self._last.pop(stream_id, None)
        self._answered.discard(stream_id)
        state = self._h3._stream.get(stream_id)
        if state is not None and not state.is_ended():
            del self._h3._stream[stream_id]

    # === Private ===

    def _accept_push(self, stream_id: int, push_id: int) -> Any:
        session = self._session
        options = session._options
        stream = session._new_stream(stream_id, options.high_water_mark, options.default_encoding, push_id)
        session._later_call(session._hand_out, stream)
        return stream

    def _tell_headers(self, stream: Any, event: HeadersReceived) -> None:
        pairs = self._pairs(event.headers)
        if event.stream_id in self._answered:
            name = "trailingHeaders"
        elif self._session._is_client and dict(pairs).get(":status", "").startswith("1"):
            name = "informationalHeaders"
        else:
            name = "initialHeaders"
            self._answered.add(event.stream_id)
        stream._emit_headers(name, pairs, event.push_id)

    @staticmethod
    def _pairs(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
        return [(name.decode("latin1"), value.decode("latin1")) for name, value in headers]

    def _check(self, headers: Any, kind: str) -> list[tuple[bytes, bytes]]:
        """Header fields as bytes; raises TypeError or ValueError for what cannot be sent."""
        given = headers.items() if isinstance(headers, Mapping) else headers
        if isinstance(given, str | bytes) or not isinstance(given, Iterable):
            raise invalid_type("headers", "a mapping or an iterable of pairs", headers)
        found: list[tuple[bytes, bytes]] = []
        pseudo: set[str] = set()
        for pair in given:
            try:
                name, value = (each.decode("latin1") if isinstance(each, bytes) else str(each) for each in pair)
            except (TypeError, ValueError):
                raise invalid_type("headers", "a mapping or an iterable of pairs", headers) from None
            name = name.lower()
            if name.startswith(":"):
                if name in pseudo or len(pseudo) < len(found):
                    raise invalid_value("headers", name, "must come once, and before the others")
                pseudo.add(name)
            if any(mark in name + value for mark in "\r\n\0"):
                raise invalid_value("headers", name, "has a character that no header can have")
            found.append((name.encode("latin1"), value.encode("latin1", "replace")))
        asks = kind == "push" or (kind == "initial" and self._session._is_client)
        allowed: frozenset[str] = frozenset() if kind == "trailing" else _REQUEST if asks else _RESPONSE
        if pseudo - allowed:
            raise invalid_value("headers", min(pseudo - allowed), "is a pseudo-header that cannot stand here")
        needed = {":method"} if asks else set() if kind == "trailing" else {":status"}
        if needed - pseudo:
            raise invalid_value("headers", headers, f"must have {min(needed)}")
        if len(found) > self._most_pairs or sum(len(name) + len(value) for name, value in found) > self._most_length:
            raise invalid_value("headers", "...", "is too much: see options.h3")
        return found


