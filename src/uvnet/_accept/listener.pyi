from typing import Any

from typing_extensions import disjoint_base

from uvnet._loop.record import LoopRecord

@disjoint_base
class Lease:
    @property
    def dealt(self) -> bool: ...
    def give_up(self) -> None: ...
    def holder(self) -> Any: ...

@disjoint_base
class Listener:
    @property
    def family(self) -> int: ...

def listening_owners(record: LoopRecord) -> list[Any]: ...
