"""QuicSession: one connection of QUIC: its life, its streams, what goes in and out.  Section 4.

What is QUIC is the business of the engine, which knows no sockets; where datagrams come from and go to, and which ids lead
here, is that of the owner, a QuicSocket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from uvnet.addresses.address import Address
from uvnet.arguments.checks import check_high_water_mark
from uvnet.errors.codes import (
    invalid_state,
    invalid_type,
    operation_failed,
    out_of_range,
    quic_error,
    reset_by_peer,
    timed_out,
    will_not_come,
)
from uvnet.quic.alarm import Alarm
from uvnet.quic.certificates import Certificate, describe_chain
from uvnet.quic.emitter import QuicEmitter
from uvnet.quic.engine import Ending, Engine, verification_error
from uvnet.quic.histogram import Histogram
from uvnet.quic.http3 import HTTP3
from uvnet.quic.options import SessionOptions
from uvnet.quic.owner import Path, SessionOwner
from uvnet.quic.qlog import Qlog
from uvnet.quic.quic_stream import QuicStream
from uvnet.streams.encoding import canonical_encoding

__all__ = ["QuicSession"]

TRANSPORT, TLS, APPLICATION = 0, 1, 2  # families of codes with which sessions end
HANDSHAKE_TIMEOUT = 10  # seconds; a peer that goes on for ever with a handshake costs as much as one that is done
CRYPTO_ERROR = 0x100
BAD_CERTIFICATE = 42  # of TLS's alerts
HTTP3_PROTOCOL = "h3"
REQUEST_CANCELLED = 0x10C  # of HTTP/3
_KEPT = (
    "bytes_in_flight", "max_in_flight_bytes", "latest_rtt", "min_rtt", "smoothed_rtt", "loss_retransmit_count",
    "max_data_left", "ack_delay_retransmit_count",
)  # fmt: skip


def address_of(name: tuple[Any, ...] | None) -> Address | None:
    """What Python's sockets call an address, as users see it."""
    if name is None:
        return None
    return Address(name[0], "IPv6" if ":" in name[0] else "IPv4", name[1])


