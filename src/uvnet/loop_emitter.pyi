from typing_extensions import disjoint_base

from uvnet.emitter import EventEmitter

@disjoint_base
class LoopEmitter(EventEmitter): ...
