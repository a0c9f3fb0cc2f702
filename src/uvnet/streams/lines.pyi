from collections.abc import Coroutine
from typing import Any, final

from typing_extensions import Self, disjoint_base

from uvnet.streams.readable import Readable
from uvnet.streams.separating import UntilReader

@final
class LineReader(UntilReader): ...

@disjoint_base
class LineIterator:
    def __new__(cls, stream: Readable, limit: int, keep_ends: object) -> Self: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Coroutine[Any, Any, bytes]: ...
