"""Scenarios of several processes: each is played by a program for Node and by one for uvnet, see processes/.

The order of what one process traces counts; that of several processes is the system's affair.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import uvnet
from oracle.node import NODE

__all__ = ["CASES", "Case", "expected_of", "play"]

_PROGRAMS = Path(__file__).with_name("processes")
_LIMIT = 60  # seconds
_PACKAGE_PARENT = Path(uvnet.__file__).parent.parent

Line = list[Any]
# What each process has traced, by its name.
Traces = dict[str, list[Line]]


class Case(NamedTuple):
    """A scenario.  Where uvnet differs on purpose: the decision, and its lines in the place of one of Node's."""

    family: str
    name: str
    decision: str = ""
    differs: tuple[tuple[Line, list[Line]], ...] = ()
    any_order: bool = False  # of what comes from several places to one process


def play(case: Case, directory: Path) -> tuple[Traces, Traces]:
    """The traces of Node and of uvnet, which play at the same time; fails where one of the programs does."""
    commands = {"node": [NODE, f"{case.family}.js"], "uvnet": [sys.executable, f"{case.family}.py"]}
    processes = {}
    for player, (program, script) in commands.items():
        (directory / player).mkdir()
        processes[player] = subprocess.Popen(
            [program, str(_PROGRAMS / script), case.name],
            env={**os.environ, "TRACES": str(directory / player), "PYTHONPATH": str(_PACKAGE_PARENT)},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    try:
        for player, process in processes.items():
            output, errors = process.communicate(timeout=_LIMIT)
            assert (process.returncode, output) == (0, ""), (player, process.returncode, output, errors)
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()
    on_node, here = (_traces(case, directory / player) for player in commands)
    return on_node, here


def _traces(case: Case, directory: Path) -> Traces:
    traces = {
        path.name: [json.loads(line) for line in path.read_text().splitlines()]
        for path in directory.iterdir()
        if path.is_file()
    }
    if case.any_order:
        for lines in traces.values():
            lines.sort(key=json.dumps)
    return traces


def expected_of(case: Case, traces: Traces) -> Traces:
    """What uvnet should trace where this is what Node does."""
    assert bool(case.decision) == bool(case.differs)
    found = set()
    expected: Traces = {}
    for who, lines in traces.items():
        expected[who] = []
        for line in lines:
            number = next((number for number, (old, _) in enumerate(case.differs) if old == line and number not in found), -1)
            if number < 0:
                expected[who].append(line)
            else:
                found.add(number)
                expected[who].extend(case.differs[number][1])
    assert len(found) == len(case.differs), "Node does not do what the decision is about"
    return expected


_BIND = "bind EADDRINUSE 127.0.0.1:PORT"
_IN_USE = ["EADDRINUSE", "bind", "127.0.0.1", True]
_BIND_HERE = "bind EADDRINUSE: address already in use 127.0.0.1:PORT"

CASES = [
    Case("life", "primary disconnects"),
    Case("life", "worker disconnects"),
    Case("life", "nothing to do"),
    Case("life", "all disconnect"),
    Case(
        "life",
        "the table of workers",
        "a worker is in the table until it has disconnected and exited, as Node documents it",
        ((["disconnect()", False], [["disconnect()", True]]), (["disconnect", False], [["disconnect", True]])),
    ),
    Case("life", "nobody to disconnect"),
    Case("life", "primary kills"),
    Case("life", "primary kills with a signal"),
    Case("life", "worker kills itself"),
    Case("life", "worker exits"),
    Case("life", "connections are waited for"),
    Case(
        "life",
        "settings",
        "'setup' tells of setup_primary(), and not of each fork()",
        ((["setup", ["settings", "special"], True], []),),
        any_order=True,
    ),
    Case("life", "policy"),
    Case(
        "messages",
        "life of a child",
        "'close' comes whoever has disconnected",
        ((["child", "exit", 0, None, 0, None], [["child", "exit", 0, None, 0, None], ["child", "close", 0, None]]),),
    ),
    Case("messages", "child disconnects"),
    Case("messages", "child that listens to nothing"),
    Case("messages", "child that listens"),
    Case("messages", "callbacks"),
    Case("messages", "after the end"),
    Case("messages", "disconnect twice"),
    Case("messages", "before there is a listener"),
    Case("messages", "child without a listener yet"),
    Case("messages", "much"),
    Case("messages", "bad arguments"),
    Case(
        "messages",
        "kill",
        "kill(0) only asks whether the process is there",
        ((["kill(0)", True, True], [["kill(0)", True, False]]),),
    ),
    Case(
        "messages",
        "no such program",
        "what a process has written stays to be read, and 'close' waits for that",
        ((["close", True, None], []),),
    ),
    Case("messages", "silent"),
    Case("messages", "worker and primary"),
    Case("sharing", "one port"),
    Case("sharing", "two ports"),
    Case("sharing", "exclusive"),
    Case(
        "sharing",
        "the primary has it",
        "the text says what the code means, as every other does",
        ((["shared", _IN_USE, _BIND, False], [["shared", _IN_USE, _BIND_HERE, False]]),),
    ),
    Case(
        "sharing",
        "the same port again",
        "the text says what the code means, as every other does",
        (([_IN_USE, _BIND], [[_IN_USE, _BIND_HERE]]),),
    ),
    Case("sharing", "a path"),
    Case("sharing", "one of two closes"),
    Case("sharing", "the last one closes"),
    Case("sharing", "listening again"),
    Case(
        "sharing",
        "closed before it listens",
        "close() cancels a listen() that waits for an answer",
        ((["closed", "ERR_SERVER_NOT_RUNNING", False], [["closed", None, False]]),),
    ),
    Case(
        "sharing",
        "a limit",
        "what is beyond max_connections is closed with a 'drop', as in one process; Node hands it to another worker",
        ((["second", "welcome"], []), (["dropped", 0], [["dropped", 1]])),
    ),
    Case("sharing", "all accept"),
    Case("sharing", "unreferenced"),
    Case("handles", "a server"),
    Case(
        "handles",
        "a socket",
        "addresses are noted when the connection is made",
        (
            (
                ["send() has returned", True, False, True, None],
                [["send() has returned", True, False, True, "127.0.0.1"]],
            ),
        ),
    ),
    Case("handles", "a socket that is kept"),
    Case("handles", "the count over processes"),
    Case("handles", "a dead receiver"),
    Case(
        "handles",
        "a closed server",
        "what cannot be sent raises; Node sends the message without it",
        ((["send()", True], [["raised", "ERR_SOCKET_CLOSED"]]), (["message", "server", True], [])),
    ),
    Case("handles", "there and back"),
    Case("handles", "to a worker that serves"),
    Case("handles", "the receiver ends", any_order=True),
]
