from typing_extensions import disjoint_base

from uvnet.keywords import OnRead

@disjoint_base
class BufferReader:
    def __init__(self, option: OnRead) -> None: ...
