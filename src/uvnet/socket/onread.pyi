from typing_extensions import Self, disjoint_base

from uvnet.arguments.keywords import OnRead

@disjoint_base
class BufferReader:
    def __new__(cls, option: OnRead) -> Self: ...
