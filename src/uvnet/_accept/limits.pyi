from typing_extensions import disjoint_base

from uvnet.addresses.blocklist import BlockList

@disjoint_base
class Admitted: ...

@disjoint_base
class Limits:
    def __init__(
        self,
        *,
        allow_list: BlockList | None,
        hosts: tuple[int | None, float, float, int, int] | None,
        rate: float,
        burst: float,
        idle: int,
        first_data: int,
        lifetime: int,
        receive_rate: int,
        total_buffered: int,
    ) -> None: ...
