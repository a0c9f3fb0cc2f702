from collections.abc import Callable
from typing import Any

from typing_extensions import disjoint_base

from uvnet.events.emitter import EventEmitter

@disjoint_base
class LoopEmitter(EventEmitter):
    def _in_context(self, callback: Callable[..., Any], *arguments: Any) -> Any: ...
