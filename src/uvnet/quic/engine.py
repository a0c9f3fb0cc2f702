"""Engine: one QUIC connection without a socket, by aioquic.  The one module that knows it.

aioquic is asked for what it offers, and beyond that by the private names that PRIVATE_NAMES lists: each is looked for by a
test, so that a version which has others is found out before it is used.  What it leaves open is done here: credit by what
was read (credit.py), tokens of stateless resets, verification that says why, and an end of everything it keeps.
"""

from __future__ import annotations

import hmac
import logging
import math
import ssl
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from aioquic import tls
from aioquic.buffer import Buffer  # type: ignore[attr-defined]
from aioquic.quic import events
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection, QuicConnectionState
from aioquic.quic.crypto import CryptoError, CryptoPair  # type: ignore[attr-defined]
from aioquic.quic.logger import QuicLogger, QuicLoggerTrace
from aioquic.quic.packet import (
    QuicFrameType,
    QuicPacketType,
    QuicPreferredAddress,
    QuicProtocolVersion,
    encode_quic_retry,
    pull_quic_header,
    pull_quic_transport_parameters,
    push_quic_transport_parameters,
)
from aioquic.quic.packet_builder import QuicDeliveryState, QuicPacketBuilder
from aioquic.quic.stream import QuicStreamSender
from aioquic.tls import SessionTicket
from cryptography.hazmat.primitives.serialization import Encoding

from uvnet.errors.codes import quic_error
from uvnet.quic.context import QuicContext
from uvnet.quic.credit import Credit
from uvnet.quic.options import SessionOptions
from uvnet.quic.qlog import Qlog
from uvnet.quic.tokens import reset_token

__all__ = [
    "PRIVATE_NAMES",
    "TRANSPORT_PARAMETERS",
    "VERSIONS",
    "Ending",
    "Engine",
    "SessionTicket",
    "check_parameters",
    "cipher_suite_of",
    "new_session_ticket",
    "read_client_hello",
    "refusal",
    "retry",
    "verification_error",
]

VERSIONS = [int(QuicProtocolVersion.VERSION_1), int(QuicProtocolVersion.VERSION_2)]
TRANSPORT_PARAMETERS = int(tls.ExtensionType.QUIC_TRANSPORT_PARAMETERS)
ID_LENGTH = 8
HIGHEST_ROOM = 1_048_576  # bytes of one stream that are handed over and not acknowledged
LEAST_ROOM = 65_536
CRYPTO_ERROR = 0x100
INTERNAL_ERROR = 0x1

# What aioquic does not promise, by where it is.
PRIVATE_NAMES = {
    "QuicConnection": (
        "_abandon_path_validation", "_close_at", "_close_event", "_cryptos", "_handshake_confirmed", "_host_cid_seq",
        "_host_cids", "_initialize", "_local_active_connection_id_limit", "_local_max_data",
        "_local_max_stream_data_bidi_local", "_local_max_stream_data_bidi_remote", "_local_max_stream_data_uni",
        "_local_max_streams_bidi", "_local_max_streams_uni", "_log_key_updated", "_loss", "_max_datagram_size",
        "_network_paths", "_original_destination_connection_id", "_parse_transport_parameters", "_peer_cid",
        "_peer_cid_available", "_receive_version_negotiation_packet", "_remote_max_data", "_remote_max_data_used",
        "_remote_max_streams_bidi", "_remote_max_streams_uni", "_remote_preferred_address", "_replenish_connection_ids",
        "_send_probe", "_serialize_transport_parameters", "_state", "_streams", "_unblock_streams", "_version",
        "_write_stream_limits",
    ),
    "QuicNetworkPath": ("is_validated", "local_challenge_sent", "validation_deadline", "bytes_received", "addr"),
    "QuicPacketRecovery": ("_on_packets_lost", "_pacer", "_rtt_latest", "_rtt_min", "_rtt_smoothed"),
    "QuicStreamSender": ("_buffer_start", "_buffer_stop", "on_data_delivery"),
    "QuicStreamReceiver": ("_final_size", "highest_offset"),
    "Context": (
        "_client_handle_hello", "_max_early_data", "_peer_certificate", "_peer_certificate_chain",
        "_request_client_certificate", "_server_handle_hello", "_supported_groups",
    ),
}  # fmt: skip

# What it has to say is told by errors; its logger would tell it of every stranger's packet.
logging.getLogger("quic").setLevel(logging.CRITICAL)

_GROUPS = {
    "P-256": ("SECP256R1", 256),
    "P-384": ("SECP384R1", 384),
    "P-521": ("SECP521R1", 521),
    "X25519": ("X25519", 253),
    "X448": ("X448", 448),
}


