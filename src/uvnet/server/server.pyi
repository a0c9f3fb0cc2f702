import asyncio
import os
from collections.abc import Callable, Coroutine, Hashable, Sequence
from socket import socket
from types import TracebackType
from typing import Any, Literal, Protocol, TypeVar, overload

from typing_extensions import Self, Unpack, deprecated, disjoint_base

from uvnet.addresses.address import Address, Host
from uvnet.arguments.keywords import Drop, ListenKeywords, ServerKeywords
from uvnet.server.acceptor import Acceptor
from uvnet.server.arrivals import Arrivals
from uvnet.server.shutdown import Cut
from uvnet.socket.socket import Socket
from uvnet.tls.tls_socket import TLSSocket

# See socket.pyi about listeners.
_Listener = Callable[..., object]
_L = TypeVar("_L", bound=_Listener)

_PlainEvent = Literal["listening", "close"]
_Plain = Callable[[], object]
_PlainL = TypeVar("_PlainL", bound=_Plain)

_Connection = Callable[[Socket], object]
_ConnectionL = TypeVar("_ConnectionL", bound=_Connection)

_Drop = Callable[[Drop], object]
_DropL = TypeVar("_DropL", bound=_Drop)

_Error = Callable[[Any], object]
_ErrorL = TypeVar("_ErrorL", bound=_Error)

# Of create_proxy(): client, socket; error, client.
_Upstream = Callable[[Socket, Socket], object]
_UpstreamL = TypeVar("_UpstreamL", bound=_Upstream)
_Unreached = Callable[[Any, Socket], object]
_UnreachedL = TypeVar("_UnreachedL", bound=_Unreached)

# Of a tls.Server: socket; error, socket.
_Secured = Callable[[TLSSocket], object]
_SecuredL = TypeVar("_SecuredL", bound=_Secured)
_NotSecured = Callable[[Any, TLSSocket], object]
_NotSecuredL = TypeVar("_NotSecuredL", bound=_NotSecured)

_KnownEvent = Literal[
    _PlainEvent,
    "connection",
    "drop",
    "error",
    "secureConnection",
    "tlsClientError",
    "upstream",
    "upstreamError",
]

class _HasDescriptor(Protocol):
    @property
    def fd(self) -> int: ...

_Where = int | str | os.PathLike[str] | socket | Socket | _HasDescriptor

