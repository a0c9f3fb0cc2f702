from collections.abc import Callable

from typing_extensions import Self, disjoint_base

from uvnet.connection import SocketParent

@disjoint_base
class Acceptor(SocketParent):
    allow_half_open: bool
    pause_on_connect: bool
    max_connections: int | None
    def get_connections(self, callback: Callable[[None, int], object]) -> Self: ...
    def ref(self) -> Self: ...
    def unref(self) -> Self: ...
    @property
    def listening(self) -> bool: ...
