from typing_extensions import disjoint_base

from uvnet.connection import Connection

@disjoint_base
class Relaying(Connection): ...
