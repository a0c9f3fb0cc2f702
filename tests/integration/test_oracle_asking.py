"""Reads asked for at any moment do what they do in Node: generated scenarios, see oracle/asking.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from oracle.asking import generate
from oracle.language import cases
from oracle.node import MISSING, play_all
from oracle.play import play
from oracle.traces import compare

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

CASES = cases(generate(400, seed=12))


def _one_life_long(played: dict[str, Any]) -> dict[str, Any]:
    """Without 'pause' and 'resume' after a 'close', which is the last event here."""
    closed = False
    kept = []
    for entry in played["trace"]:
        if entry[:2] == ["client", "connect"]:
            closed = False
        elif entry[:2] == ["client", "close"]:
            closed = True
        if not (closed and entry in (["client", "pause"], ["client", "resume"])):
            kept.append(entry)
    return {**played, "trace": kept}


def test_does_what_node_does(tmp_path: Path) -> None:
    node = tmp_path / "node"
    node.mkdir()
    on_node = play_all(CASES, node)
    different = []
    for index, case in enumerate(CASES):
        directory = tmp_path / str(index)
        directory.mkdir()
        played = play(case, directory)
        if ["client", "unshift!"] in [entry[:2] for entry in played["trace"]]:
            # After 'end' that raises here, and breaks the stream there.
            continue
        problems = compare(case, _one_life_long(on_node[case.name]), _one_life_long(played))
        if problems:
            different.append("\n".join([case.name, *problems]))
    assert not different, "\n\n".join([f"{len(different)} of {len(CASES)}", *different[:10]])
