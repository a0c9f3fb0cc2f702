from collections.abc import Coroutine
from typing import Any, final

from typing_extensions import Self, disjoint_base

from uvnet.events.waiter import Awaitable
from uvnet.socket.socket import Socket
from uvnet.socket.socket_parent import SocketParent

@disjoint_base
class Arrivals:
    def __new__(cls, server: SocketParent) -> Self: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Coroutine[Any, Any, Socket]: ...

@final
class ArrivalAwaitable(Awaitable): ...
