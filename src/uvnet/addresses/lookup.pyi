from collections.abc import Callable
from typing import Any

from typing_extensions import disjoint_base

from uvnet._loop.record import LoopRecord

@disjoint_base
class Lookup:
    owner: Any
    def cancel(self) -> None: ...

def look_up(
    record: LoopRecord,
    owner: object,
    hostname: str,
    family: int,
    hints: int,
    callback: Callable[[Any, Any], object],
) -> Lookup: ...
