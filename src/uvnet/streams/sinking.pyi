from typing import final

from uvnet._stream.file_sink import FileSink
from uvnet.streams.readable import Readable
from uvnet.streams.reading import StreamReader

@final
class SinkReader(StreamReader): ...

def move_to_file(stream: Readable, sink: FileSink) -> SinkReader: ...
