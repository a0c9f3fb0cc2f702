"""Interleaved rounds, and what may be said about their samples."""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from bench.peers import Peer
from bench.processes import MeasurementError

Sample = dict[str, float | None]
Measure = Callable[[Peer], Sample]
Progress = Callable[[str], None]


@dataclass
class PeerResult:
    """All samples of one peer, one a round, and the reason why there are none or no more."""

    peer: Peer
    unavailable: str | None = None
    failure: str | None = None
    samples: list[Sample] = field(default_factory=list)

    def values(self, name: str) -> list[float]:
        found = (sample.get(name) for sample in self.samples)
        return [value for value in found if value is not None]

    def median(self, name: str) -> float | None:
        values = self.values(name)
        return statistics.median(values) if values else None

    def spread(self, name: str) -> tuple[float, float] | None:
        values = self.values(name)
        return (min(values), max(values)) if values else None

    def ratio_to(self, other: PeerResult | None, name: str) -> float | None:
        """The median of the ratios within each round: neighbours in time share the disturbances."""
        if other is None:
            return None
        pairs = zip(self.samples, other.samples, strict=False)
        both = ((mine.get(name), theirs.get(name)) for mine, theirs in pairs)
        ratios = [mine / theirs for mine, theirs in both if mine is not None and theirs]
        return statistics.median(ratios) if ratios else None

    def mean(self, name: str) -> float | None:
        values = self.values(name)
        return statistics.fmean(values) if values else None

    def ratio_of_means(self, other: PeerResult | None, name: str) -> float | None:
        """For what is sampled coarsely: a mean uses every sample of every round, a median one."""
        if other is None:
            return None
        mine, theirs = self.mean(name), other.mean(name)
        return mine / theirs if mine is not None and theirs else None


def find(results: Iterable[PeerResult], name: str) -> PeerResult | None:
    return next((result for result in results if result.peer.name == name), None)


def interleave(
    peers: tuple[Peer, ...], measure: Measure, rounds: int, seed: int, progress: Progress
) -> list[PeerResult]:
    """Measures every peer once a round, each round in another order.

    A peer that cannot run is not tried; one that fails takes no part in the rounds that follow.
    """
    results = [PeerResult(peer, peer.problem()) for peer in peers]
    order = random.Random(seed)
    for number in range(1, rounds + 1):
        taking_part = [
            result for result in results if not result.unavailable and not result.failure
        ]
        order.shuffle(taking_part)
        for result in taking_part:
            progress(f"round {number} of {rounds}: {result.peer.name}")
            try:
                result.samples.append(measure(result.peer))
            except MeasurementError as error:
                result.failure = f"in round {number}: {error}"
    progress("")
    return results
