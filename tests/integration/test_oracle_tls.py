"""TLS does what Node's does, event by event: the same scenario on both (see oracle/language.py).

Scenarios are written for Node.js 20 and 24.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from certificates import OPENSSL
from oracle.catalogue import TLS_CASES as CASES
from oracle.language import Case
from oracle.node import MISSING, play_all
from oracle.play import play
from oracle.traces import compare

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
    pytest.mark.skipif(OPENSSL is None, reason="openssl, which makes the certificates, is not installed"),
]


@pytest.fixture(scope="module")
def on_node(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, Any]]:
    """The traces of Node, for the cases that are going to run."""
    chosen = {item.name for item in request.session.items}
    asked = [case for case in CASES if f"test_does_what_node_does[{case.name}]" in chosen]
    return play_all(asked, tmp_path_factory.mktemp("node"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_does_what_node_does(case: Case, on_node: dict[str, Any], tmp_path: Path) -> None:
    problems = compare(case, on_node[case.name], play(case, tmp_path))
    assert not problems, "\n".join([f"rule {case.scenario.rule}", *problems])