@dataclass(frozen=True)
class Ending:
    """How a connection has ended: `cause` is "peer", "local", "idle timeout" or "versions"."""

    cause: str
    code: int
    family: int  # 0 transport, 1 TLS, 2 application
    reason: str
    versions: Any = None


class Told(Protocol):
    """Who hears of what happens in a connection: a session."""

    _record: Any

    def _is_heard(self, event: str) -> bool: ...
    def _on_protocol(self) -> None: ...
    def _on_handshake(self, early_data: bool) -> None: ...
    def _on_data(self, stream_id: int, data: bytes, fin: bool) -> None: ...
    def _on_reset(self, stream_id: int, code: int) -> None: ...
    def _on_stopped(self, stream_id: int, code: int) -> None: ...
    def _on_id(self, connection_id: bytes, added: bool) -> None: ...
    def _on_path(self, valid: bool, remote: tuple[Any, ...]) -> None: ...
    def _on_keylog(self, line: bytes) -> None: ...
    def _on_ticket(self, ticket: SessionTicket) -> None: ...
    def _on_keys_changed(self) -> None: ...
    def _on_acknowledged(self, stream_id: int) -> None: ...
    def _on_preferred_address(self, address: str, port: int, kind: str) -> bool: ...
    def _on_end(self, ending: Ending) -> None: ...


