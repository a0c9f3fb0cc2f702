"""Playing scenarios on Node.js: a few processes for all of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from oracle.language import LIMIT, LINES, SETTLE, TURNS, Case
from oracle.supplies import Supplies

__all__ = ["LINE", "MISSING", "NODE", "play_all"]

NODE = shutil.which("node") or ""  # the oracle is the first of PATH
_PLAYERS = 4  # processes, which wait for most of the time
_PROGRAM = Path(__file__).with_name("play.js")


def _major_version() -> int:
    """The major version of the installed Node.js, 0 where there is none."""
    if not NODE:
        return 0
    text = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    return int(text.strip().lstrip("v").partition(".")[0])


def _missing(version: int) -> str:
    if version == 0:
        return "node is not installed"
    return "" if version >= LINES[0] else f"node is v{version}, older than v{LINES[0]}"


_version = _major_version()
MISSING = _missing(_version)  # why the oracle cannot be asked, or ""
LINE = max((line for line in LINES if line <= _version), default=0)  # that the installed one is of


def play_all(cases: list[Case], directory: Path) -> dict[str, dict[str, Any]]:
    """The traces of Node.js by the names of the cases."""
    together = [case for case in cases if not case.scenario.ends]
    alone = [[case] for case in cases if case.scenario.ends]
    jobs = [*(together[index::_PLAYERS] for index in range(_PLAYERS)), *alone]
    found: dict[str, dict[str, Any]] = {}
    for first in range(0, len(jobs), _PLAYERS):
        players = [
            _Player(job, directory / str(first + index))
            for index, job in enumerate(jobs[first : first + _PLAYERS])
        ]
        found.update((played["name"], played) for player in players for played in player.traces())
    return found


class _Player:
    """One process that plays some of the cases."""

    def __init__(self, cases: list[Case], directory: Path) -> None:
        directory.mkdir()
        self.output = directory / "traces.json"
        self.supplies = []
        scenarios = []
        for index, case in enumerate(cases):
            own = directory / str(index)
            own.mkdir()
            supplies = Supplies(own)
            self.supplies.append(supplies)
            scenarios.append(supplies.fill(case.as_json()))
        job = {
            "scenarios": scenarios,
            "directory": str(directory),
            "output": str(self.output),
            "limit": LIMIT,
            "settle": SETTLE,
            "turns": TURNS,
        }
        (directory / "job.json").write_text(json.dumps(job))
        self.process = subprocess.Popen(
            [NODE, str(_PROGRAM), str(directory / "job.json")],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[number for supplies in self.supplies for number in supplies.descriptors],
        )

    def traces(self) -> list[dict[str, Any]]:
        try:
            _, errors = self.process.communicate(timeout=100)
        finally:
            self.process.kill()
            self.process.wait()
            for supplies in self.supplies:
                supplies.close()
        assert self.process.returncode == 0, errors
        return [
            {**played, "names": {**played["names"], **supplies.names}, "line": LINE}
            for played, supplies in zip(
                json.loads(self.output.read_text()), self.supplies, strict=True
            )
        ]
