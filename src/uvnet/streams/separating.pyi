from typing_extensions import Buffer, disjoint_base

from uvnet.streams.readable import Readable
from uvnet.streams.reading import StreamReader

@disjoint_base
class UntilReader(StreamReader): ...

def read_until(
    stream: Readable, separator: str | Buffer | tuple[str | Buffer, ...], limit: int
) -> UntilReader: ...
