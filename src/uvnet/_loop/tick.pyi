from collections.abc import Callable
from typing import Any

from uvnet._loop.record import LoopRecord

def call_on(record: LoopRecord, callback: Callable[..., object], *arguments: Any) -> None: ...
def next_tick_on(record: LoopRecord, callback: Callable[..., object], *arguments: Any) -> None: ...
