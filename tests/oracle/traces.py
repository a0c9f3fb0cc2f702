"""Comparing what happened on Node with what happened on uvnet."""

from __future__ import annotations

import json
import re
from difflib import unified_diff
from typing import Any

from oracle.language import Case

__all__ = ["compare", "sides"]

_LONG = 100  # characters of data that are kept as they are
_ADDRESS_KEYS = {"address", "family", "port"}


def sides(
    played: dict[str, Any], together: tuple[tuple[str, ...], ...] = ()
) -> dict[str, list[Any]]:
    """Normalised entries, those of each actor apart: their order between two ends is the kernel's affair.

    `together` names groups of actors whose common order matters.
    """
    normalise = _Normaliser(played["names"], played["directory"])
    found: dict[str, list[Any]] = {}
    for who, *entry in played["trace"]:
        group = next(("+".join(names) for names in together if who in names), who)
        found.setdefault(group, []).append([who, *entry] if "+" in group else entry)
    return {
        group: [normalise(entry) for entry in _merge_data(entries, "+" in group)]
        for group, entries in found.items()
    }


def _merge_data(entries: list[Any], named: bool) -> list[Any]:
    """One 'data' for several in a row: where the stream is cut is the kernel's affair too."""
    where = 1 if named else 0
    merged: list[Any] = []
    for entry in entries:
        previous = merged[-1] if merged else None
        if entry[where] == "data" and previous and previous[: where + 1] == entry[: where + 1]:
            old, new = previous[-1], entry[-1]
            if isinstance(old, str) and isinstance(new, str):
                merged[-1] = [*previous[:-1], old + new]
                continue
            if isinstance(old, dict) and isinstance(new, dict):
                merged[-1] = [*previous[:-1], {"$bytes": old["$bytes"] + new["$bytes"]}]
                continue
        merged.append(entry)
    return merged


class _Normaliser:
    """Puts names in the place of what differs from run to run: ports and the directory."""

    def __init__(self, ports: dict[str, str], directory: str) -> None:
        self.ports = ports
        self.directory = directory

    def __call__(self, value: Any) -> Any:
        if isinstance(value, str):
            text = value.replace(self.directory, "<directory>")
            text = re.sub(r"(?<=:)\d{4,5}\b", lambda match: self.port(match[0], match[0]), text)
            return text if len(text) <= _LONG or "<" in text else _shortened(text)
        if isinstance(value, int) and not isinstance(value, bool):
            return self.port(str(value), value)
        if isinstance(value, list):
            return [self(item) for item in value]
        if isinstance(value, dict):
            if set(value) == _ADDRESS_KEYS or not value:
                # DESIGN.md section 2: Node's {} where there is no address is None.
                return {key: self(value[key]) for key in sorted(value)} or None
            return {key: self(item) for key, item in sorted(value.items())}
        return value

    def port(self, number: str, otherwise: Any) -> Any:
        name = self.ports.get(number)
        return otherwise if name is None else f"<port of {name}>"


def _shortened(text: str) -> str:
    total = sum(map(ord, text))
    return f"{text[:8]}...{text[-8:]} ({len(text)} characters, sum {total})"


def compare(case: Case, node: dict[str, Any], uvnet: dict[str, Any]) -> list[str]:
    """What is wrong, as texts: nothing if uvnet does what Node does, but for the scenario's decision."""
    scenario = case.scenario
    expected, actual = sides(node, scenario.together), sides(uvnet, scenario.together)
    problems = [
        f"{who} did not end within the time limit: {played['trace']}"
        for who, played in (("Node", node), ("uvnet", uvnet))
        if ["process", "time limit"] in played["trace"]
    ]
    problems += [
        f"{who} still waited for {played['missed']} at the end"
        for who, played in (("Node", node), ("uvnet", uvnet))
        if played["missed"]
    ]
    if bool(scenario.decision) != bool(scenario.differs):
        problems.append("a decision needs the expected trace of uvnet, and the other way round")
    differs = scenario.differs if node["line"] in scenario.differs_from else {}
    for group in sorted({*expected, *actual, *differs} - {*scenario.without}):
        wanted, origin = expected.get(group, []), "Node"
        if group in differs:
            origin = f"decision {scenario.decision}"
            decided = _Normaliser({}, "<directory>")(differs[group])
            if _same(decided, wanted):
                problems.append(f"{group}: no difference from Node is left to decide on")
            wanted = decided
        if not _same(wanted, actual.get(group, [])):
            problems.append(_difference(group, origin, wanted, actual.get(group, [])))
    return problems


def _same(one: Any, other: Any) -> bool:
    # As JSON, so that True is not 1.
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _difference(group: str, origin: str, wanted: list[Any], actual: list[Any]) -> str:
    lines = unified_diff(
        [json.dumps(entry, sort_keys=True) for entry in wanted],
        [json.dumps(entry, sort_keys=True) for entry in actual],
        origin, "uvnet", lineterm="", n=99,
    )  # fmt: skip
    return "\n".join([f"{group}:", *lines])
