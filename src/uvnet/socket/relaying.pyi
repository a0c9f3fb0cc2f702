from typing_extensions import disjoint_base

from uvnet.socket.connection import Connection

def _enable(enabled: bool) -> bool: ...

@disjoint_base
class Relaying(Connection):
    @property
    def _relayed(self) -> bool: ...
