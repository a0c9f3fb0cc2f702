from typing import final

from typing_extensions import Buffer, disjoint_base

from uvnet.events.waiter import Reader
from uvnet.streams.readable import Readable

@disjoint_base
class StreamReader(Reader): ...

@final
class ExactReader(StreamReader): ...

@final
class UntilReader(StreamReader): ...

def read_exactly(stream: Readable, count: int) -> ExactReader: ...
def read_until(stream: Readable, separator: str | Buffer, limit: int) -> UntilReader: ...
