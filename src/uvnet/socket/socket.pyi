import os
import ssl
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Literal, TypeVar, overload

from typing_extensions import Self, Unpack, deprecated, disjoint_base

from uvnet.addresses.address import Address, Host
from uvnet.arguments.keywords import ConnectKeywords, SocketKeywords, StartTLSKeywords
from uvnet.socket.adopting import Adopting
from uvnet.streams.duplex import Duplex
from uvnet.tls.tls_socket import TLSSocket

# Known events say what their listeners are called with.  The overload for events of the user's own would take
# any listener of theirs all the same; the one before it, marked as deprecated, tells of a listener that does
# not fit.  Checkers take narrower overloads in a subclass for a mistake, whatever follows them.
_Listener = Callable[..., object]
_L = TypeVar("_L", bound=_Listener)

_PlainEvent = Literal[
    "connect",
    "drain",
    "end",
    "finish",
    "pause",
    "prefinish",
    "readable",
    "ready",
    "resume",
    "secure",
    "secureConnect",
    "timeout",
]
_Plain = Callable[[], object]
_PlainL = TypeVar("_PlainL", bound=_Plain)

# Text after set_encoding().
_Bytes = Callable[[bytes], object]
_Text = Callable[[str], object]
_DataL = TypeVar("_DataL", bound=_Bytes | _Text)

# 'close': had_error.
_Flag = Callable[[bool], object]
_FlagL = TypeVar("_FlagL", bound=_Flag)

# An OSError, one of uvnet's own, or whatever destroy() was given.
_Error = Callable[[Any], object]
_ErrorL = TypeVar("_ErrorL", bound=_Error)

_PipeEvent = Literal["pipe", "unpipe"]
_Pipe = Callable[[Duplex], object]
_PipeL = TypeVar("_PipeL", bound=_Pipe)

# error, address, family, host.
_LookUp = Callable[[Any, str | None, int | None, str], object]
_LookUpL = TypeVar("_LookUpL", bound=_LookUp)

# address, port, family.
_AttemptEvent = Literal["connectionAttempt", "connectionAttemptTimeout"]
_Attempt = Callable[[str, int, int], object]
_AttemptL = TypeVar("_AttemptL", bound=_Attempt)

# address, port, family, error.
_Failure = Callable[[str, int, int, Exception], object]
_FailureL = TypeVar("_FailureL", bound=_Failure)

_KnownEvent = Literal[
    _PlainEvent,
    _PipeEvent,
    _AttemptEvent,
    "data",
    "close",
    "error",
    "lookup",
    "connectionAttemptFailed",
]

_Path = str | bytes | os.PathLike[str]

