"""QuicClientSession: the end of a connection that asked for it.  Section 4.5."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from uvnet.errors.codes import invalid_state, invalid_type
from uvnet.quic.engine import Engine, SessionTicket
from uvnet.quic.options import ConnectOptions
from uvnet.quic.owner import Path, SessionOwner
from uvnet.quic.session import QuicSession
from uvnet.quic.tickets import dump_ticket

__all__ = ["QuicClientSession"]

PROBE_TIME = 2.0  # seconds in which the peer has to answer on a new path


class QuicClientSession(QuicSession):
    """The client's end of a QUIC connection; made by connect().

    Events: those of a QuicSession; 'sessionTicket' (ticket, remote transport parameters, both bytes), by which a later
    connect() resumes and may send at once; 'usePreferredAddress' (mapping of address, port, type), where the server
    has one and the policy is "accept".  Node: "Class: QuicClientSession".
    """

    _is_client = True

    def __init__(self, owner: SessionOwner, options: ConnectOptions, path: Path, engine_options: dict[str, Any]) -> None:
        super().__init__(owner, options.session, path)
        self._given = options
        self._servername = options.servername
        self._started = False
        self._own_certificates: list[bytes] = engine_options["context"].chain
        self._probing: asyncio.TimerHandle | None = None
        self._start(Engine(self, client=True, remote=path.remote, **engine_options))

    @property
    def allow_early_data(self) -> bool:
        """Whether a ticket was given with which streams may be opened before the handshake.

        This is not documented in Node.
        """
        return self._engine is not None and self._engine.may_send_early

    @property
    def handshake_started(self) -> bool:
        """Whether the handshake has begun.  This is not documented in Node."""
        return self._started

    @property
    def ephemeral_key_info(self) -> dict[str, Any]:
        """{"type": "ECDH", "name", "size"} of the key exchange, {} before it.

        Node: "quicclientsession.ephemeralKeyInfo".
        """
        return {} if self._engine is None or not self._secure else self._engine.key_exchange()

    def start_handshake(self) -> None:
        """Begin, where the option auto_start was False; again it does nothing.  This is not documented in Node.

        Raises RuntimeError (ERR_INVALID_STATE) where the session is destroyed.
        """
        self._check()
        if self._destroyed:
            raise invalid_state("start_handshake", "the session is destroyed")
        if not self._started:
            self._started = True
            if self._qlog is not None:
                self._emit_later("qlog", self._qlog)
            self._engine_in_use().connect(monotonic())
            self._transmit_soon()

    def set_socket(self, socket: SessionOwner, nat_rebinding: bool = False) -> asyncio.Future[None]:
        """Go on from another QuicSocket, which is bound where it is not yet; returns a future for that.

        The peer is written to under another connection id, and asked whether it can be reached; with `nat_rebinding`
        neither, as where the address changes on the way: for tests.
        Raises RuntimeError (ERR_INVALID_STATE) where the session or the socket is destroyed or closing, and TypeError
        for what is no QuicSocket.  Node: "quicclientsession.setSocket(socket[, natRebinding])".
        """
        self._check()
        if not isinstance(socket, SessionOwner):
            raise invalid_type("socket", "a QuicSocket", socket)
        if not isinstance(nat_rebinding, bool):
            raise invalid_type("nat_rebinding", "of type bool", nat_rebinding)
        self._refuse_if_ending("set_socket")
        socket._refuse_sessions("set_socket")
        return self._record.loop.create_task(self._move(socket, nat_rebinding))

    # === For the owner, and the engine ===

    def _start_in(self, turns: int) -> None:
        """Begin after so many turns of the loop: listeners that are added by then hear of all."""
        if self._destroyed:
            return
        if turns:
            self._record.loop.call_soon(self._start_in, turns - 1)
        else:
            self.start_handshake()

    def _on_ticket(self, ticket: SessionTicket) -> None:
        self._emit_later("sessionTicket", *dump_ticket(ticket))

    def _on_preferred_address(self, address: str, port: int, kind: str) -> bool:
        """Whether the server is to be written to there."""
        if self._given.accept_preferred_address:
            self._emit_later("usePreferredAddress", {"address": address, "port": port, "type": kind})
        return self._given.accept_preferred_address

    # === Private ===

    def _own_chain(self) -> list[bytes]:
        return self._own_certificates

    def _rejects_unverified(self) -> bool:
        return self._given.reject_unauthorized

    async def _move(self, socket: SessionOwner, nat_rebinding: bool) -> None:
        endpoint = await socket._endpoint_for(self._path.endpoint._is_ipv6)
        self._refuse_if_ending("set_socket")
        socket._refuse_sessions("set_socket")
        assert self._owner is not None
        ids = self._owner._give_session(self)
        self._owner = socket
        socket._take_session(self, ids)
        self._path = Path(endpoint, self._path.remote, None)
        if not nat_rebinding:
            self._engine_in_use().migrate()
            if self._probing is not None:
                self._probing.cancel()
            self._probing = self._record.loop.call_later(PROBE_TIME, self._give_up_path)
        else:
            self._engine_in_use().ping()
        self._advance()

    def _give_up_path(self) -> None:
        self._probing = None
        if self._engine is not None and self._engine.is_path_in_doubt():
            self._on_path(False, self._path.remote)
            self._engine.trust_path()

    def _destroy(self, error: BaseException | None, cut_off: BaseException | None = None) -> None:
        if self._probing is not None:
            self._probing.cancel()
            self._probing = None
        super()._destroy(error, cut_off)
