from collections.abc import Callable

from typing_extensions import Self, disjoint_base

from uvnet._loop.record import LoopRecord

@disjoint_base
class Alarm:
    def __new__(cls, record: LoopRecord, function: Callable[[], object]) -> Self: ...
    def set(self, due: float | None) -> None: ...
    def close(self) -> None: ...