@disjoint_base
class Server(Acceptor):
    @overload
    def __init__(
        self,
        options: ServerKeywords | None = None,
        connection_listener: _Connection | None = None,
        **keywords: Unpack[ServerKeywords],
    ) -> None: ...
    @overload
    def __init__(self, options: _Connection, **keywords: Unpack[ServerKeywords]) -> None: ...
    @overload
    def listen(
        self,
        port: int | str | None,
        host: Host | Sequence[Host] | None,
        queue_length: int | None = None,
        listener: _Plain | None = None,
        /,
        **keywords: Unpack[ListenKeywords],
    ) -> Self: ...
    @overload
    def listen(
        self,
        port: int | str | None,
        host: Host | Sequence[Host] | None,
        listener: _Plain,
        /,
        **keywords: Unpack[ListenKeywords],
    ) -> Self: ...
    @overload
    def listen(
        self,
        where: _Where | Server,
        queue_length: int,
        listener: _Plain | None = None,
        /,
        **keywords: Unpack[ListenKeywords],
    ) -> Self: ...
    @overload
    def listen(
        self,
        where: _Where | Server | ListenKeywords | None,
        listener: _Plain | None = None,
        /,
        **keywords: Unpack[ListenKeywords],
    ) -> Self: ...
    @overload
    def listen(self, listener: _Plain, /, **keywords: Unpack[ListenKeywords]) -> Self: ...
    @overload
    def listen(self, **keywords: Unpack[ListenKeywords]) -> Self: ...
    def close(self, callback: Callable[[Any], object] | None = None) -> Self: ...
    def shutdown(self, timeout: float | None = None) -> asyncio.Future[Cut]: ...
    def closed(self) -> Coroutine[Any, Any, None]: ...
    def __aiter__(self) -> Arrivals: ...
    def __aenter__(self) -> Coroutine[Any, Any, Self]: ...
    def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Coroutine[Any, Any, None]: ...
    def address(self) -> Address | str | None: ...
    def addresses(self) -> list[Address | str]: ...
    # None too.  Whoever has listened on a port knows that there is one, and need not tell a checker.
    @property
    def port(self) -> int | Any: ...
    @overload  # type: ignore[override]
    def on(self, event: _PlainEvent, listener: _Plain) -> Self: ...
    @overload
    def on(self, event: Literal["connection"], listener: _Connection) -> Self: ...
    @overload
    def on(self, event: Literal["drop"], listener: _Drop) -> Self: ...
    @overload
    def on(self, event: Literal["error"], listener: _Error) -> Self: ...
    @overload
    def on(self, event: Literal["upstream"], listener: _Upstream) -> Self: ...
    @overload
    def on(self, event: Literal["upstreamError"], listener: _Unreached) -> Self: ...
    @overload
    def on(self, event: Literal["secureConnection"], listener: _Secured) -> Self: ...
    @overload
    def on(self, event: Literal["tlsClientError"], listener: _NotSecured) -> Self: ...
    @overload
    @deprecated("this event has other arguments")
    def on(self, event: _KnownEvent, listener: _Listener) -> Self: ...
    @overload
    def on(self, event: Hashable, listener: _Listener) -> Self: ...
    @overload
    def on(self, event: _PlainEvent, listener: None = None) -> Callable[[_PlainL], _PlainL]: ...
    @overload
    def on(
        self, event: Literal["connection"], listener: None = None
    ) -> Callable[[_ConnectionL], _ConnectionL]: ...
    @overload
    def on(self, event: Literal["drop"], listener: None = None) -> Callable[[_DropL], _DropL]: ...
    @overload
    def on(
        self, event: Literal["error"], listener: None = None
    ) -> Callable[[_ErrorL], _ErrorL]: ...
    @overload
    def on(
        self, event: Literal["upstream"], listener: None = None
    ) -> Callable[[_UpstreamL], _UpstreamL]: ...
    @overload
    def on(
        self, event: Literal["upstreamError"], listener: None = None
    ) -> Callable[[_UnreachedL], _UnreachedL]: ...
    @overload
    def on(
        self, event: Literal["secureConnection"], listener: None = None
    ) -> Callable[[_SecuredL], _SecuredL]: ...
    @overload
    def on(
        self, event: Literal["tlsClientError"], listener: None = None
    ) -> Callable[[_NotSecuredL], _NotSecuredL]: ...
    @overload
    def on(self, event: Hashable, listener: None = None) -> Callable[[_L], _L]: ...  # pyright: ignore[reportIncompatibleMethodOverride]
    @overload  # type: ignore[override]
    def once(self, event: _PlainEvent, listener: _Plain) -> Self: ...
    @overload
    def once(self, event: Literal["connection"], listener: _Connection) -> Self: ...
    @overload
    def once(self, event: Literal["drop"], listener: _Drop) -> Self: ...
    @overload
    def once(self, event: Literal["error"], listener: _Error) -> Self: ...
    @overload
    def once(self, event: Literal["upstream"], listener: _Upstream) -> Self: ...
    @overload
    def once(self, event: Literal["upstreamError"], listener: _Unreached) -> Self: ...
    @overload
    def once(self, event: Literal["secureConnection"], listener: _Secured) -> Self: ...
    @overload
    def once(self, event: Literal["tlsClientError"], listener: _NotSecured) -> Self: ...
    @overload
    @deprecated("this event has other arguments")
    def once(self, event: _KnownEvent, listener: _Listener) -> Self: ...
    @overload
    def once(self, event: Hashable, listener: _Listener) -> Self: ...
    @overload
    def once(self, event: _PlainEvent, listener: None = None) -> Callable[[_PlainL], _PlainL]: ...
    @overload
    def once(
        self, event: Literal["connection"], listener: None = None
    ) -> Callable[[_ConnectionL], _ConnectionL]: ...
    @overload
    def once(self, event: Literal["drop"], listener: None = None) -> Callable[[_DropL], _DropL]: ...
    @overload
    def once(
        self, event: Literal["error"], listener: None = None
    ) -> Callable[[_ErrorL], _ErrorL]: ...
    @overload
    def once(
        self, event: Literal["upstream"], listener: None = None
    ) -> Callable[[_UpstreamL], _UpstreamL]: ...
    @overload
    def once(
        self, event: Literal["upstreamError"], listener: None = None
    ) -> Callable[[_UnreachedL], _UnreachedL]: ...
    @overload
    def once(
        self, event: Literal["secureConnection"], listener: None = None
    ) -> Callable[[_SecuredL], _SecuredL]: ...
    @overload
    def once(
        self, event: Literal["tlsClientError"], listener: None = None
    ) -> Callable[[_NotSecuredL], _NotSecuredL]: ...
    @overload
    def once(self, event: Hashable, listener: None = None) -> Callable[[_L], _L]: ...  # pyright: ignore[reportIncompatibleMethodOverride]
    @overload
    def add_listener(self, event: _PlainEvent, listener: _Plain) -> Self: ...
    @overload
    def add_listener(self, event: Literal["connection"], listener: _Connection) -> Self: ...
    @overload
    def add_listener(self, event: Literal["drop"], listener: _Drop) -> Self: ...
    @overload
    def add_listener(self, event: Literal["error"], listener: _Error) -> Self: ...
    @overload
    def add_listener(self, event: Literal["upstream"], listener: _Upstream) -> Self: ...
    @overload
    def add_listener(self, event: Literal["upstreamError"], listener: _Unreached) -> Self: ...
    @overload
    def add_listener(self, event: Literal["secureConnection"], listener: _Secured) -> Self: ...
    @overload
    def add_listener(self, event: Literal["tlsClientError"], listener: _NotSecured) -> Self: ...
    @overload
    @deprecated("this event has other arguments")
    def add_listener(self, event: _KnownEvent, listener: _Listener) -> Self: ...
    @overload
    def add_listener(self, event: Hashable, listener: _Listener) -> Self: ...
    @overload
    def prepend_listener(self, event: _PlainEvent, listener: _Plain) -> Self: ...
    @overload
    def prepend_listener(self, event: Literal["connection"], listener: _Connection) -> Self: ...
    @overload
    def prepend_listener(self, event: Literal["drop"], listener: _Drop) -> Self: ...
    @overload
    def prepend_listener(self, event: Literal["error"], listener: _Error) -> Self: ...
    @overload
    def prepend_listener(self, event: Literal["upstream"], listener: _Upstream) -> Self: ...
    @overload
    def prepend_listener(self, event: Literal["upstreamError"], listener: _Unreached) -> Self: ...
    @overload
    def prepend_listener(self, event: Literal["secureConnection"], listener: _Secured) -> Self: ...
    @overload
    def prepend_listener(
        self, event: Literal["tlsClientError"], listener: _NotSecured
    ) -> Self: ...
    @overload
    @deprecated("this event has other arguments")
    def prepend_listener(self, event: _KnownEvent, listener: _Listener) -> Self: ...
    @overload
    def prepend_listener(self, event: Hashable, listener: _Listener) -> Self: ...
    @overload
    def prepend_once_listener(self, event: _PlainEvent, listener: _Plain) -> Self: ...
    @overload
    def prepend_once_listener(
        self, event: Literal["connection"], listener: _Connection
    ) -> Self: ...
    @overload
    def prepend_once_listener(self, event: Literal["drop"], listener: _Drop) -> Self: ...
    @overload
    def prepend_once_listener(self, event: Literal["error"], listener: _Error) -> Self: ...
    @overload
    def prepend_once_listener(self, event: Literal["upstream"], listener: _Upstream) -> Self: ...
    @overload
    def prepend_once_listener(
        self, event: Literal["upstreamError"], listener: _Unreached
    ) -> Self: ...
    @overload
    def prepend_once_listener(
        self, event: Literal["secureConnection"], listener: _Secured
    ) -> Self: ...
    @overload
    def prepend_once_listener(
        self, event: Literal["tlsClientError"], listener: _NotSecured
    ) -> Self: ...
    @overload
    @deprecated("this event has other arguments")
    def prepend_once_listener(self, event: _KnownEvent, listener: _Listener) -> Self: ...
    @overload
    def prepend_once_listener(self, event: Hashable, listener: _Listener) -> Self: ...
