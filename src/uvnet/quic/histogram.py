"""Histogram: how values of one kind are spread.  Node: "Class: Histogram" of perf_hooks; section 4.3.

Bounded: values are counted by classes that grow by an eighth, as HDR histograms do, so a percentile is right to that.
They are counted some at a time, or when somebody asks: most streams are over before that.
"""

from __future__ import annotations

import math

from uvnet.errors.codes import invalid_type, out_of_range

__all__ = ["Histogram"]

LARGEST = 2**63 - 1
MOST_FRESH = 64  # values that are not counted yet


class Histogram:
    """min, max, mean, stddev (float or int), `exceeds` (values that were too large), `percentiles`; of whole numbers."""

    __slots__ = ("_classes", "_count", "_exceeds", "_fresh", "_max", "_min", "_squares", "_sum")

    def __init__(self) -> None:
        self._fresh: list[int] = []
        self._classes: dict[int, int] | None = None

    def reset(self) -> None:
        """Forget all values.  Node: "histogram.reset()"."""
        self._fresh.clear()
        self._classes = {}
        self._count = 0
        self._sum = 0
        self._squares = 0
        self._min = LARGEST
        self._max = 0
        self._exceeds = 0

    def record(self, value: int) -> None:
        """Count a value; one below 1 counts as 1."""
        self._fresh.append(value)
        if len(self._fresh) == MOST_FRESH:
            self._counted()

    def _counted(self) -> dict[int, int]:
        """Count those that have come meanwhile; how many there are by class."""
        fresh, self._fresh = self._fresh, []
        if self._classes is None:
            self.reset()
        assert self._classes is not None
        for value in fresh:
            if value > LARGEST:
                self._exceeds += 1
                continue
            value = max(value, 1)
            number = _class_of(value)
            self._classes[number] = self._classes.get(number, 0) + 1
            self._count += 1
            self._sum += value
            self._squares += value * value
            self._min = min(self._min, value)
            self._max = max(self._max, value)
        return self._classes

    @property
    def count(self) -> int:
        """How many values there are."""
        self._counted()
        return self._count

    @property
    def min(self) -> int:
        """The smallest value; without any the largest number there is."""
        self._counted()
        return self._min

    @property
    def max(self) -> int:
        """The largest value."""
        self._counted()
        return self._max

    @property
    def exceeds(self) -> int:
        """How many values were too large to count."""
        self._counted()
        return self._exceeds

    @property
    def mean(self) -> float:
        """The mean, or NaN without values."""
        self._counted()
        return self._sum / self._count if self._count else math.nan

    @property
    def stddev(self) -> float:
        """The standard deviation, or NaN without values."""
        self._counted()
        if not self._count:
            return math.nan
        return math.sqrt(max(self._squares / self._count - self.mean**2, 0))

    def percentile(self, percentile: float) -> int:
        """The value below which so many percent (more than 0, at most 100) of the values are.

        Raises TypeError or ValueError for another number.  Node: "histogram.percentile(percentile)".
        """
        if isinstance(percentile, bool) or not isinstance(percentile, int | float):
            raise invalid_type("percentile", "of type float", percentile)
        if not 0 < percentile <= 100:
            raise out_of_range("percentile", "> 0 && <= 100", percentile)
        classes = self._counted()
        wanted = self._count * percentile / 100
        seen = 0
        for number in sorted(classes):
            seen += classes[number]
            if seen >= wanted:
                return min(_end_of(number), self._max)
        return 0

    @property
    def percentiles(self) -> dict[float, int]:
        """Values by percentile, in steps that halve the rest.  Node: "histogram.percentiles"."""
        self._counted()
        found: dict[float, int] = {}
        rest = 100.0
        while self._count and rest * self._count >= 100:
            found[100 - rest if rest < 100 else 0] = self.percentile(max(100 - rest, 1e-9))
            rest /= 2
        found[100] = self._max
        return found


def _class_of(value: int) -> int:
    shift = max(value.bit_length() - 4, 0)
    return shift * 16 + (value >> shift)


def _end_of(number: int) -> int:
    shift, digits = divmod(number, 16)
    return ((digits + 1) << shift) - 1
