from typing_extensions import disjoint_base

from uvnet.tunable import Tunable

@disjoint_base
class Adopting(Tunable): ...