class Engine:
    """One end of a connection.  Times are those of time.monotonic()."""

    def __init__(
        self,
        told: Any,
        *,
        client: bool,
        remote: tuple[Any, ...],
        context: QuicContext,
        options: SessionOptions,
        servername: str | None = None,
        verify_hostname: bool = True,
        ticket: SessionTicket | None = None,
        dcid: bytes | None = None,
        original: bytes | None = None,
        replaced: bytes | None = None,
        early_data: bool = True,
        request_cert: bool = False,
        reset_secret: bytes | None = None,
        tickets: Any = None,
        preferred_address: tuple[str, int, bool] | None = None,
        qlog: bool = False,
    ) -> None:
        self._told = told
        self._client = client
        self._remote = remote
        self._context = context
        self.servername = servername
        self._verify_hostname = verify_hostname
        self._requests = client or request_cert
        self._ended = False
        self._over: Ending | None = None
        self._idle = False
        self._owed: dict[int, int] = {}  # credit of streams that the peer has not got yet
        self._more_streams: list[Callable[[], None]] = []
        self._newest = [-4 + kind for kind in range(4)]  # the last stream of each kind that the peer has opened
        self._untold: set[int] = set()  # opened before those, and nothing has come on them yet
        self._most_in_flight = 0
        self._tried_path = False
        payload = options.max_udp_payload_size or (1232 if ":" in remote[0] else 1252)
        configuration = QuicConfiguration(
            alpn_protocols=[options.alpn],
            congestion_control_algorithm=options.congestion_algorithm,
            connection_id_length=ID_LENGTH,
            idle_timeout=options.idle_timeout or 2.0**31,
            is_client=client,
            max_data=options.max_data,
            max_datagram_size=payload,
            server_name=servername,
            session_ticket=ticket,
            verify_mode=ssl.CERT_NONE,
            supported_versions=list(VERSIONS),
        )
        if context.certificates:
            configuration.certificate = context.certificates[0]
            configuration.certificate_chain = context.certificates[1:]
            configuration.private_key = context.key
        configuration.cipher_suites = [getattr(tls.CipherSuite, name[4:]) for name in context.ciphers]
        configuration.secrets_log_file = _KeyLog(told)  # type: ignore[assignment]
        self.qlog: Qlog | None = None
        if qlog:
            configuration.quic_logger = _Logger(self)
        self._connection = _Connection(
            self,
            configuration,
            options,
            payload,
            early_data=early_data,
            request_cert=request_cert,
            reset_secret=reset_secret,
            preferred_address=preferred_address,
            original_destination_connection_id=original,
            retry_source_connection_id=replaced,
            session_ticket_fetcher=None if tickets is None else tickets.take,
            session_ticket_handler=told._on_ticket if client else None if tickets is None else tickets.add,
        )
        if dcid is not None:
            self._connection._peer_cid.cid = dcid
            self._connection._original_destination_connection_id = dcid
        for each in self._connection._host_cids:
            told._on_id(each.cid, True)

    # === What is known ===

    @property
    def connection(self) -> QuicConnection:
        """For http3.py, which hands it to aioquic."""
        return self._connection

    @property
    def remote(self) -> tuple[Any, ...]:
        """Where datagrams go now."""
        paths = self._connection._network_paths
        found: tuple[Any, ...] = paths[0].addr if paths else self._remote
        return found

    @property
    def is_confirmed(self) -> bool:
        return bool(self._connection._handshake_confirmed)

    @property
    def alpn(self) -> str | None:
        return self._connection.tls.alpn_negotiated

    @property
    def may_send_early(self) -> bool:
        """Whether there are keys for 0-RTT."""
        cryptos = self._connection._cryptos
        return bool(cryptos) and cryptos[tls.Epoch.ZERO_RTT].send.is_valid()

    def cipher(self) -> dict[str, str]:
        schedule = self._connection.tls.key_schedule
        name = schedule.cipher_suite.name if schedule is not None else ""
        return {"name": f"TLS_{name}", "version": "TLSv1.3"}

    def key_exchange(self) -> dict[str, Any]:
        found = self._connection.group
        for name, (group, size) in _GROUPS.items():
            if found == group:
                return {"type": "ECDH", "name": name, "size": size}
        return {}

    def peer_chain(self) -> list[bytes]:
        """The certificates that the peer has shown, as DER, its own first."""
        context = getattr(self._connection, "tls", None)
        if context is None or context._peer_certificate is None:
            return []
        return [each.public_bytes(Encoding.DER) for each in (context._peer_certificate, *context._peer_certificate_chain)]

    def verify_peer(self) -> Exception | None:
        """Why the peer is not who it has to be, or None; None too where nobody has to be anybody."""
        context = self._connection.tls
        certificate = context._peer_certificate
        if not self._requests or (certificate is None and context.session_resumed):
            return None
        if certificate is None:
            return ValueError("no certificate was shown")
        authorities = self._context.authorities
        trusted = None if authorities is None else b"".join(map(_pem, authorities))
        chain = context._peer_certificate_chain
        try:
            tls.verify_certificate(certificate=certificate, chain=chain, cadata=trusted)
        except Exception as error:
            return error
        if self._client and self._verify_hostname:
            name = self.servername or self._remote[0]
            try:
                tls.verify_certificate(certificate=certificate, chain=chain, cadata=trusted, server_name=name)
            except Exception as error:
                return ValueError(f"{name} is not in the certificate: {error}")
        for revoked in self._context.revoked:
            for each in (certificate, *context._peer_certificate_chain):
                if each.issuer == revoked.issuer and revoked.get_revoked_certificate_by_serial_number(
                    each.serial_number
                ):
                    return ValueError("certificate revoked")
        return None

    def most_streams(self, unidirectional: bool) -> int:
        connection = self._connection
        return int(connection._remote_max_streams_uni if unidirectional else connection._remote_max_streams_bidi)

    def measure(self) -> dict[str, float]:
        loss = self._connection._loss
        least = loss._rtt_min
        return {
            "bytes_in_flight": loss.bytes_in_flight,
            "max_in_flight_bytes": self._most_in_flight,
            "latest_rtt": loss._rtt_latest,
            "min_rtt": 0.0 if least == float("inf") else least,
            "smoothed_rtt": loss._rtt_smoothed,
            "loss_retransmit_count": self._connection.lost,
            "ack_delay_retransmit_count": self._connection.probes,
            "max_data_left": max(self._connection._remote_max_data - self._connection._remote_max_data_used, 0),
        }

    def offsets(self, stream_id: int) -> dict[str, int]:
        stream = self._connection._streams.get(stream_id)
        if stream is None:
            return {}
        return {
            "acknowledged": stream.sender._buffer_start,
            "extended": stream.max_stream_data_local,
            "final": stream.receiver._final_size or 0,
        }

    # === What is done ===

    def connect(self, now: float) -> None:
        self._connection.connect(self._remote, now)

    def receive(self, data: bytes, remote: tuple[Any, ...], now: float) -> None:
        try:
            self._connection.receive_datagram(data, remote, now)
        except Exception as error:
            # What strangers send must not reach anybody's loop.
            self._connection.close(INTERNAL_ERROR, QuicFrameType.PADDING, f"{type(error).__name__}: {error}"[:64])

    def handle_timer(self, now: float) -> None:
        connection = self._connection
        if connection._close_at is not None and now >= connection._close_at and connection._close_event is None:
            self._idle = True
        if connection._close_at is not None:
            connection.handle_timer(now)

    def timer(self) -> float | None:
        if self._connection._close_at is None:
            return None
        due: float | None = self._connection.get_timer()
        return due

    def datagrams(self, now: float) -> list[tuple[tuple[Any, ...], list[bytes]]]:
        """What is to be sent now, by where to."""
        if not self._connection._network_paths or self._connection._close_event is not None:
            return []
        found = self._gather(now)
        self._most_in_flight = max(self._most_in_flight, self._connection._loss.bytes_in_flight)
        return found

    def close(self, code: int, family: int, now: float) -> list[tuple[tuple[Any, ...], list[bytes]]]:
        """Say that it is over; what says so."""
        connection = self._connection
        if not connection._network_paths or not connection._cryptos:
            return []
        if connection._close_event is None:
            wire = code + CRYPTO_ERROR if family == 1 else code
            connection.close(wire, None if family == 2 else QuicFrameType.PADDING, "")
        return self._gather(now)

    def finish(self) -> None:
        """Nothing follows."""
        if self.qlog is not None:
            self.qlog._end()
        self._ended = True

    def deliver(self) -> None:
        """Tell of what has happened."""
        told, connection = self._told, self._connection
        while not self._ended:
            event = connection.next_event()
            if event is None:
                break
            if isinstance(event, events.StreamDataReceived):
                told._on_data(event.stream_id, event.data, event.end_stream)
            elif isinstance(event, events.ProtocolNegotiated):
                told._on_protocol()
            elif isinstance(event, events.HandshakeCompleted):
                told._on_handshake(event.early_data_accepted)
            elif isinstance(event, events.StreamReset):
                told._on_reset(event.stream_id, event.error_code)
            elif isinstance(event, events.StopSendingReceived):
                told._on_stopped(event.stream_id, event.error_code)
            elif isinstance(event, events.ConnectionIdIssued):
                told._on_id(event.connection_id, True)
            elif isinstance(event, events.ConnectionIdRetired):
                told._on_id(event.connection_id, False)
        if self._ended:
            return
        self._look_at_path()
        ending = self._ending()
        if ending is not None:
            told._on_end(ending)

    def ping(self) -> None:
        self._connection.send_ping(0)

    def update_key(self) -> None:
        self._connection.request_key_update()

    # === Streams ===

    def may_open(self, unidirectional: bool) -> bool:
        number = self._connection.get_next_available_stream_id(unidirectional) // 4
        return number < self.most_streams(unidirectional)

    def open(self, unidirectional: bool) -> int:
        """The id of a new stream, of which the peer hears with its first bytes."""
        stream_id: int = self._connection.get_next_available_stream_id(unidirectional)
        self._connection.send_stream_data(stream_id, b"")
        return stream_id

    def watch(self, stream_id: int) -> None:
        """Tell of what is acknowledged of it."""
        self._connection.watch(stream_id)

    def forget(self, stream_id: int) -> None:
        """Nobody reads or writes it any more."""
        self._owed.pop(stream_id, None)

    def tell_of_more_streams(self, function: Callable[[], None]) -> None:
        self._more_streams.append(function)

    def is_new(self, stream_id: int) -> bool:
        """Whether the peer has opened it and it was never told of; it has been now."""
        kind = stream_id & 3
        if stream_id > self._newest[kind]:
            # Earlier ones may come later: no more than the peer may have at a time.
            self._untold.update(range(self._newest[kind] + 4, stream_id, 4))
            self._newest[kind] = stream_id
            return True
        if stream_id in self._untold:
            self._untold.discard(stream_id)
            return True
        return False

    def room(self, stream_id: int) -> int:
        """Bytes of a stream that may be handed over now: so many, and not all that somebody writes, are kept here."""
        stream = self._connection._streams.get(stream_id)
        if stream is None:
            return LEAST_ROOM
        window = min(max(2 * self._connection._loss.congestion_window, LEAST_ROOM), HIGHEST_ROOM)
        return int(window - (stream.sender._buffer_stop - stream.sender._buffer_start))

    def is_blocked(self, stream_id: int) -> bool:
        """Whether flow control or congestion holds back what was handed over."""
        connection = self._connection
        stream = connection._streams.get(stream_id)
        if stream is None or stream.sender.buffer_is_empty:
            return False
        return (
            stream.is_blocked
            or stream.sender.highest_offset >= stream.max_stream_data_remote
            or connection._remote_max_data_used >= connection._remote_max_data
            or connection._loss.bytes_in_flight + connection._max_datagram_size > connection._loss.congestion_window
        )

    def write(self, stream_id: int, data: bytes, fin: bool) -> None:
        stream = self._connection._streams.get(stream_id)
        if stream is not None:
            # send_stream_data() would look for it once more, by half a dozen calls.
            stream.sender.write(data, end_stream=fin)
        elif not stream_id & 1 == self._client:
            self._connection.send_stream_data(stream_id, data, fin)

    def reset(self, stream_id: int, code: int) -> None:
        stream = self._connection._streams.get(stream_id)
        if stream is not None and not stream.sender.is_finished:
            self._connection.reset_stream(stream_id, code)

    def stop(self, stream_id: int, code: int) -> None:
        stream = self._connection._streams.get(stream_id)
        if stream is not None and not stream.receiver.is_finished:
            self._connection.stop_stream(stream_id, code)

    def credit(self, stream_id: int | None, count: int) -> bool:
        """The peer may send so much more, on the stream where one is said; whether it has to be told."""
        if not count:
            return False
        due = self._connection._local_max_data.grant(count)
        stream = None if stream_id is None else self._connection._streams.get(stream_id)
        if stream is not None and stream_id is not None and not stream.receiver.is_finished:
            owed = self._owed.get(stream_id, 0) + count
            # Of every bit the peer need not hear.
            if owed * 2 >= self._connection.window_of(stream_id):
                self._owed.pop(stream_id, None)
                stream.max_stream_data_local += owed
                due = True
            else:
                self._owed[stream_id] = owed
        return bool(due)

    def is_everything_acknowledged(self) -> bool:
        return all(stream.sender.is_finished for stream in self._connection._streams.values())

    # === Paths ===

    def is_reset(self, data: bytes) -> bool:
        """Whether a packet for nobody says that the peer knows nothing of the connection any more."""
        connection = self._connection
        last = data[-16:]
        return len(data) >= 21 and any(
            bool(each.stateless_reset_token) and hmac.compare_digest(each.stateless_reset_token, last)
            for each in (connection._peer_cid, *connection._peer_cid_available)
        )

    def migrate(self) -> None:
        """Our address has changed: another connection id, and a question whether the peer can be reached."""
        self._connection.change_connection_id()
        path = self._connection._network_paths[0]
        path.is_validated = False
        path.local_challenge_sent = False
        # Who gives up looking is the session.
        path.validation_deadline = math.inf
        # Who asks is no victim of amplification.
        path.bytes_received = 1 << 40
        self._tried_path = True


    def trust_path(self) -> None:
        self._tried_path = False
        path = self._connection._network_paths[0]
        path.is_validated = True
        path.validation_deadline = None

    def is_path_in_doubt(self) -> bool:
        return not self._connection._network_paths[0].is_validated

    # === Private ===

    def _gather(self, now: float) -> list[tuple[tuple[Any, ...], list[bytes]]]:
        found: dict[tuple[Any, ...], list[bytes]] = {}
        for data, remote in self._connection.datagrams_to_send(now):
            found.setdefault(remote, []).append(data)
        return list(found.items())

    def _look_at_path(self) -> None:
        paths = self._connection._network_paths
        if not paths:
            return
        path = paths[0]
        if self._client:
            if self._tried_path and path.is_validated:
                self._tried_path = False
                self._told._on_path(True, path.addr)
        elif path.addr != self._remote:
            if path.is_validated:
                self._remote = path.addr
                self._told._on_path(True, path.addr)

    def _ending(self) -> Ending | None:
        event = self._connection._close_event
        if event is None:
            return None
        code, reason = int(event.error_code), event.reason_phrase or ""
        if event.frame_type is None:
            family = 2
        else:
            family = 1 if CRYPTO_ERROR <= code < 2 * CRYPTO_ERROR else 0
        if self._idle:
            return Ending("idle timeout", 0, 0, reason)
        if self._connection.offered is not None:
            return Ending("versions", 0, 0, reason, self._connection.offered)
        return Ending("peer" if self._connection.is_draining else "local", code, family, reason)

    def _streams_allowed(self) -> None:
        waiting, self._more_streams = self._more_streams, []
        for function in waiting:
            function()


