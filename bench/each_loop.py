"""One program for asyncio as a peer on each loop, and what a loop's numbers are divided by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.certificate import TOOL
from bench.columns import RIVAL, Ratio
from bench.peers import Peer
from bench.rounds import PeerResult, find

# The modules that each needs; `servers/loops.py` imports uvloop for all.
LOOPS = {
    "uvnet": ("uvnet", "uvloop"),
    "uvloop": ("uvloop",),
    "aiofastnet": ("uvloop", "aiofastnet"),
    "asyncio": ("uvloop",),
}


def on_each_loop(
    kind: str, program: str, needs: Sequence[str] = (), secure: bool = False
) -> tuple[Peer, ...]:
    """Peers named `LOOP kind`; what is measured over TLS needs a certificate, and OpenSSL for the load."""
    return tuple(
        Peer(
            f"{loop} {kind}",
            (program, loop),
            needs=(*modules, *needs),
            tools=(TOOL,) if secure else (),
            headers=("openssl/ssl.h",) if secure else (),
        )
        for loop, modules in LOOPS.items()
    )


@dataclass(frozen=True)
class LoopRatio(Ratio):
    """To the same program on another loop; what runs on one loop alone is compared with the Protocol."""

    def reference(self, result: PeerResult, results: Sequence[PeerResult]) -> PeerResult | None:
        _, _, kind = result.peer.name.partition(" ")
        return find(results, f"{self.other} {kind}") or find(results, RIVAL)


LOOP_RATIOS = (
    LoopRatio("CPU\n/ uvloop", "total", "uvloop"),
    LoopRatio("user\n/ uvloop", "user", "uvloop", sampled=True),
    LoopRatio("rate\n/ uvloop", "rate", "uvloop"),
    LoopRatio("CPU\n/ aiofastnet", "total", "aiofastnet"),
)
