"""Times a statement for the programs beside this file."""

from __future__ import annotations

import timeit
from typing import Any

REPEATS = 7


def nanoseconds(statement: str, names: dict[str, Any], seconds: float, count: int = 1) -> float:
    """For each of `count` things that the statement does: the best of several repeats, because
    whatever disturbs a repeat only ever makes it slower."""
    timer = timeit.Timer(statement, globals=names)
    number = 1
    while (taken := timer.timeit(number)) < seconds / REPEATS / 4:
        number *= 2
    number = max(1, int(number * seconds / REPEATS / taken))
    return min(timer.repeat(REPEATS, number)) / number / count * 1e9