class _Connection(QuicConnection):
    """aioquic's connection, with what it leaves open filled in."""

    def __init__(
        self,
        engine: Engine,
        configuration: QuicConfiguration,
        options: SessionOptions,
        payload: int,
        *,
        early_data: bool,
        request_cert: bool,
        reset_secret: bytes | None,
        preferred_address: tuple[str, int, bool] | None,
        **others: Any,
    ) -> None:
        self._engine = engine
        self._options = options
        self._payload = payload
        self._early_data = early_data
        self._request_cert = request_cert
        self._reset_secret = reset_secret
        self._preferred = preferred_address
        self.group: str | None = None
        self.lost = 0
        self.probes = 0
        self.offered: Any = None
        super().__init__(configuration=configuration, **others)
        self._local_active_connection_id_limit = options.active_connection_id_limit
        self._local_max_stream_data_bidi_local = options.max_stream_data_bidi_local
        self._local_max_stream_data_bidi_remote = options.max_stream_data_bidi_remote
        self._local_max_stream_data_uni = options.max_stream_data_uni
        self._local_max_data: Any = Credit(self._local_max_data, options.max_data)
        for limit, value in (
            (self._local_max_streams_bidi, options.max_streams_bidi),
            (self._local_max_streams_uni, options.max_streams_uni),
        ):
            limit.value = limit.sent = value
        self._loss._pacer = _Unpaced()  # type: ignore[assignment]
        lost = self._loss._on_packets_lost

        def count_lost(*, packets: Iterable[Any], **others: Any) -> None:
            packets = list(packets)
            self.lost += len(packets)
            lost(packets=packets, **others)

        self._loss._on_packets_lost = count_lost  # type: ignore[method-assign]
        self._derive_reset_tokens()

    @property
    def is_draining(self) -> bool:
        """Whether the peer has ended it."""
        return self._state == QuicConnectionState.DRAINING

    def window_of(self, stream_id: int) -> int:
        """Bytes that the peer may send on a stream that nobody reads."""
        if stream_id & 2:
            return self._local_max_stream_data_uni
        if bool(stream_id & 1) == self._is_client:
            return self._local_max_stream_data_bidi_remote
        return self._local_max_stream_data_bidi_local

    def watch(self, stream_id: int) -> None:
        """Hear of what is acknowledged of a stream."""
        stream = self._streams.get(stream_id)
        if stream is None:
            return
        # It must not hold itself: all that a stream is made of would wait for the garbage collector.
        sender = weakref.ref(stream.sender)
        told = self._engine._told

        def tell(delivery: QuicDeliveryState, *others: Any) -> None:
            known = sender()
            if known is not None:
                QuicStreamSender.on_data_delivery(known, delivery, *others)
            if delivery == QuicDeliveryState.ACKED:
                told._on_acknowledged(stream_id)

        stream.sender.on_data_delivery = tell  # type: ignore[assignment,method-assign]

    # === What aioquic calls ===

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        context = self.tls
        if not self._early_data:
            context._max_early_data = None
        context._request_client_certificate = self._request_cert
        groups = [getattr(tls.Group, _GROUPS[name][0]) for name in self._engine._context.groups]
        context._supported_groups = [each for each in groups if each in context._supported_groups]
        if self._is_client:
            handle = context._client_handle_hello

            def client(input_buf: Buffer, output_buf: Buffer) -> None:
                share = _peek(input_buf, tls.pull_server_hello).key_share
                self.group = None if share is None else tls.Group(share[0]).name
                handle(input_buf, output_buf)

            context._client_handle_hello = client  # type: ignore[method-assign]
        else:
            answer = context._server_handle_hello

            def server(input_buf: Buffer, *others: Any) -> None:
                self._engine.servername = _peek(input_buf, tls.pull_client_hello).server_name
                answer(input_buf, *others)

            context._server_handle_hello = server  # type: ignore[assignment,method-assign]

    def _serialize_transport_parameters(self) -> bytes:
        if self._preferred is not None and self._host_cid_seq == 1:
            # RFC 9000, section 9.6: the id that goes with the address is the second.
            self._replenish_one()
        parameters = pull_quic_transport_parameters(Buffer(data=super()._serialize_transport_parameters()))
        parameters.max_ack_delay = int(self._options.max_ack_delay * 1000)
        parameters.max_udp_payload_size = self._options.max_udp_payload_size
        if self._options.idle_timeout == 0:
            parameters.max_idle_timeout = None
        if self._preferred is not None and not self._is_client:
            address, port, ipv6 = self._preferred
            second = self._host_cids[1]
            parameters.preferred_address = QuicPreferredAddress(
                ipv4_address=None if ipv6 else (address, port),
                ipv6_address=(address, port) if ipv6 else None,
                connection_id=second.cid,
                stateless_reset_token=second.stateless_reset_token,
            )
        buffer = Buffer(capacity=4096)
        push_quic_transport_parameters(buffer, parameters)
        return buffer.data

    def _parse_transport_parameters(self, data: bytes, from_session_ticket: bool = False) -> None:
        super()._parse_transport_parameters(data, from_session_ticket)
        parameters = pull_quic_transport_parameters(Buffer(data=data))
        if parameters.max_udp_payload_size is not None:
            self._max_datagram_size = min(self._max_datagram_size, parameters.max_udp_payload_size)
        preferred = self._remote_preferred_address
        if preferred is not None and not from_session_ticket:
            ipv6 = ":" in self._network_paths[0].addr[0]
            address = preferred.ipv6_address if ipv6 else preferred.ipv4_address
            if address is None or not self._engine._told._on_preferred_address(*address, "udp6" if ipv6 else "udp4"):
                self._remote_preferred_address = None

    def _write_stream_limits(self, builder: QuicPacketBuilder, space: Any, stream: Any) -> None:
        if stream.max_stream_data_local_sent == stream.max_stream_data_local:
            return
        # Where it has seen so much aioquic would double the limit.
        seen = stream.receiver.highest_offset
        stream.receiver.highest_offset = 0
        try:
            super()._write_stream_limits(builder, space, stream)
        finally:
            stream.receiver.highest_offset = seen

    def _send_probe(self) -> None:
        self.probes += 1
        super()._send_probe()

    def _replenish_connection_ids(self) -> None:
        super()._replenish_connection_ids()
        self._derive_reset_tokens()

    def _unblock_streams(self, is_unidirectional: bool) -> None:
        super()._unblock_streams(is_unidirectional)
        self._engine._streams_allowed()

    def _abandon_path_validation(self) -> None:
        path = self._network_paths[0]
        super()._abandon_path_validation()
        self._engine._told._on_path(False, path.addr)

    def _log_key_updated(self, key_type: str, trigger: str) -> None:
        super()._log_key_updated(key_type, trigger)
        # Of the two that change, the one that writes.
        if trigger == "remote_update" and key_type.startswith("client" if self._is_client else "server"):
            self._engine._told._on_keys_changed()

    def _receive_version_negotiation_packet(self, header: Any, now: float) -> None:
        super()._receive_version_negotiation_packet(header, now)
        if self._close_event is not None:
            self.offered = {
                "version": self._version,
                "requested_versions": list(header.supported_versions),
                "supported_versions": list(VERSIONS),
            }

    # === Private ===

    def _derive_reset_tokens(self) -> None:
        """Give the ids that the peer has not got yet tokens that a later process can make again."""
        if self._reset_secret is not None:
            for each in self._host_cids:
                if not each.was_sent or each.sequence_number == 0:
                    each.stateless_reset_token = reset_token(self._reset_secret, each.cid)

    def _replenish_one(self) -> None:
        before = self._remote_active_connection_id_limit
        self._remote_active_connection_id_limit = 2
        try:
            self._replenish_connection_ids()
        finally:
            self._remote_active_connection_id_limit = before
        second = self._host_cids[1]
        second.was_sent = True
        self._engine._told._on_id(second.cid, True)


