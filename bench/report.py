"""The printed report of one benchmark and the JSON file beside it."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bench.build import BENCH
from bench.machine import Disturbance, machine, versions
from bench.rounds import PeerResult
from bench.table import Column, render

RESULTS = BENCH / "results"
WIDTH = 100


@dataclass(frozen=True)
class Chart:
    """Which number of each peer `bench.chart` draws, and which part of it; less is better unless
    `more_is_better`; and what must be known to read it."""

    measure: str
    title: str
    inner: str | None = None
    inner_title: str = ""
    digits: int = 2
    more_is_better: bool = False
    note: str = ""


@dataclass(frozen=True)
class Benchmark:
    """What is printed around a table: `name` is also the name of the JSON file."""

    name: str
    title: str
    method: str
    columns: Sequence[Column]
    settings: Mapping[str, Any]
    chart: Chart | None = None


def show_progress(text: str) -> None:
    """One line that replaces itself, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _joined(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in facts.items())


def _paragraph(head: str, text: str) -> str:
    return textwrap.fill(f"{head}: {text}", WIDTH, subsequent_indent="  ")


def write_report(
    benchmark: Benchmark, results: Sequence[PeerResult], disturbance: Disturbance
) -> Path:
    """Prints the table with all that is needed to judge it, and writes everything as JSON."""
    hardware, software, disturbed = machine(), versions(), disturbance.summary()
    described = "{processor}, {cores} cores, {virtual}, {system}".format_map(hardware)
    print(f"\n{benchmark.title}\n")
    print(render(benchmark.columns, results))
    print()
    print(_paragraph("machine", described))
    print(_paragraph("versions", _joined(software)))
    print(_paragraph("run", _joined(benchmark.settings)))
    print(_paragraph("disturbance", _joined(disturbed)))
    print(_paragraph("method", benchmark.method))
    path = RESULTS / f"{benchmark.name}.json"
    RESULTS.mkdir(exist_ok=True)
    document = {
        "name": benchmark.name,
        "title": benchmark.title,
        "taken": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "settings": dict(benchmark.settings),
        "machine": hardware,
        "versions": software,
        "disturbance": disturbed,
        "method": benchmark.method,
        "chart": asdict(benchmark.chart) if benchmark.chart else None,
        "peers": [_as_json(result) for result in results],
    }
    path.write_text(json.dumps(document, indent=2) + "\n")
    print(_paragraph("all samples", str(path.relative_to(BENCH.parent))), flush=True)
    return path


def _as_json(result: PeerResult) -> dict[str, Any]:
    names = {name for sample in result.samples for name in sample}
    return {
        "name": result.peer.name,
        "program": list(result.peer.program),
        "unavailable": result.unavailable,
        "failure": result.failure,
        "medians": {name: result.median(name) for name in sorted(names)},
        "rounds": result.samples,
    }
