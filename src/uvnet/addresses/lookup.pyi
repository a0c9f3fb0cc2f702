from collections.abc import Callable
from typing import Any

from typing_extensions import disjoint_base

from uvnet._core.record import LoopRecord

@disjoint_base
class Lookup:
    def cancel(self) -> None: ...

def look_up(
    record: LoopRecord,
    owner: object,
    hostname: str,
    family: int,
    hints: int,
    callback: Callable[[Any, Any], object],
) -> Lookup: ...
def lookup_owners(record: LoopRecord) -> list[Any]: ...
