"""QuicSocket: endpoints, the sessions of a client and of a server on them, and who may have one.  Section 3."""

from __future__ import annotations

import asyncio
import random
import warnings
from time import monotonic
from typing import TYPE_CHECKING, Any

from uvnet.addresses.blocklist import BlockList
from uvnet.arguments.keywords import (
    QuicConnectKeywords,
    QuicEndpointKeywords,
    QuicListenKeywords,
    QuicSocketKeywords,
)
from uvnet.errors.codes import (
    invalid_state,
    invalid_type,
    operation_failed,
    out_of_range,
    quic_error,
    will_not_come,
)
from uvnet.quic.client_session import QuicClientSession
from uvnet.quic.context import QuicContext, context_of
from uvnet.quic.endpoint import QuicEndpoint, look_up
from uvnet.quic.engine import VERSIONS, refusal, retry
from uvnet.quic.options import (
    ConnectOptions,
    ListenOptions,
    parse_connect_options,
    parse_endpoint_options,
    parse_listen_options,
    parse_socket_options,
)
from uvnet.quic.owner import Path, SessionOwner
from uvnet.quic.packets import (
    ID_LENGTH,
    SMALLEST_INITIAL,
    Long,
    long_header,
    stateless_reset,
    version_negotiation,
)
from uvnet.quic.routes import HostCounts, Routes
from uvnet.quic.server_session import QuicServerSession
from uvnet.quic.session import QuicSession
from uvnet.quic.tickets import TicketStore, load_ticket
from uvnet.quic.tokens import RetryTokens, reset_token

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["QuicSocket"]

INITIAL = 0
CONNECTION_REFUSED = 2
HANDSHAKES_WITHOUT_RETRY = 256  # under way; with more clients have to show that they are where they say
MOST_HANDSHAKES = 4096
TURNS = 3  # of the loop, in which who awaits connect(), by way of wait_for() too, has got the session

_warned_of_loss = False


