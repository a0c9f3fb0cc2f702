"""Bad arguments: what is called, with what, and the code of the error it raises, or none.

Each row is a scenario of its own: a fresh object, the call, and its state afterwards.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from oracle.language import (
    Actor,
    Scenario,
    ServerActor,
    Step,
    client,
    error,
    finish,
    ms,
    module,
    number,
    path,
    server,
    show,
    wait,
)

__all__ = ["SCENARIOS"]

NAN, INFINITY = number("NaN"), number("Infinity")
TYPE, VALUE, RANGE = "ERR_INVALID_ARG_TYPE", "ERR_INVALID_ARG_VALUE", "ERR_OUT_OF_RANGE"


class Row(NamedTuple):
    """Arguments, and where uvnet differs: why, and the code it raises instead ("" for none)."""

    arguments: tuple[Any, ...]
    decision: str = ""
    code: str = ""


def same(*arguments: Any) -> Row:
    return Row(arguments)


def other(decision: str, code: str, *arguments: Any) -> Row:
    return Row(arguments, decision, code)
