from collections.abc import Callable
from typing import Any, overload

from typing_extensions import Buffer, Self, disjoint_base

from uvnet.streams.writable import Writable

_Done = Callable[[Any], object]

@disjoint_base
class Duplex(Writable):
    allow_half_open: bool
    @overload
    def end(
        self,
        chunk: str | Buffer | None = None,
        encoding: str | None = None,
        callback: _Done | None = None,
    ) -> Self: ...
    @overload
    def end(self, chunk: str | Buffer | None, encoding: _Done) -> Self: ...
    @overload
    def end(self, chunk: _Done) -> Self: ...
    def destroy(self, error: BaseException | None = None) -> Self: ...
    def destroy_soon(self) -> Self: ...
    @property
    def writable_ended(self) -> bool: ...
    @property
    def writable_finished(self) -> bool: ...
    @property
    def destroyed(self) -> bool: ...
    @property
    def errored(self) -> BaseException | None: ...
    @property
    def closed(self) -> bool: ...