@disjoint_base
class Socket(Adopting):
    auto_select_family_attempted_addresses: list[str] | None
    @overload
    def __init__(
        self, options: SocketKeywords | None = None, **keywords: Unpack[SocketKeywords]
    ) -> None: ...
    @overload
    def __init__(self, options: int, **keywords: Unpack[SocketKeywords]) -> None: ...
    # With bytes a path is a keyword: connect(path=b"...").
    @overload
    def connect(
        self,
        port: int | str,
        host: Host | None,
        listener: _Plain | None = None,
        /,
        **keywords: Unpack[ConnectKeywords],
    ) -> Self: ...
    @overload
    def connect(
        self,
        port_or_path: int | str | os.PathLike[str],
        listener: _Plain | None = None,
        /,
        **keywords: Unpack[ConnectKeywords],
    ) -> Self: ...
    @overload
    def connect(
        self,
        options: ConnectKeywords | Address,
        listener: _Plain | None = None,
        /,
        **keywords: Unpack[ConnectKeywords],
    ) -> Self: ...
    @overload
    def connect(self, **keywords: Unpack[ConnectKeywords]) -> Self: ...
    def start_tls(
        self,
        context: ssl.SSLContext | None = None,
        *,
        server_side: bool = False,
        server_hostname: Host | None = None,
        **options: Unpack[StartTLSKeywords],
    ) -> Coroutine[Any, Any, TLSSocket]: ...
    def _awaited_first(self) -> str | None: ...
    @property
    def connecting(self) -> bool: ...
    @property
    def pending(self) -> bool: ...
    @property
    def ready_state(self) -> Literal["opening", "open", "readOnly", "writeOnly", "closed"]: ...
    @overload  # type: ignore[override]
    def on(self, event: _PlainEvent, listener: _Plain) -> Self: ...
    @overload
    def on(self, event: Literal["data"], listener: _Bytes) -> Self: ...
    @overload
    def on(self, event: Literal["data"], listener: _Text) -> Self: ...
    @overload
    def on(self, event: Literal["close"], listener: _Flag) -> Self: ...
    @overload
    def on(self, event: Literal["error"], listener: _Error) -> Self: ...
    @overload
    def on(self, event: _PipeEvent, listener: _Pipe) -> Self: ...
    @overload
    def on(self, event: Literal["lookup"], listener: _LookUp) -> Self: ...
    @overload
    def on(self, event: _AttemptEvent, listener: _Attempt) -> Self: ...
    @overload
    def on(self, event: Literal["connectionAttemptFailed"], listener: _Failure) -> Self: ...
    @overload
    @deprecated("this event has other arguments")
    def on(self, event: _KnownEvent, listener: _Listener) -> Self: ...
    @overload
    def on(self, event: Hashable, listener: _Listener) -> Self: ...
    @overload
    def on(self, event: _PlainEvent, listener: None = None) -> Callable[[_PlainL], _PlainL]: ...
    @overload
    def on(self, event: Literal["data"], listener: None = None) -> Callable[[_DataL], _DataL]: ...
    @overload
    def on(self, event: Literal["close"], listener: None = None) -> Callable[[_FlagL], _FlagL]: ...
    @overload
    def on(
        self, event: Literal["error"], listener: None = None
    ) -> Callable[[_ErrorL], _ErrorL]: ...
    @overload
    def on(self, event: _PipeEvent, listener: None = None) -> Callable[[_PipeL], _PipeL]: ...
    @overload
    def on(
        self, event: Literal["lookup"], listener: None = None
    ) -> Callable[[_LookUpL], _LookUpL]: ...
    @overload
    def on(
        self, event: _AttemptEvent, listener: None = None
    ) -> Callable[[_AttemptL], _AttemptL]: ...
    @overload
    def on(
        self, event: Literal["connectionAttemptFailed"], listener: None = None
    ) -> Callable[[_FailureL], _FailureL]: ...
    @overload
    def on(self, event: Hashable, listener: None = None) -> Callable[[_L], _L]: ...  # pyright: ignore[reportIncompatibleMethodOverride]
    @overload  # type: ignore[override]
    def once(self, event: _PlainEvent, listener: _Plain) -> Self: ...
    @overload
    def once(self, event: Literal["data"], listener: _Bytes) -> Self: ...
    @overload
    def once(self, event: Literal["data"], listener: _Text) -> Self: ...
    @overload
    def once(self, event: Literal["close"], listener: _Flag) -> Self: ...
    @overload
    def once(self, event: Literal["error"], listener: _Error) -> Self: ...
    @overload
    def once(self, event: _PipeEvent, listener: _Pipe) -> Self: ...
    @overload
    def once(self, event: Literal["lookup"], listener: _LookUp) -> Self: ...
    @overload
    def once(self, event: _AttemptEvent, listener: _Attempt) -> Self: ...
    @overload
    def once(self, event: Literal["connectionAttemptFailed"], listener: _Failure) -> Self: ...
    @overload
    @deprecated("this event has other arguments")
    def once(self, event: _KnownEvent, listener: _Listener) -> Self: ...
    @overload
    def once(self, event: Hashable, listener: _Listener) -> Self: ...
    @overload
    def once(self, event: _PlainEvent, listener: None = None) -> Callable[[_PlainL], _PlainL]: ...
    @overload
    def once(self, event: Literal["data"], listener: None = None) -> Callable[[_DataL], _DataL]: ...
    @overload
    def once(
        self, event: Literal["close"], listener: None = None
    ) -> Callable[[_FlagL], _FlagL]: ...
    @overload
    def once(
        self, event: Literal["error"], listener: None = None
    ) -> Callable[[_ErrorL], _ErrorL]: ...
    @overload
    def once(self, event: _PipeEvent, listener: None = None) -> Callable[[_PipeL], _PipeL]: ...
    @overload
    def once(
        self, event: Literal["lookup"], listener: None = None
    ) -> Callable[[_LookUpL], _LookUpL]: ...
    @overload
    def once(
        self, event: _AttemptEvent, listener: None = None
    ) -> Callable[[_AttemptL], _AttemptL]: ...
    @overload
    def once(
        self, event: Literal["connectionAttemptFailed"], listener: None = None
    ) -> Callable[[_FailureL], _FailureL]: ...
    @overload
    def once(self, event: Hashable, listener: None = None) -> Callable[[_L], _L]: ...  # pyright: ignore[reportIncompatibleMethodOverride]
    @overload
    def add_listener(self, event: _PlainEvent, listener: _Plain) -> Self: ...
    @overload
    def add_listener(self, event: Literal["data"], listener: _Bytes) -> Self: ...
    @overload
    def add_listener(self, event: Literal["data"], listener: _Text) -> Self: ...
    @overload
    def add_listener(self, event: Literal["close"], listener: _Flag) -> Self: ...
    @overload
    def add_listener(self, event: Literal["error"], listener: _Error) -> Self: ...
    @overload
    def add_listener(self, event: _PipeEvent, listener: _Pipe) -> Self: ...
    @overload
    def add_listener(self, event: Literal["lookup"], listener: _LookUp) -> Self: ...
    @overload
    def add_listener(self, event: _AttemptEvent, listener: _Attempt) -> Self: ...
    @overload
    def add_listener(
        self, event: Literal["connectionAttemptFailed"], listener: _Failure
    ) -> Self: ...
    @overload
    @deprecated("this event has other arguments")
    def add_listener(self, event: _KnownEvent, listener: _Listener) -> Self: ...
    @overload
    def add_listener(self, event: Hashable, listener: _Listener) -> Self: ...
    @overload
    def prepend_listener(self, event: _PlainEvent, listener: _Plain) -> Self: ...
    @overload
    def prepend_listener(self, event: Literal["data"], listener: _Bytes) -> Self: ...
    @overload
    def prepend_listener(self, event: Literal["data"], listener: _Text) -> Self: ...
    @overload
    def prepend_listener(self, event: Literal["close"], listener: _Flag) -> Self: ...
    @overload
    def prepend_listener(self, event: Literal["error"], listener: _Error) -> Self: ...
    @overload
    def prepend_listener(self, event: _PipeEvent, listener: _Pipe) -> Self: ...
    @overload
    def prepend_listener(self, event: Literal["lookup"], listener: _LookUp) -> Self: ...
    @overload
    def prepend_listener(self, event: _AttemptEvent, listener: _Attempt) -> Self: ...
    @overload
    def prepend_listener(
        self, event: Literal["connectionAttemptFailed"], listener: _Failure
    ) -> Self: ...
    @overload
    @deprecated("this event has other arguments")
    def prepend_listener(self, event: _KnownEvent, listener: _Listener) -> Self: ...
    @overload
    def prepend_listener(self, event: Hashable, listener: _Listener) -> Self: ...
    @overload
    def prepend_once_listener(self, event: _PlainEvent, listener: _Plain) -> Self: ...
    @overload
    def prepend_once_listener(self, event: Literal["data"], listener: _Bytes) -> Self: ...
    @overload
    def prepend_once_listener(self, event: Literal["data"], listener: _Text) -> Self: ...
    @overload
    def prepend_once_listener(self, event: Literal["close"], listener: _Flag) -> Self: ...
    @overload
    def prepend_once_listener(self, event: Literal["error"], listener: _Error) -> Self: ...
    @overload
    def prepend_once_listener(self, event: _PipeEvent, listener: _Pipe) -> Self: ...
    @overload
    def prepend_once_listener(self, event: Literal["lookup"], listener: _LookUp) -> Self: ...
    @overload
    def prepend_once_listener(self, event: _AttemptEvent, listener: _Attempt) -> Self: ...
    @overload
    def prepend_once_listener(
        self, event: Literal["connectionAttemptFailed"], listener: _Failure
    ) -> Self: ...
    @overload
    @deprecated("this event has other arguments")
    def prepend_once_listener(self, event: _KnownEvent, listener: _Listener) -> Self: ...
    @overload
    def prepend_once_listener(self, event: Hashable, listener: _Listener) -> Self: ...
