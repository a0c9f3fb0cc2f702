from typing import Literal

from typing_extensions import disjoint_base

@disjoint_base
class TransportOptions:
    def __init__(
        self,
        *,
        max_buffered: int | None = None,
        on_max_buffered: Literal["destroy", "raise"] | None = None,
        idle_timeout: float | None = None,
        close_timeout: float | None = None,
        no_delay: bool | None = None,
        keep_alive: bool | None = None,
        keep_alive_initial_delay: float | None = None,
    ) -> None: ...