class QuicSocket(SessionOwner):
    """A socket for QUIC: client, server or both, on one or more UDP endpoints.  See create_quic_socket().

    Events: 'ready' once bound; 'listening'; 'session' (QuicServerSession), at once, before its handshake goes on;
    'sessionError' (error, session) where a listener of that failed; 'busy' (bool); 'endpointClose' (endpoint, error or
    None); 'error' (error), then 'close'.
    A listener of 'session' that raises destroys that session, one of another event the socket.
    Node: "Class: QuicSocket".
    """

    def __init__(self, options: QuicSocketKeywords | None = None, **keywords: Unpack[QuicSocketKeywords]) -> None:
        self._options = parse_socket_options(options, keywords)
        super().__init__()
        self.block_list = BlockList()
        self._endpoints: list[QuicEndpoint] = []
        self._routes = Routes()
        self._sessions: dict[QuicSession, None] = {}
        self._inbound: dict[QuicSession, str] = {}  # and the host that each is from
        self._handshakes: set[QuicSession] = set()  # of those
        self._hosts = HostCounts()
        self._resets = HostCounts()
        self._tokens = RetryTokens(self._options.retry_token_timeout)
        self._tickets = TicketStore()
        self._listen_options: ListenOptions | None = None
        self._context: QuicContext | None = None
        self._preferred_address: tuple[str, int, bool] | None = None
        self._binding: asyncio.Task[None] | None = None
        self._bound = False
        self._listening_task: asyncio.Task[None] | None = None
        self._listening = False
        self._closing: asyncio.Future[None] | None = None
        self._destroyed = False
        self._error: BaseException | None = None
        self._error_is_known = False
        self._is_told = False
        self._busy = False
        self._reset_disabled = self._options.disable_reset
        self._loss = (0.0, 0.0)
        self._began = monotonic()
        self._bound_at: float | None = None
        self._listening_at: float | None = None
        self._ended: float | None = None
        self._counts = dict.fromkeys(
            ("ignored", "server sessions", "client sessions", "resets", "busy"), 0
        )
        self._traffic = (0, 0, 0, 0)  # of endpoints that are gone
        self._make_endpoint(self._options.endpoint, True)

    # === State ===

    @property
    def bound(self) -> bool:
        """True once all endpoints are bound.  Node: "quicsocket.bound"."""
        return self._bound and not self._destroyed

    @property
    def pending(self) -> bool:
        """True while they are about to be.  Node: "quicsocket.pending"."""
        return self._binding is not None and not self._bound and not self._destroyed

    @property
    def listening(self) -> bool:
        """True while sessions are accepted.  Node: "quicsocket.listening"."""
        return self._listening and not self._destroyed

    @property
    def closing(self) -> bool:
        """True once close() was called, until it is destroyed.  Node: "quicsocket.closing"."""
        return self._closing is not None and not self._destroyed

    @property
    def destroyed(self) -> bool:
        """True once it is over.  Node: "quicsocket.destroyed"."""
        return self._destroyed

    @property
    def endpoints(self) -> list[QuicEndpoint]:
        """A list of its QuicEndpoints.  Node: "quicsocket.endpoints"."""
        return list(self._endpoints)

    @property
    def server_secure_context(self) -> QuicContext | None:
        """The QuicContext that listen() made, or None.  This is not documented in Node."""
        return self._context

    @property
    def server_busy(self) -> bool:
        """True: every new session is refused (CONNECTION_REFUSED).  Setting it emits 'busy'.

        Setting raises TypeError for what is no bool.  Node: "quicsocket.serverBusy".
        """
        return self._busy

    @server_busy.setter
    def server_busy(self, busy: bool) -> None:
        self._check()
        if not isinstance(busy, bool):
            raise invalid_type("server_busy", "of type bool", busy)
        if busy != self._busy:
            self._busy = busy
            self._emit_later("busy", busy)

    @property
    def stateless_reset(self) -> bool:
        """Whether packets that belong to no session are answered with a stateless reset; may be set.

        Setting raises RuntimeError (ERR_INVALID_STATE) where it is destroyed, TypeError for what is no bool.
        Node: "quicsocket.statelessReset".
        """
        return not self._reset_disabled

    @stateless_reset.setter
    def stateless_reset(self, on: bool) -> None:
        self._set_reset_disabled("stateless_reset", on, False)

    @property
    def stateless_reset_disabled(self) -> bool:
        """The opposite of stateless_reset.  This is not documented in Node."""
        return self._reset_disabled

    @stateless_reset_disabled.setter
    def stateless_reset_disabled(self, off: bool) -> None:
        self._set_reset_disabled("stateless_reset_disabled", off, True)

    # === Numbers ===

    @property
    def duration(self) -> float:
        """Seconds since it was made, or that it lived.  Node: "quicsocket.duration"."""
        return self._since(self._began)

    @property
    def bound_duration(self) -> float:
        """Seconds since it is bound, 0 before.  Node: "quicsocket.boundDuration"."""
        return self._since(self._bound_at)

    @property
    def listen_duration(self) -> float:
        """Seconds since it listens, 0 before.  Node: "quicsocket.listenDuration"."""
        return self._since(self._listening_at)

    @property
    def packets_received(self) -> int:
        """Datagrams that came.  Node: "quicsocket.packetsReceived"."""
        return self._total(0)

    @property
    def packets_sent(self) -> int:
        """Datagrams that went.  Node: "quicsocket.packetsSent"."""
        return self._total(1)

    @property
    def bytes_received(self) -> int:
        """Bytes of datagrams that came.  Node: "quicsocket.bytesReceived"."""
        return self._total(2)

    @property
    def bytes_sent(self) -> int:
        """Bytes of datagrams that went.  Node: "quicsocket.bytesSent"."""
        return self._total(3)

    @property
    def packets_ignored(self) -> int:
        """Datagrams that were for nobody.  Node: "quicsocket.packetsIgnored"."""
        return self._counts["ignored"]

    @property
    def server_sessions(self) -> int:
        """Sessions there were that others began.  Node: "quicsocket.serverSessions"."""
        return self._counts["server sessions"]

    @property
    def client_sessions(self) -> int:
        """Sessions there were that began here.  Node: "quicsocket.clientSessions"."""
        return self._counts["client sessions"]

    @property
    def stateless_reset_count(self) -> int:
        """Stateless resets that were sent.  Node: "quicsocket.statelessResetCount"."""
        return self._counts["resets"]

    @property
    def server_busy_count(self) -> int:
        """Sessions that were refused.  Node: "quicsocket.serverBusyCount"."""
        return self._counts["busy"]

    # === Methods ===

    def add_endpoint(
        self, options: QuicEndpointKeywords | None = None, **keywords: Unpack[QuicEndpointKeywords]
    ) -> QuicEndpoint:
        """One more UDP binding; returns the QuicEndpoint.

        address: to bind, an IP address or a name (default: any of the type); port (0: a free one); type: "udp4"
        (default), "udp6" or "udp6-only"; ipv6_only (bool); reuse_addr (bool); preferred: by which connect() goes;
        lookup: as of create_quic_socket().
        Raises RuntimeError (ERR_INVALID_STATE) where the socket is bound already, or destroyed, and TypeError or
        ValueError for bad options.  Node: "quicsocket.addEndpoint(options)".
        """
        self._check()
        parsed = parse_endpoint_options(options, keywords, self._options.lookup)
        if self._destroyed or self._bound or self._binding is not None:
            raise invalid_state("add_endpoint", f"the socket is {'destroyed' if self._destroyed else 'bound'}")
        return self._make_endpoint(parsed, parsed.preferred)

    def listen(
        self, options: QuicListenKeywords | None = None, **keywords: Unpack[QuicListenKeywords]
    ) -> asyncio.Future[None]:
        """Bind, and accept sessions; returns a future for that.  'listening' follows.

        key, cert, alpn: what a server must have.  Options: see the reference.
        Raises RuntimeError (ERR_INVALID_STATE) where it is destroyed, closing, or listens already, TypeError or
        ValueError for bad options.  The future raises OSError where it cannot be bound.
        Node: "quicsocket.listen([options])".
        """
        self._check()
        self._refuse_listening()
        if self._listening_task is not None:
            return self._listening_task
        parsed = parse_listen_options(options, keywords, self._options.server)
        context = context_of(parsed.given, True)
        self._listening_task = self._record.loop.create_task(self._listen(parsed, context))
        return self._listening_task

    def connect(
        self, options: QuicConnectKeywords | None = None, **keywords: Unpack[QuicConnectKeywords]
    ) -> asyncio.Future[QuicClientSession]:
        """Begin a session; returns a future for the QuicClientSession, which comes before its handshake.

        address ("localhost"), port, alpn: whom to talk to, and in which protocol.  Options: see the reference.
        Raises RuntimeError (ERR_INVALID_STATE) where it is destroyed or closing, TypeError or ValueError for bad
        options.  The future raises OSError where nothing can be bound or found, RuntimeError (ERR_OPERATION_FAILED)
        for an address in block_list.  Node: "quicsocket.connect([options])".
        """
        self._check()
        self._refuse_sessions("connect")
        parsed = parse_connect_options(options, keywords, self._options.client, self._options.lookup)
        context = context_of(parsed.given, False)
        ticket = load_ticket(parsed.session_ticket, parsed.remote_transport_params, parsed.servername)
        return self._record.loop.create_task(self._connect(parsed, context, ticket))

    def close(self) -> asyncio.Future[None]:
        """Accept no more, let all sessions close(), and be destroyed; returns a future for that.

        Raises RuntimeError (ERR_INVALID_STATE) where it is destroyed.  Node: "quicsocket.close()".
        """
        self._check()
        if self._destroyed:
            raise invalid_state("close", "the socket is destroyed")
        if self._closing is not None:
            return self._closing
        self._closing = self._record.loop.create_future()
        self._listening = False
        for session in list(self._sessions):
            if not session.destroyed:
                session.close()
        self._end_if_drained()
        return self._closing

    def destroy(self, error: BaseException | None = None) -> None:
        """End every session and endpoint at once; 'error' where one is given, then 'close'.  Again: nothing.

        Raises TypeError for an `error` that is no exception.  Node: "quicsocket.destroy([error])".
        """
        self._check()
        if error is not None and not isinstance(error, BaseException):
            raise invalid_type("error", "an exception", error)
        self._destroy(error)

    def ref(self) -> QuicSocket:
        """Let its endpoints keep uvnet.run() going; returns it.  Node: "quicsocket.ref()"."""
        for endpoint in self._endpoints:
            endpoint.ref()
        return self

    def unref(self) -> QuicSocket:
        """Do not let them; returns it.  Node: "quicsocket.unref()"."""
        for endpoint in self._endpoints:
            endpoint.unref()
        return self

    def set_diagnostic_packet_loss(self, rx: float = 0.0, tx: float = 0.0) -> None:
        """Lose such a share (0.0 to 1.0) of the packets that come and go: for tests.

        Raises TypeError or ValueError for another number, RuntimeError (ERR_INVALID_STATE) where it is destroyed.
        Node: "quicsocket.setDiagnosticPacketLoss(options)".
        """
        global _warned_of_loss
        self._check()
        for name, share in (("options.rx", rx), ("options.tx", tx)):
            if isinstance(share, bool) or not isinstance(share, int | float):
                raise invalid_type(name, "of type float", share)
            if not 0 <= share <= 1:
                raise out_of_range(name, ">= 0.0 and <= 1.0", share)
        if self._destroyed:
            raise invalid_state("set_diagnostic_packet_loss", "the socket is destroyed")
        if (rx or tx) and not _warned_of_loss:
            _warned_of_loss = True
            warnings.warn("a QuicSocket loses packets on purpose", RuntimeWarning, stacklevel=2)
        self._loss = (rx, tx)

    def __repr__(self) -> str:
        state = "destroyed" if self._destroyed else "listening" if self._listening else "bound" if self._bound else "new"
        return f"<QuicSocket {state}, {len(self._sessions)} sessions>"

    # === For sessions ===

    def _send(self, path: Path, datagrams: list[bytes]) -> None:
        loss = self._loss[1]
        if loss:
            datagrams = [each for each in datagrams if random.random() >= loss]  # noqa: S311
        if datagrams:
            path.endpoint._send(datagrams, path.remote, path.local)

    def _add_route(self, connection_id: bytes, session: QuicSession) -> None:
        self._routes.add(connection_id, session)

    def _remove_route(self, connection_id: bytes) -> None:
        self._routes.remove(connection_id)

    def _session_secured(self, session: QuicSession) -> None:
        self._handshakes.discard(session)

    def _session_gone(self, session: QuicSession, error: BaseException | None, last: list[bytes]) -> None:
        self._routes.remember(self._routes.take(session), last, monotonic())
        self._forget(session)
        if self._closing is not None and error is not None:
            self._destroy(error)
        else:
            self._end_if_drained()

    def _refuse_sessions(self, method: str) -> None:
        if self._destroyed or self._closing is not None:
            raise invalid_state(method, f"the socket is {'destroyed' if self._destroyed else 'closing'}")

    async def _endpoint_for(self, ipv6: bool) -> QuicEndpoint:
        """An endpoint by which such addresses are reached, bound."""
        await self._bind()
        for endpoint in sorted(self._endpoints, key=lambda each: not each._is_preferred):
            if endpoint._is_ipv6 == ipv6 and endpoint.bound:
                return endpoint
        kind = "udp6" if ipv6 else "udp4"
        raise quic_error("FAILED_TO_CREATE_SESSION", f"The socket has no endpoint of the type {kind}: add_endpoint() does")

    def _give_session(self, session: QuicSession) -> set[bytes]:
        """It goes to another socket; returns its connection ids."""
        ids = self._routes.take(session)
        self._forget(session)
        self._end_if_drained()
        return ids

    def _take_session(self, session: QuicSession, ids: set[bytes]) -> None:
        self._sessions[session] = None
        self._counts["client sessions"] += 1
        for connection_id in ids:
            self._routes.add(connection_id, session)

    # === Private: binding, listening, connecting ===

    def _since(self, moment: float | None) -> float:
        return 0.0 if moment is None else (self._ended or monotonic()) - moment

    def _total(self, place: int) -> int:
        return self._traffic[place] + sum(endpoint._counts()[place] for endpoint in self._endpoints)

    def _set_reset_disabled(self, name: str, value: bool, meaning: bool) -> None:
        self._check()
        if self._destroyed:
            raise invalid_state(name, "the socket is destroyed")
        if not isinstance(value, bool):
            raise invalid_type(name, "of type bool", value)
        self._reset_disabled = value == meaning

    def _refuse_listening(self) -> None:
        self._refuse_sessions("listen")
        if self._listening:
            raise invalid_state("listen", "the socket listens already")

    def _make_endpoint(self, options: Any, preferred: bool) -> QuicEndpoint:
        endpoint = QuicEndpoint(self._record, options, self._on_datagrams, self._endpoint_closed, self)
        self._endpoints.insert(0 if preferred else len(self._endpoints), endpoint)
        return endpoint

    async def _bind(self) -> None:
        if self._bound:
            return
        if self._binding is None:
            self._binding = self._record.loop.create_task(self._bind_all())
        # Who gives up waiting does not stop it.
        await asyncio.shield(self._binding)

    async def _bind_all(self) -> None:
        # Who has called hears of it.
        self._error_is_known = True
        try:
            for endpoint in list(self._endpoints):
                if not endpoint.destroyed:
                    await endpoint.bind()
        except Exception as error:
            self._destroy(error)
            raise
        self._error_is_known = False
        if self._destroyed:
            raise invalid_state("bind", "the socket is destroyed")
        self._bound = True
        self._bound_at = monotonic()
        self._emit_later("ready")

    async def _listen(self, options: ListenOptions, context: QuicContext) -> None:
        try:
            await self._bind()
            self._refuse_listening()
            preferred = options.preferred_address
            if preferred is not None:
                address = await look_up(
                    options.lookup or self._options.lookup, preferred.address or "localhost", preferred.ipv6
                )
                self._refuse_listening()
                self._preferred_address = (address, preferred.port, preferred.ipv6)
        except BaseException:
            self._listening_task = None
            raise
        self._listen_options = options
        self._context = context
        self._listening = True
        self._listening_at = monotonic()
        self._emit_later("listening")

    async def _connect(self, options: ConnectOptions, context: QuicContext, ticket: Any) -> QuicClientSession:
        endpoint = await self._endpoint_for(options.ipv6)
        self._refuse_sessions("connect")
        address = await look_up(options.lookup, options.address, options.ipv6)
        self._refuse_sessions("connect")
        if self._is_blocked(address):
            raise operation_failed(f"{address} is in the block list")
        remote = (address, options.port, 0, 0) if options.ipv6 else (address, options.port)
        session = QuicClientSession(
            self,
            options,
            Path(endpoint, remote, None),
            {
                "context": context,
                "options": options.session,
                "servername": options.servername,
                "verify_hostname": options.verify_hostname,
                "ticket": ticket,
                "dcid": options.dcid,
                "qlog": options.qlog,
            },
        )
        self._counts["client sessions"] += 1
        self._sessions[session] = None
        if options.auto_start:
            session._start_in(TURNS)
        return session

    # === Private: what comes ===

    def _on_datagrams(self, endpoint: QuicEndpoint, batch: list[tuple[bytes, tuple[Any, ...], str | None]]) -> None:
        touched: dict[QuicSession, None] = {}
        now = monotonic()
        loss = self._loss[0]
        paths: dict[tuple[Any, ...], Path] = {}
        for data, remote, local in batch:
            if self._destroyed:
                break
            if loss and random.random() < loss:  # noqa: S311
                continue
            path = paths.get(remote)
            if path is None or path.local != local:
                path = paths[remote] = Path(endpoint, remote, local)
            session = self._find(path, data, now)
            if session is not None:
                session._receive(path, data, now)
                touched[session] = None
        for session in touched:
            session._advance()

    def _find(self, path: Path, data: bytes, now: float) -> QuicSession | None:
        """The session that a datagram is for, made where it is to be; None where it has been seen to."""
        if not data or self._is_blocked(path.remote[0]):
            self._counts["ignored"] += 1
            return None
        if not data[0] & 0x80:
            connection_id = data[1 : 1 + ID_LENGTH]
            session: QuicSession | None = self._routes.find(connection_id)
            if session is None:
                self._answer_stray(path, data, connection_id, now)
            return session
        header = long_header(data)
        if header is None:
            self._counts["ignored"] += 1
            return None
        session = self._routes.find(header.destination)
        if session is None:
            session = self._accept(path, data, header, now)
        return session

    def _answer_stray(self, path: Path, data: bytes, connection_id: bytes, now: float) -> None:
        """A short header for nobody: a stateless reset, or something that one answers."""
        for session in list(self._sessions):
            if session._path.remote == path.remote and session._engine is not None and session._engine.is_reset(data):
                session._reset_statelessly()
                return
        last = self._routes.last_word(connection_id, now)
        if last is not None:
            if last:
                self._send(path, last[:1])
            return
        host = path.remote[0]
        self._counts["ignored"] += 1
        if self._reset_disabled or self._resets.get(host) >= self._options.max_resets_per_host:
            return
        packet = stateless_reset(reset_token(self._options.reset_secret, connection_id), len(data))
        if packet is not None:
            self._resets.add_bounded(host)
            self._counts["resets"] += 1
            self._send(path, [packet])

    def _accept(self, path: Path, data: bytes, header: Long, now: float) -> QuicSession | None:
        last = self._routes.last_word(header.destination, now)
        if last is not None:
            if last:
                self._send(path, last[:1])
            return None
        options = self._listen_options
        if not self._listening or options is None or len(data) < SMALLEST_INITIAL or header.version == 0:
            self._counts["ignored"] += 1
            return None
        if header.version not in VERSIONS:
            self._counts["ignored"] += 1
            self._send(path, [version_negotiation(header, VERSIONS)])
            return None
        kind = header.first >> 4 & 3
        # The first version but one has the kinds in another order.
        if kind != (INITIAL if header.version == VERSIONS[0] else 1) or len(header.destination) < ID_LENGTH:
            self._counts["ignored"] += 1
            return None
        host = path.remote[0]
        original, replaced = header.destination, None
        must_retry = self._options.validate_address or len(self._handshakes) >= HANDSHAKES_WITHOUT_RETRY
        token = _token(data, header)
        if token:
            known = self._tokens.check(_name(path), token, now)
            if known is not None and known[1] == header.destination:
                original, replaced = known
                must_retry = False
        if self._is_too_much(host):
            self._counts["busy"] += 1
            self._send(path, [refusal(header.version, header.destination, header.source, CONNECTION_REFUSED)])
            return None
        if must_retry:
            self._send_retry(path, header, now)
            return None
        return self._new_session(path, options, host, original, replaced, header.destination)

    def _is_too_much(self, host: str) -> bool:
        options = self._options
        return (
            self._busy
            or (options.max_connections is not None and len(self._inbound) >= options.max_connections)
            or self._hosts.get(host) >= options.max_connections_per_host
            or len(self._handshakes) >= MOST_HANDSHAKES
        )

    def _send_retry(self, path: Path, header: Long, now: float) -> None:
        replaced = random.SystemRandom().randbytes(ID_LENGTH)
        token = self._tokens.make(_name(path), header.destination, replaced, now)
        self._send(path, [retry(header.version, replaced, header.source, header.destination, token)])

    def _new_session(
        self,
        path: Path,
        options: ListenOptions,
        host: str,
        original: bytes,
        replaced: bytes | None,
        destination: bytes,
    ) -> QuicSession | None:
        session = QuicServerSession(
            self,
            options,
            path,
            {
                "context": self._context,
                "options": options.session,
                "original": original,
                "replaced": replaced,
                "early_data": options.early_data,
                "request_cert": options.request_cert,
                "reset_secret": self._options.reset_secret,
                "tickets": self._tickets,
                "preferred_address": self._preferred_address,
                "qlog": self._options.qlog,
            },
        )
        self._routes.add(destination, session)
        self._sessions[session] = None
        self._inbound[session] = host
        self._handshakes.add(session)
        self._hosts.add(host, 1)
        self._counts["server sessions"] += 1
        self._emit_now("session", session)
        return session if not session.destroyed else None

    def _is_blocked(self, address: str) -> bool:
        if not self.block_list.size:
            return False
        address = address.partition("%")[0]
        return self.block_list.check(address, "ipv6" if ":" in address else "ipv4")

    # === Private: its end ===

    def _forget(self, session: QuicSession) -> None:
        self._sessions.pop(session, None)
        self._handshakes.discard(session)
        host = self._inbound.pop(session, None)
        if host is not None:
            self._hosts.add(host, -1)

    def _end_if_drained(self) -> None:
        if self._closing is not None and not self._destroyed and not self._sessions:
            self._destroy(None)

    def _destroy(self, error: BaseException | None) -> None:
        if self._destroyed:
            return
        self._destroyed = True
        self._ended = monotonic()
        self._error = error
        for session in list(self._sessions):
            session._destroy(error)
        for endpoint in list(self._endpoints):
            endpoint.destroy()

    def _endpoint_closed(self, endpoint: QuicEndpoint, error: BaseException | None) -> None:
        if endpoint not in self._endpoints:
            return
        self._traffic = tuple(map(sum, zip(self._traffic, endpoint._counts(), strict=True)))  # type: ignore[assignment]
        self._endpoints.remove(endpoint)
        self._emit_later("endpointClose", endpoint, error)
        for session in list(self._sessions):
            if session._path.endpoint is endpoint:
                session._destroy(error)
        if self._endpoints:
            return
        self._destroy(error)
        if self._error is not None:
            self._emit_later("error", self._error)
        self._later_call(self._tell_closed)

    def _tell_closed(self) -> None:
        self._is_told = True
        self._emit_here("close")
        if self._closing is not None and not self._closing.done():
            if self._error is None:
                self._closing.set_result(None)
            else:
                self._closing.set_exception(self._error)
                # 'error' has told of it, where nobody awaits this.
                self._closing.exception()

    def _listener_raised(self, event: Any, argument: Any, error: BaseException) -> None:
        if event == "session" and isinstance(argument, QuicSession):
            argument._error_is_known = True
            argument._destroy(error)
            self._emit_later("sessionError", error, argument)
        elif self._destroyed:
            self._report(error)
        else:
            self._destroy(error)

    def _errors_are_heard(self) -> bool:
        return self._error_is_known or self._closing is not None

    def _why_never(self, event: Any) -> Exception | None:
        return will_not_come(event) if self._is_told else None


def _token(data: bytes, header: Long) -> bytes:
    """The token of an Initial packet, which RFC 9000 puts behind the connection ids; b"" where it has none."""
    place = header.end
    if place >= len(data):
        return b""
    size = 1 << (data[place] >> 6)
    length = int.from_bytes(data[place : place + size], "big") & ((1 << (8 * size - 2)) - 1)
    return data[place + size : place + size + length]


def _name(path: Path) -> str:
    return f"{path.remote[0]} {path.remote[1]}"