class _Unpaced:
    """In the place of aioquic's pacer: timers of whole milliseconds would hold back what the window allows."""

    def next_send_time(self, now: float) -> None:
        return None

    def update_after_send(self, now: float) -> None:
        pass

    def update_rate(self, congestion_window: int, smoothed_rtt: float) -> None:
        pass


class _KeyLog:
    """In the place of a file for secrets."""

    def __init__(self, told: Told) -> None:
        self._told = told

    def write(self, text: str) -> None:
        if self._told._is_heard("keylog"):
            self._told._on_keylog(text.encode())

    def flush(self) -> None:
        pass


class _Logger(QuicLogger):
    """Has one trace, which goes to a Qlog as it is made."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def start_trace(self, is_client: bool, odcid: bytes) -> QuicLoggerTrace:
        qlog = self._engine.qlog = Qlog(self._engine._told, is_client, odcid)
        return _Trace(qlog, is_client, odcid)

    def end_trace(self, trace: QuicLoggerTrace) -> None:
        pass


class _Trace(QuicLoggerTrace):
    def __init__(self, qlog: Qlog, is_client: bool, odcid: bytes) -> None:
        super().__init__(is_client=is_client, odcid=odcid)
        self._qlog = qlog

    def log_event(self, *, category: str, event: str, data: dict[str, Any]) -> None:
        self._qlog._add({"time": self.encode_time(time.time()), "name": f"{category}:{event}", "data": data})


def _pem(certificate: Any) -> bytes:
    text: bytes = certificate.public_bytes(Encoding.PEM)
    return text


def _peek(buffer: Buffer, pull: Callable[[Buffer], Any]) -> Any:
    """What is next in a buffer, which stays where it is."""
    place = buffer.tell()
    try:
        return pull(buffer)
    finally:
        buffer.seek(place)


# === Without a connection ===


def retry(version: int, source: bytes, destination: bytes, original: bytes, token: bytes) -> bytes:
    """A Retry packet: the client has to come back with the token, to the id `source`."""
    return encode_quic_retry(version, source, destination, original, token)


def refusal(version: int, asked: bytes, source: bytes, code: int) -> bytes:
    """The answer to a first packet (to the id `asked`, from `source`) that ends it there."""
    crypto = CryptoPair()
    crypto.setup_initial(cid=asked, is_client=False, version=version)
    builder = QuicPacketBuilder(
        host_cid=asked, peer_cid=source, version=version, is_client=False, max_datagram_size=1200
    )
    builder.start_packet(QuicPacketType.INITIAL, crypto)
    buffer = builder.start_frame(QuicFrameType.TRANSPORT_CLOSE, capacity=16)
    for number in (code, QuicFrameType.PADDING, 0):
        buffer.push_uint_var(number)
    datagrams, _ = builder.flush()
    return datagrams[0]


def read_client_hello(datagrams: list[bytes]) -> tuple[list[str], str | None, list[str]] | None:
    """(ALPN protocols, name of the server, ciphers) that a client begins with; None where that is not all there yet."""
    pieces: dict[int, bytes] = {}
    for data in datagrams:
        try:
            for offset, piece in _crypto_frames(data):
                pieces[offset] = max(pieces.get(offset, b""), piece, key=len)
        except (ValueError, CryptoError):
            continue
    whole = b""
    for offset in sorted(pieces):
        if offset > len(whole):
            return None
        whole += pieces[offset][len(whole) - offset :]
    if len(whole) < 4 or len(whole) < 4 + int.from_bytes(whole[1:4], "big"):
        return None
    try:
        hello = tls.pull_client_hello(Buffer(data=whole[: 4 + int.from_bytes(whole[1:4], "big")]))
    except (ValueError, AssertionError, tls.Alert):
        return [], None, []
    names = {int(suite): f"TLS_{suite.name}" for suite in tls.CipherSuite}
    ciphers = [names.get(number, f"0x{number:04X}") for number in hello.cipher_suites]
    return list(hello.alpn_protocols or ()), hello.server_name, ciphers


def _crypto_frames(data: bytes) -> list[tuple[int, bytes]]:
    """Those of the first packet of a datagram, which is an Initial."""
    buffer = Buffer(data=data)
    header = pull_quic_header(buffer, host_cid_length=ID_LENGTH)
    if header.packet_type != QuicPacketType.INITIAL or header.version is None:
        return []
    crypto = CryptoPair()
    crypto.setup_initial(cid=header.destination_cid, is_client=False, version=header.version)
    _, plain, _ = crypto.decrypt_packet(data[: header.packet_length], buffer.tell(), 0)
    frames = Buffer(data=plain)
    found = []
    while not frames.eof():
        kind = frames.pull_uint_var()
        if kind == QuicFrameType.CRYPTO:
            offset, length = frames.pull_uint_var(), frames.pull_uint_var()
            found.append((offset, frames.pull_bytes(length)))
        elif kind not in (QuicFrameType.PADDING, QuicFrameType.PING):
            break
    return found


def new_session_ticket(**fields: Any) -> SessionTicket:
    return SessionTicket(**fields)


def check_parameters(data: bytes) -> None:
    """Raise ValueError for what is none of transport parameters."""
    pull_quic_transport_parameters(Buffer(data=data))


def cipher_suite_of(number: int) -> Any:
    """Raises ValueError for one that there is not."""
    return tls.CipherSuite(number)


_REASONS = {
    "self-signed certificate in certificate chain": "SELF_SIGNED_CERT_IN_CHAIN",
    "self-signed certificate": "DEPTH_ZERO_SELF_SIGNED_CERT",
    "self signed certificate": "DEPTH_ZERO_SELF_SIGNED_CERT",
    "unable to get local issuer certificate": "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "no longer valid": "CERT_HAS_EXPIRED",
    "not valid yet": "CERT_NOT_YET_VALID",
    "is not in the certificate": "HOSTNAME_MISMATCH",
    "revoked": "CERT_REVOKED",
    "no certificate was shown": "PEER_DID_NOT_RETURN_A_CERTIFICATE",
}


def verification_error(error: Exception) -> Exception:
    """ERR_QUIC_VERIFY_<OpenSSL's name for it>."""
    text = str(error)
    name = next((code for part, code in _REASONS.items() if part in text), "UNSPECIFIED")
    return quic_error(f"VERIFY_{name}", f"The peer's certificate does not verify: {text}")
