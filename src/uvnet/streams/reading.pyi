from typing import final

from typing_extensions import disjoint_base

from uvnet.events.waiter import Reader
from uvnet.streams.readable import Readable

@disjoint_base
class StreamReader(Reader): ...

@final
class ExactReader(StreamReader): ...

def read_exactly(stream: Readable, count: int) -> ExactReader: ...
