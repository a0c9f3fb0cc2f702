from typing import final

from uvnet.awaiting import Awaitable
from uvnet.duplex import Duplex

@final
class Drainer(Awaitable): ...

def drain(stream: Duplex) -> Awaitable: ...
