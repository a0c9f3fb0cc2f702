"""The addresses of the hosts that a server shall listen on, by name or not; rule 1.4."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from uvnet._loop.record import LoopRecord
from uvnet.addresses.ip import is_ip
from uvnet.addresses.lookup import look_up

__all__ = ["look_up_hosts"]

_Answered = Callable[[BaseException | None, "tuple[str, ...]"], Any]


def look_up_hosts(record: LoopRecord, server: object, hosts: Sequence[str], answered: _Answered) -> None:
    """Call answered(error, addresses) once, perhaps before this returns: one address for each host, none twice."""
    found: list[str] = []

    def came(error: BaseException | None, addresses: list[tuple[str, int]] | None) -> None:
        if error is not None or addresses is None:
            answered(error, ())
            return
        # A link-local address is of no use without its interface.
        usable = [address for address, _ in addresses if not address.lower().startswith("fe80")]
        found.append(usable[0] if usable else addresses[0][0])
        go_on()

    def go_on() -> None:
        for host in hosts[len(found) :]:
            if is_ip(host):
                found.append(host)
                continue
            try:
                look_up(record, server, host, 0, 0, came)
            except OSError as error:
                answered(error, ())
            return
        answered(None, tuple(dict.fromkeys(found)))

    go_on()
