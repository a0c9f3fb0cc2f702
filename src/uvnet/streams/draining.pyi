from typing import final

from uvnet.events.waiter import Awaitable
from uvnet.streams.duplex import Duplex

@final
class Drainer(Awaitable): ...

def drain(stream: Duplex) -> Awaitable: ...
