"""The columns that the tables of several workloads share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.rounds import PeerResult, find
from bench.table import Column, number, percent, spread
from bench.units import Unit

REFERENCE = "C reference"
RIVAL = "uvloop Protocol"


@dataclass(frozen=True)
class Ratio:
    """One number of a peer divided by that of the peer with this name, what is `sampled` by its mean."""

    title: str
    measure: str
    other: str
    sampled: bool = False

    def column(self, results: Sequence[PeerResult]) -> Column:
        def cell(result: PeerResult) -> str:
            other = self.reference(result, results)
            if self.sampled:
                return number(result.ratio_of_means(other, self.measure), 2)
            return number(result.ratio_to(other, self.measure), 2)

        return Column(self.title, cell)

    def reference(self, result: PeerResult, results: Sequence[PeerResult]) -> PeerResult | None:
        """What a result is divided by."""
        return find(results, self.other)


def user_ratio(title: str, other: str) -> Ratio:
    """User time is known from samples alone."""
    return Ratio(title, "user", other, sampled=True)


RATE_TO_C = Ratio("rate\n/ C", "rate", REFERENCE)
USER_TO_UVLOOP = user_ratio("user\n/ uvloop", RIVAL)
CPU_TO_UVLOOP = Ratio("CPU\n/ uvloop", "total", RIVAL)
STANDARD_RATIOS = (
    RATE_TO_C,
    Ratio("CPU\n/ C", "total", REFERENCE),
    Ratio("rate\n/ uvloop", "rate", RIVAL),
    CPU_TO_UVLOOP,
    USER_TO_UVLOOP,
)


def median(title: str, name: str, digits: int = 0) -> Column:
    return Column(title, lambda result: number(result.median(name), digits))


def mean(title: str, name: str, digits: int = 0) -> Column:
    return Column(title, lambda result: number(result.mean(name), digits))


def extremes(title: str, name: str, digits: int = 0) -> Column:
    return Column(title, lambda result: spread(result.spread(name), digits))


def share(title: str, name: str) -> Column:
    return Column(title, lambda result: percent(result.median(name)))


def rate_columns(unit: Unit) -> list[Column]:
    return [median(f"\n{unit.rate_title}", "rate"), extremes("\nlowest..highest", "rate")]


def cost_columns(unit: Unit) -> list[Column]:
    digits = unit.cost_digits
    return [
        mean(f"CPU user\n{unit.cost_title}", "user", digits),
        median(f"CPU total\n{unit.cost_title}", "total", digits),
        extremes("\nlowest..highest", "total", digits),
    ]


def load_columns() -> list[Column]:
    return [
        share("busy\nserver", "server_busy"),
        share("busy\nload", "load_busy"),
        share("server\nwaited", "server_waited"),
        median("p50\nus", "p50_microseconds"),
        median("p99\nus", "p99_microseconds"),
    ]