class QuicSession(QuicEmitter):
    """One end of a QUIC connection; made by connect() and 'session', not by users.

    Events: 'secure' (servername, alpn_protocol, cipher) once the handshake is complete; 'stream' (QuicStream) for each
    that the peer opens; 'keylog' (line as bytes); 'pathValidation' ("success" or "failure", local, remote);
    'qlog' (Qlog); 'error' (error), then 'close'.  The peer's close, an idle timeout and a stateless reset are no errors:
    see close_code, idle_timeout and stateless_reset.
    Node: "Class: QuicSession".
    """

    _is_client = False

    def __init__(self, owner: SessionOwner, options: SessionOptions, path: Path) -> None:
        super().__init__(owner)
        self._owner: SessionOwner | None = owner
        self._options = options
        self._path = path
        self._engine: Engine | None = None
        self._http3: HTTP3 | None = None
        self._streams: dict[int, QuicStream] = {}
        self._crowded: dict[int, QuicStream] = {}  # those for whose writes the engine had no room
        self._waiting: list[Callable[[BaseException | None], None]] = []  # for the handshake
        self._destroyed = False
        self._closing: asyncio.Future[None] | None = None
        self._secure = False
        self._advancing = False
        self._transmit_is_due = False
        self._code = {"code": 0, "family": APPLICATION, "silent": False}
        self._idle_timeout = False
        self._stateless_reset = False
        self._servername: str | None = None
        self._alpn: str | None = None
        self._cipher: dict[str, str] = {}
        self._authentication_error: BaseException | None = None
        self._using_early_data = False
        self._qlog: Qlog | None = None
        self._error_is_known = False
        self._is_told = False  # of its end
        self._began = monotonic()
        self._secured_at: float | None = None
        self._ended: float | None = None
        self._counts = dict.fromkeys(
            ("bytes received", "bytes sent", "bidi", "uni", "peer", "self", "keys", "blocked"), 0
        )
        self._measured: dict[str, float] = dict.fromkeys(_KEPT, 0)
        self._acknowledgements = Histogram()
        self._continuations = Histogram()
        self._last_continuation: float | None = None
        self._last_acknowledged: float | None = None
        self._alarm = Alarm(self._record, self._on_alarm)
        self._alarm.set(self._began + HANDSHAKE_TIMEOUT)

    # === State ===

    @property
    def address(self) -> Address | None:
        """The Address of this end, or None.  Node: "quicsession.address"."""
        return None if self._path is None or self._destroyed else self._path.endpoint.address

    @property
    def remote_address(self) -> Address | None:
        """The Address of the other end.  Node: "quicsession.remoteAddress"."""
        return address_of(self._path.remote)

    @property
    def socket(self) -> SessionOwner | None:
        """The QuicSocket it belongs to, None once destroyed.  Node: "quicsession.socket"."""
        return self._owner

    @property
    def alpn_protocol(self) -> str | None:
        """The protocol that was agreed on, or None before.  Node: "quicsession.alpnProtocol"."""
        return self._alpn

    @property
    def servername(self) -> str | None:
        """The name the client asked for, or None.  Node: "quicsession.servername"."""
        return self._servername

    @property
    def cipher(self) -> dict[str, str]:
        """{"name", "version"} of what encrypts, {} before the handshake is over.  Node: "quicsession.cipher"."""
        return dict(self._cipher)

    @property
    def authenticated(self) -> bool:
        """False where the peer's certificate does not verify; True too where none was asked for.

        Node: "quicsession.authenticated".
        """
        return self._authentication_error is None

    @property
    def authentication_error(self) -> BaseException | None:
        """Why it does not (ERR_QUIC_VERIFY_...), or None.  Node: "quicsession.authenticationError"."""
        return self._authentication_error

    @property
    def close_code(self) -> dict[str, Any]:
        """{"code", "family", "silent"} of its end: family 0 transport, 1 TLS, 2 application.

        Node: "quicsession.closeCode".
        """
        return dict(self._code)

    @property
    def closing(self) -> bool:
        """True once close() was called, until it is destroyed.  Node: "quicsession.closing"."""
        return self._closing is not None and not self._destroyed

    @property
    def destroyed(self) -> bool:
        """True once it is over.  Node: "quicsession.destroyed"."""
        return self._destroyed

    @property
    def handshake_complete(self) -> bool:
        """True once TLS is done at this end.  Node: "quicsession.handshakeComplete"."""
        return self._secure

    @property
    def handshake_confirmed(self) -> bool:
        """True once the peer is known to be done too.  Node: "quicsession.handshakeConfirmed"."""
        return self._secure and (self._engine is None or self._engine.is_confirmed)

    @property
    def idle_timeout(self) -> bool:
        """True where it ended because nothing came.  Node: "quicsession.idleTimeout"."""
        return self._idle_timeout

    @property
    def stateless_reset(self) -> bool:
        """True where the peer knew nothing of it any more.  Node: "quicsession.statelessReset"."""
        return self._stateless_reset

    @property
    def using_early_data(self) -> bool:
        """Whether 0-RTT was accepted; known at 'secure'.  Node: "quicsession.usingEarlyData"."""
        return self._using_early_data

    @property
    def allow_early_data(self) -> bool:
        """Whether streams may be opened before the handshake.  This is not documented in Node."""
        return False

    @property
    def max_streams(self) -> dict[str, int]:
        """{"bidi", "uni"}: how many may be opened in all, as the peer says now.  Node: "quicsession.maxStreams"."""
        if self._engine is None:
            return {"bidi": 0, "uni": 0}
        return {"bidi": self._engine.most_streams(False), "uni": self._engine.most_streams(True)}

    @property
    def qlog(self) -> Qlog | None:
        """What is logged of it, or None where that is off.  Node: "quicsession.qlog"."""
        return self._qlog

    # === Numbers ===

    @property
    def duration(self) -> float:
        """Seconds since it began, or that it lasted.  Node: "quicsession.duration"."""
        return (self._ended or monotonic()) - self._began

    @property
    def handshake_duration(self) -> float:
        """Seconds that the handshake took, or has taken so far.  Node: "quicsession.handshakeDuration"."""
        return (self._secured_at or self._ended or monotonic()) - self._began

    @property
    def bytes_received(self) -> int:
        """Bytes of datagrams that came.  Node: "quicsession.bytesReceived"."""
        return self._counts["bytes received"]

    @property
    def bytes_sent(self) -> int:
        """Bytes of datagrams that went.  Node: "quicsession.bytesSent"."""
        return self._counts["bytes sent"]

    @property
    def bidi_stream_count(self) -> int:
        """Streams in both directions there have been.  Node: "quicsession.bidiStreamCount"."""
        return self._counts["bidi"]

    @property
    def uni_stream_count(self) -> int:
        """Streams in one direction there have been.  Node: "quicsession.uniStreamCount"."""
        return self._counts["uni"]

    @property
    def peer_initiated_stream_count(self) -> int:
        """Streams that the peer has opened.  Node: "quicsession.peerInitiatedStreamCount"."""
        return self._counts["peer"]

    @property
    def self_initiated_stream_count(self) -> int:
        """Streams opened here.  Node: "quicsession.selfInitiatedStreamCount"."""
        return self._counts["self"]

    @property
    def key_update_count(self) -> int:
        """How often the keys have changed.  Node: "quicsession.keyUpdateCount"."""
        return self._counts["keys"]

    @property
    def block_count(self) -> int:
        """How often a stream was held back; 0 once destroyed.  Node: "quicsession.blockCount"."""
        return 0 if self._destroyed else self._counts["blocked"]

    @property
    def bytes_in_flight(self) -> int:
        """Bytes sent and not acknowledged; 0 once destroyed.  Node: "quicsession.bytesInFlight"."""
        return int(self._measure("bytes_in_flight")) if not self._destroyed else 0

    @property
    def max_in_flight_bytes(self) -> int:
        """The most there ever were.  Node: "quicsession.maxInFlightBytes"."""
        return int(self._measure("max_in_flight_bytes"))

    @property
    def max_data_left(self) -> int:
        """Bytes that the peer takes over all streams; 0 once destroyed.  Node: "quicsession.maxDataLeft"."""
        return int(self._measure("max_data_left")) if not self._destroyed else 0

    @property
    def loss_retransmit_count(self) -> int:
        """Packets taken for lost.  Node: "quicsession.lossRetransmitCount"."""
        return int(self._measure("loss_retransmit_count"))

    @property
    def ack_delay_retransmit_count(self) -> int:
        """Probes that were sent as no acknowledgement came.  Node: "quicsession.ackDelayRetransmitCount"."""
        return int(self._measure("ack_delay_retransmit_count"))

    @property
    def latest_rtt(self) -> float:
        """Seconds of the last round trip that was measured.  Node: "quicsession.latestRTT"."""
        return self._measure("latest_rtt")

    @property
    def min_rtt(self) -> float:
        """Seconds of the quickest one.  Node: "quicsession.minRTT"."""
        return self._measure("min_rtt")

    @property
    def smoothed_rtt(self) -> float:
        """Seconds of what is reckoned with.  Node: "quicsession.smoothedRTT"."""
        return self._measure("smoothed_rtt")

    @property
    def handshake_ack_histogram(self) -> Histogram:
        """Nanoseconds between acknowledgements.  Node: "quicsession.handshakeAckHistogram"."""
        return self._acknowledgements

    @property
    def handshake_continuation_histogram(self) -> Histogram:
        """Nanoseconds between datagrams of the handshake.  Node: "quicsession.handshakeContinuationHistogram"."""
        return self._continuations

    def _measure(self, name: str) -> float:
        if self._engine is not None:
            self._measured.update(self._engine.measure())
        return self._measured[name]

    # === Methods ===

    def close(self, code: int = 0) -> asyncio.Future[None]:
        """Open no more streams on either side, and end when those that are open have; returns a future for that.

        `code` (int) is what the peer is told, which is not in Node.  Raises RuntimeError (ERR_INVALID_STATE) where it
        is destroyed, TypeError or ValueError for a bad code.  Node: "quicsession.close()".
        """
        self._check()
        _check_code(code)
        if self._destroyed:
            raise invalid_state("close", "the session is destroyed")
        if self._closing is not None:
            return self._closing
        self._code = {"code": code, "family": APPLICATION, "silent": False}
        self._closing = self._record.loop.create_future()
        self._end_if_drained()
        return self._closing

    def destroy(self, error: BaseException | None = None, code: int | None = None) -> None:
        """End at once, and all streams with it; 'error' where one is given, then 'close'.

        The peer is told `code` (int), or close_code.  A second call does nothing.  Raises TypeError for an `error`
        that is no exception.  Node: "quicsession.destroy([error])".
        """
        self._check()
        if error is not None and not isinstance(error, BaseException):
            raise invalid_type("error", "an exception", error)
        if code is not None:
            _check_code(code)
            if not self._destroyed:
                self._code = {"code": code, "family": APPLICATION, "silent": False}
        self._destroy(error)

    def open_stream(
        self,
        half_open: bool = False,
        high_water_mark: int | None = None,
        default_encoding: str | None = None,
        wait: bool = False,
    ) -> asyncio.Future[QuicStream]:
        """Open a stream; returns a future for the QuicStream, which waits for the handshake (not with 0-RTT).

        half_open: True for one on which only this end writes; high_water_mark (bytes, both ways) and
        default_encoding: as the session's.  Where the peer takes no more streams it fails with RuntimeError
        (ERR_OPERATION_FAILED), or with wait=True waits until it does, which is not in Node.
        Raises RuntimeError (ERR_INVALID_STATE) where the session is destroyed or closing, TypeError or ValueError for
        bad arguments.  Node: "quicsession.openStream([options])".
        """
        self._check()
        for name, value in (("half_open", half_open), ("wait", wait)):
            if not isinstance(value, bool):
                raise invalid_type(f"options.{name}", "of type bool", value)
        mark, encoding = self._stream_options(high_water_mark, default_encoding)
        self._refuse_if_ending("open_stream")
        future: asyncio.Future[QuicStream] = self._record.loop.create_future()
        if self._secure or (self.allow_early_data and self._options.alpn != HTTP3_PROTOCOL):
            self._open_for(future, half_open, mark, encoding, wait, None)
        else:
            self._waiting.append(partial(self._open_for, future, half_open, mark, encoding, wait))
        return future

    def ping(self) -> None:
        """Send something, so that both ends know that the other is there.  Node: "quicsession.ping()".

        Raises RuntimeError (ERR_INVALID_STATE) where the session is destroyed.
        """
        self._check()
        if self._destroyed:
            raise invalid_state("ping", "the session is destroyed")
        self._engine_in_use().ping()
        self._transmit_soon()

    def update_key(self) -> bool:
        """Go on with new keys; returns True.  Node: "quicsession.updateKey()".

        Raises RuntimeError (ERR_INVALID_STATE) before handshake_confirmed, and where the session ends.
        """
        self._check()
        self._refuse_if_ending("update_key")
        if not self.handshake_confirmed:
            raise invalid_state("update_key", "the handshake is not confirmed yet")
        self._engine_in_use().update_key()
        self._counts["keys"] += 1
        self._transmit_soon()
        return True

    def get_certificate(self) -> Certificate:
        """The certificate of this end, {} where there is none.  Node: "quicsession.getCertificate()"."""
        return describe_chain(self._own_chain(), False) if not self._destroyed else {}

    def get_peer_certificate(self, detailed: bool = False) -> Certificate:
        """That of the other end, {} where there is none; `detailed`: with those of its issuers.

        Node: "quicsession.getPeerCertificate([detailed])".
        """
        return describe_chain(self._engine.peer_chain(), detailed) if self._engine is not None else {}

    def __repr__(self) -> str:
        state = "destroyed" if self._destroyed else "closing" if self.closing else "secure" if self._secure else "new"
        return f"<{type(self).__name__} {state}>"

    # === For the owner ===

    def _receive(self, path: Path, data: bytes, now: float) -> None:
        """A datagram for this session; _advance() follows when there are no more."""
        if self._engine is None:
            return
        self._counts["bytes received"] += len(data)
        if not self._secure:
            if self._last_continuation is not None:
                self._continuations.record(int((now - self._last_continuation) * 1e9))
            self._last_continuation = now
        self._engine.receive(data, path.remote, now)
        if path.remote == self._path.remote or self._engine.remote == path.remote:
            self._path = path

    def _advance(self) -> None:
        """Tell what has come, and send what is due."""
        if self._advancing or self._engine is None:
            return
        self._advancing = True
        try:
            self._engine.deliver()
            for stream in list(self._crowded.values()):
                if self._engine is None:
                    break
                if self._stream_room(stream) > 0:
                    self._crowded.pop(stream.id, None)
                    stream._go_on()
            self._transmit()
        finally:
            self._advancing = False

    def _start(self, engine: Engine) -> None:
        self._engine = engine
        if engine.qlog is not None:
            self._qlog = engine.qlog
            if not self._is_client:
                self._emit_later("qlog", engine.qlog)

    def _reset_statelessly(self) -> None:
        """The peer knows nothing of the connection any more."""
        self._stateless_reset = True
        self._code["silent"] = True
        self._destroy(None, reset_by_peer(0))

    # === For the engine ===

    def _on_protocol(self) -> None:
        """It is agreed, and nothing has come on any stream yet: 0-RTT data comes before the handshake is over."""
        engine = self._engine_in_use()
        if engine.alpn == HTTP3_PROTOCOL:
            self._http3 = HTTP3(self, engine, self._options.h3 or {})

    def _on_handshake(self, early_data: bool) -> None:
        engine = self._engine_in_use()
        self._secure = True
        self._secured_at = monotonic()
        self._alpn = engine.alpn
        self._cipher = engine.cipher()
        self._servername = self._servername or engine.servername
        self._using_early_data = early_data
        if self._owner is not None:
            self._owner._session_secured(self)
        error = engine.verify_peer()
        if error is not None:
            self._authentication_error = verification_error(error)
            if self._rejects_unverified():
                self._code = {"code": BAD_CERTIFICATE, "family": TLS, "silent": False}
                self._destroy(self._authentication_error)
                return
        self._emit_later("secure", self._servername, self._alpn, self.cipher)
        self._later_call(self._handshake_is_over)

    def _on_data(self, stream_id: int, data: bytes, fin: bool) -> None:
        if self._http3 is not None:
            self._http3.receive(stream_id, data, fin)
            return
        stream = self._streams.get(stream_id) or self._accept_stream(stream_id)
        if stream is not None:
            stream._deliver(data, len(data), fin)
        else:
            self._engine_in_use().credit(None, len(data))

    def _on_reset(self, stream_id: int, code: int) -> None:
        if self._http3 is not None:
            self._http3.interrupted(stream_id, code, False)
        stream = self._streams.get(stream_id) or self._accept_stream(stream_id)
        if stream is not None:
            stream._peer_reset(code)

    def _on_stopped(self, stream_id: int, code: int) -> None:
        if self._http3 is not None:
            self._http3.interrupted(stream_id, code, True)
        stream = self._streams.get(stream_id) or self._accept_stream(stream_id)
        if stream is not None:
            stream._peer_stopped(code)

    def _on_id(self, connection_id: bytes, added: bool) -> None:
        if self._owner is None:
            return
        if added:
            self._owner._add_route(connection_id, self)
        else:
            self._owner._remove_route(connection_id)

    def _on_keys_changed(self) -> None:
        self._counts["keys"] += 1

    def _on_path(self, valid: bool, remote: tuple[Any, ...]) -> None:
        self._emit_later("pathValidation", "success" if valid else "failure", self.address, address_of(remote))

    def _on_acknowledged(self, stream_id: int) -> None:
        now = monotonic()
        if self._last_acknowledged is not None:
            self._acknowledgements.record(int((now - self._last_acknowledged) * 1e9))
        self._last_acknowledged = now
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream._acknowledged()

    def _on_keylog(self, line: bytes) -> None:
        self._emit_later("keylog", line)

    def _on_end(self, ending: Ending) -> None:
        """The connection is over, by the peer's will, by time, or as the peer broke the rules."""
        if self._destroyed:
            return
        self._idle_timeout = ending.cause == "idle timeout"
        error: BaseException | None = None
        if ending.cause == "versions":
            error = quic_error(
                "VERSION_NEGOTIATION", "No version of QUIC is spoken at both ends", detail=ending.versions
            )
        elif ending.cause == "local":
            reason = ending.reason or f"code {ending.code}"
            error = (
                quic_error("ERROR", f"The connection cannot go on: {reason}", quic_code=ending.code)
                if self._secure
                else operation_failed(f"Handshake failed: {reason}")
            )
        code = ending.code - CRYPTO_ERROR if ending.family == TLS else ending.code
        if ending.cause in ("peer", "local"):
            self._code = {"code": code, "family": ending.family, "silent": ending.cause == "peer"}
        else:
            self._code["silent"] = True
        cut_off = timed_out("the session has timed out") if self._idle_timeout else reset_by_peer(code)
        self._destroy(error, cut_off)

    # === For streams ===

    def _stream_room(self, stream: QuicStream) -> int:
        """Bytes of the stream that the engine takes now; where it is none it will be told."""
        assert self._engine is not None
        room = self._engine.room(stream.id)
        if self._http3 is not None and not self._http3.may_write(stream):
            room = 0
        if room <= 0:
            self._crowded[stream.id] = stream
        return room

    def _stream_write(self, stream: QuicStream, data: bytes, fin: bool) -> None:
        if self._http3 is not None:
            self._http3.write(stream, data, fin)
        else:
            assert self._engine is not None
            self._engine.write(stream.id, data, fin)
        self._transmit_soon()

    def _stream_credit(self, stream: QuicStream, count: int) -> None:
        assert self._engine is not None
        if self._engine.credit(stream.id, count):
            self._transmit_soon()

    def _stream_stop(self, stream: QuicStream) -> None:
        self._engine_in_use().stop(stream.id, self._abandon_code())
        self._transmit_soon()

    def _stream_gone(self, stream: QuicStream, owed: int, unsent: bool, unread: bool) -> None:
        """It is destroyed; what it has not sent or not read to the end is given up at both ends."""
        engine = self._engine_in_use()
        self._streams.pop(stream.id, None)
        self._crowded.pop(stream.id, None)
        engine.credit(None, owed)
        engine.forget(stream.id)
        if unsent:
            engine.reset(stream.id, self._abandon_code())
        if unread:
            engine.stop(stream.id, self._abandon_code())
        if self._http3 is not None:
            self._http3.forget(stream.id)
        self._transmit_soon()
        self._end_if_drained()

    def _stream_offsets(self, stream: QuicStream) -> dict[str, int]:
        return self._engine.offsets(stream.id) if self._engine is not None else {}

    # === For http3.py ===

    def _accept_stream(self, stream_id: int) -> QuicStream | None:
        """A stream that the peer has opened; None for what is not wanted any more."""
        if bool(stream_id & 1) != self._is_client:
            # One of ours, that is over here.
            return None
        if self._destroyed:
            return None
        if self.closing:
            engine = self._engine_in_use()
            engine.stop(stream_id, self._abandon_code())
            if not stream_id & 2:
                engine.reset(stream_id, self._abandon_code())
            return None
        if not self._engine_in_use().is_new(stream_id):
            return None
        stream = self._new_stream(stream_id, self._options.high_water_mark, self._options.default_encoding)
        self._later_call(self._hand_out, stream)
        return stream

    def _new_stream(
        self, stream_id: int, high_water_mark: int, default_encoding: str, push_id: int | None = None
    ) -> QuicStream:
        stream = QuicStream(self, stream_id, high_water_mark, default_encoding, push_id)
        self._streams[stream_id] = stream
        self._engine_in_use().watch(stream_id)
        self._counts["uni" if stream_id & 2 else "bidi"] += 1
        self._counts["peer" if bool(stream_id & 1) == self._is_client else "self"] += 1
        return stream

    def _stream_options(self, high_water_mark: int | None, default_encoding: str | None) -> tuple[int, str]:
        mark = self._options.high_water_mark if high_water_mark is None else high_water_mark
        encoding = self._options.default_encoding if default_encoding is None else default_encoding
        return check_high_water_mark(mark, "options.high_water_mark"), canonical_encoding(encoding)

    def _transmit_soon(self) -> None:
        """Send what is due once the listener that runs, and others before the next I/O, have said all they have to."""
        if not self._transmit_is_due and not self._advancing and not self._destroyed:
            self._transmit_is_due = True
            self._later_call(self._transmit_now)

    # === For subclasses ===

    def _own_chain(self) -> list[bytes]:
        """The certificates of this end, as DER."""
        return []

    def _rejects_unverified(self) -> bool:
        return True

    def _transmitted(self) -> None:
        pass

    # === Private ===

    def _open_for(
        self,
        future: asyncio.Future[QuicStream],
        half_open: bool,
        mark: int,
        encoding: str,
        wait: bool,
        error: BaseException | None,
    ) -> None:
        """The rest of open_stream(): the handshake is over, or has failed."""
        if future.done():
            return
        if error is None and (self._destroyed or self.closing):
            error = invalid_state("open_stream", "the session is closing")
        if error is None and not self._engine_in_use().may_open(half_open):
            if wait:
                again = partial(self._open_for, future, half_open, mark, encoding, wait, None)
                self._engine_in_use().tell_of_more_streams(again)
                return
            error = operation_failed("Unable to create QuicStream: the peer takes no more")
        if error is not None:
            future.set_exception(error)
            return
        stream_id = self._engine_in_use().open(half_open)
        future.set_result(self._new_stream(stream_id, mark, encoding))

    def _engine_in_use(self) -> Engine:
        assert self._engine is not None
        return self._engine

    def _refuse_if_ending(self, method: str) -> None:
        if self._destroyed or self._closing is not None:
            raise invalid_state(method, f"the session is {'destroyed' if self._destroyed else 'closing'}")

    def _abandon_code(self) -> int:
        return REQUEST_CANCELLED if self._http3 is not None else 0

    def _hand_out(self, stream: QuicStream) -> None:
        if not stream.destroyed and not self._destroyed:
            self._emit_here("stream", stream)

    def _handshake_is_over(self) -> None:
        if not self._destroyed:
            waiting, self._waiting = self._waiting, []
            for ready in waiting:
                ready(None)

    def _transmit_now(self) -> None:
        self._transmit_is_due = False
        self._advance()

    def _on_alarm(self) -> None:
        if self._engine is None:
            self._handshake_too_slow()
            return
        now = monotonic()
        if not self._secure and now >= self._began + HANDSHAKE_TIMEOUT:
            self._handshake_too_slow()
            return
        self._engine.handle_timer(now)
        self._advance()

    def _handshake_too_slow(self) -> None:
        self._idle_timeout = True
        self._destroy(operation_failed("Handshake failed: it has taken too long"))

    def _transmit(self) -> None:
        engine, owner = self._engine, self._owner
        if engine is None or owner is None:
            return
        for remote, datagrams in engine.datagrams(monotonic()):
            self._counts["bytes sent"] += sum(map(len, datagrams))
            owner._send(self._path if remote == self._path.remote else self._path.to(remote), datagrams)
        engine.deliver()
        if self._engine is None:
            return
        for stream in self._crowded.values():
            blocked = engine.is_blocked(stream.id)
            if blocked and not stream.destroyed:
                self._counts["blocked"] += 1
            stream._set_blocked(blocked)
        due = engine.timer()
        if not self._secure:
            limit = self._began + HANDSHAKE_TIMEOUT
            due = limit if due is None else min(due, limit)
        self._alarm.set(due)
        self._transmitted()
        self._end_if_drained()

    def _end_if_drained(self) -> None:
        if self._closing is not None and not self._destroyed and not self._streams and (
            self._engine is None or self._engine.is_everything_acknowledged()
        ):
            self._destroy(None)

    def _destroy(self, error: BaseException | None, cut_off: BaseException | None = None) -> None:
        """End at once; `cut_off` is what streams are told that have not ended, where that is nobody's will here."""
        if self._destroyed:
            return
        self._destroyed = True
        self._ended = monotonic()
        engine, owner = self._engine, self._owner
        for stream in list(self._streams.values()):
            stream._over(error, cut_off)
        self._streams.clear()
        self._crowded.clear()
        last: list[bytes] = []
        if engine is not None:
            self._measure("min_rtt")
            if not self._code["silent"] and owner is not None:
                for remote, datagrams in engine.close(self._code["code"], self._code["family"], monotonic()):
                    self._counts["bytes sent"] += sum(map(len, datagrams))
                    owner._send(self._path if remote == self._path.remote else self._path.to(remote), datagrams)
                    last = datagrams
            engine.finish()
        self._engine = self._http3 = None
        self._alarm.close()
        self._owner = None
        waiting, self._waiting = self._waiting, []
        for ready in waiting:
            self._error_is_known = True
            ready(error if error is not None and self._is_handshake_error(error) else operation_failed("Handshake failed"))
        if error is not None:
            self._emit_later("error", error)
        self._later_call(self._tell_closed, error)
        if owner is not None:
            owner._session_gone(self, error, last)

    @staticmethod
    def _is_handshake_error(error: BaseException) -> bool:
        return getattr(error, "code", "") == "ERR_OPERATION_FAILED"

    def _tell_closed(self, error: BaseException | None) -> None:
        self._is_told = True
        self._emit_here("close")
        if self._closing is not None and not self._closing.done():
            if error is None:
                self._closing.set_result(None)
            else:
                self._closing.set_exception(error)
                # 'error' has told of it, where nobody awaits this.
                self._closing.exception()

    def _listener_raised(self, event: Any, argument: Any, error: BaseException) -> None:
        if event == "stream" and isinstance(argument, QuicStream):
            # The stream's error, and its alone.
            self._report(error)
            argument.destroy(error)
        elif self._destroyed:
            self._report(error)
        else:
            self._destroy(error)

    def _errors_are_heard(self) -> bool:
        return self._error_is_known or self._closing is not None

    def _why_never(self, event: Any) -> Exception | None:
        return will_not_come(event) if self._is_told else None


def _check_code(code: Any) -> None:
    if isinstance(code, bool) or not isinstance(code, int):
        raise invalid_type("code", "of type int", code)
    if not 0 <= code < 2**62:
        raise out_of_range("code", ">= 0 and < 2 ** 62", code)
