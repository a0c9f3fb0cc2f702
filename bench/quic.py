"""What QUIC costs, beside aioquic's own asyncio layer: `python -m bench.quic`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.certificate import PATH, TOOL, certificate
from bench.columns import Ratio
from bench.peers import Peer
from bench.rounds import PeerResult
from bench.table import Column, number
from bench.timings import Timing, run_timing, timing_main

PROGRAM = "statements/quic_python.py"
RIVAL = "aioquic on uvloop"


def _peer(name: str, kind: str, *needs: str) -> Peer:
    return Peer(name, (PROGRAM, kind, str(PATH)), needs=("aioquic", *needs), tools=(TOOL,))


PEERS = (
    _peer("uvnet", "uvnet", "uvnet:create_quic_socket", "uvloop"),
    _peer(RIVAL, "uvloop", "uvloop"),
    _peer("aioquic on asyncio", "asyncio"),
)
KINDS = ("bulk", "streams", "handshakes")
CASES = tuple(kind + cost for kind in KINDS for cost in ("", "_cpu"))

METHOD = (
    "Both ends in one process on one core, over loopback: a server sends 4 MiB on one stream (MB/s); 20 streams at a time "
    "are opened, have 100 bytes sent and echoed, and end (streams/s); 10 sessions at a time shake hands (handshakes/s; that "
    "they close is not timed). Ratios are of rates, and of CPU time for each. The second peer is aioquic's own asyncio layer, "
    "which has the same engine below it, with its defaults; its client does not look at the certificate, and uvnet's verifies "
    "it. A process takes the best of its repeats, every round runs "
    "every peer once in a new random order and in fresh processes, and shown are medians over the rounds."
)


def _rate(title: str, case: str, digits: int = 0) -> Column:
    def cell(result: PeerResult) -> str:
        nanoseconds = result.median(case)
        return number(1e9 / nanoseconds if nanoseconds else None, digits)

    return Column(title, cell)


class RateRatio(Ratio):
    """Of what is given in nanoseconds, where more in a second is better."""

    def column(self, results: Sequence[PeerResult]) -> Column:
        def cell(result: PeerResult) -> str:
            ratio = result.ratio_to(self.reference(result, results), self.measure)
            return number(1 / ratio if ratio else None, 2)

        return Column(self.title, cell)


def _columns(results: Sequence[PeerResult]) -> list[Column]:
    columns = []
    for kind, title, digits in zip(KINDS, ("MB/s", "streams/s", "handshakes/s"), (1, 0, 0), strict=True):
        columns += [
            _rate(title, kind, digits),
            RateRatio("/ aioquic", kind, RIVAL).column(results),
            Ratio("CPU\n/ aioquic", f"{kind}_cpu", RIVAL).column(results),
        ]
    return columns


QUIC = Timing(
    name="quic",
    title="QUIC: in a second, and CPU for each",
    method=METHOD,
    peers=PEERS,
    cases=CASES,
    columns=_columns,
)


def run_quic(rounds: int, seconds: float, seed: int, wanted: str) -> bool:
    """Make a certificate, then measure, print and store; False when a peer that could run failed."""
    certificate()
    return run_timing(QUIC, rounds, seconds, seed, wanted)


if __name__ == "__main__":
    certificate()
    sys.exit(timing_main(QUIC, __doc__))
