"""QuicServerSession: the end of a connection that was asked for it.  Section 4.6."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any

from uvnet.errors.codes import invalid_type, operation_failed
from uvnet.quic.context import QuicContext
from uvnet.quic.engine import Engine, read_client_hello
from uvnet.quic.options import ListenOptions
from uvnet.quic.owner import Path, SessionOwner
from uvnet.quic.session import QuicSession

__all__ = ["QuicServerSession"]

MOST_DELAYED = 16  # datagrams that wait for a client_hello_handler


class QuicServerSession(QuicSession):
    """The server's end of a QUIC connection; emitted as 'session', before its handshake.

    Node: "Class: QuicServerSession".
    """

    def __init__(
        self, owner: SessionOwner, options: ListenOptions, path: Path, engine_options: dict[str, Any]
    ) -> None:
        super().__init__(owner, options.session, path)
        self._given = options
        self._engine_options = engine_options
        self._own_certificates: list[bytes] = engine_options["context"].chain
        self._delayed: list[tuple[Path, bytes, float]] = []
        self._asked = False  # what the client_hello_handler says
        if options.client_hello_handler is None:
            self._start(Engine(self, client=False, remote=path.remote, **engine_options))

    # === For the owner ===

    def _receive(self, path: Path, data: bytes, now: float) -> None:
        if self._engine is not None or self._destroyed:
            super()._receive(path, data, now)
        elif len(self._delayed) < MOST_DELAYED:
            self._delayed.append((path, data, now))
            hello = None if self._asked else read_client_hello([each for _, each, _ in self._delayed])
            if hello is not None:
                self._asked = True
                handler = self._given.client_hello_handler
                assert handler is not None
                self._record.loop.create_task(self._ask(handler, *hello))

    # === Private ===

    async def _ask(
        self, handler: Callable[..., Coroutine[Any, Any, Any]], alpn: list[str], servername: str | None, ciphers: list[str]
    ) -> None:
        try:
            context = await handler(alpn[0] if len(alpn) == 1 else alpn, servername, ciphers)
            if context is not None and not isinstance(context, QuicContext):
                raise invalid_type("context", "a QuicContext or None, as options.client_hello_handler gives", context)
        except Exception as error:
            self._code = {"code": 80, "family": 1, "silent": False}
            self._refuse_handshake(error)
            return
        if self._destroyed:
            return
        if context is not None:
            self._engine_options["context"] = context
            self._own_certificates = context.chain
        self._start(Engine(self, client=False, remote=self._path.remote, **self._engine_options))
        delayed, self._delayed = self._delayed, []
        for path, data, _ in delayed:
            self._receive(path, data, monotonic())
        self._advance()

    def _refuse_handshake(self, error: Exception) -> None:
        """Say so to the client: with what it takes to say something."""
        if not self._destroyed:
            engine = Engine(self, client=False, remote=self._path.remote, **self._engine_options)
            self._start(engine)
            for path, data, now in self._delayed:
                engine.receive(data, path.remote, now)
            self._destroy(error if isinstance(error, Exception) else operation_failed("Handshake failed"))

    def _own_chain(self) -> list[bytes]:
        return self._own_certificates

    def _rejects_unverified(self) -> bool:
        return self._given.request_cert and self._given.reject_unauthorized
