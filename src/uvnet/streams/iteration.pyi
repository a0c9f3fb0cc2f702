from collections.abc import Coroutine
from typing import Any, final

from typing_extensions import Self, disjoint_base

from uvnet.streams.readable import Readable
from uvnet.streams.reading import StreamReader

@disjoint_base
class ChunkIterator:
    def __new__(cls, stream: Readable) -> Self: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Coroutine[Any, Any, bytes]: ...
    def __del__(self) -> None: ...

@final
class ChunkReader(StreamReader): ...
