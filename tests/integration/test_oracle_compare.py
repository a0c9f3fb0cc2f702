"""The oracle itself: a difference is found, a decision must be true, and a scenario must have an end."""

from __future__ import annotations

import errno
import os
import select
import socket
from pathlib import Path
from typing import Any

from oracle.language import LINES, Case, Scenario, descriptor, silent_port
from oracle.supplies import Supplies
from oracle.traces import compare, sides


def _played(*trace: list[Any], line: int = LINES[0]) -> dict[str, Any]:
    return {
        "trace": list(trace),
        "names": {"40001": "server"},
        "directory": "/tmp/x",
        "missed": [],
        "line": line,
    }


def _case(**more: Any) -> Case:
    return Case(Scenario("name", "0", [], **more), "tcp")


CONNECT, CLOSE = ["client", "connect"], ["client", "close", False]
END = ["peer", "end"]


def test_the_same_is_the_same() -> None:
    assert compare(_case(), _played(CONNECT, END, CLOSE), _played(CONNECT, CLOSE, END)) == []


def test_another_order_of_one_actor_is_a_difference() -> None:
    (problem,) = compare(_case(), _played(CONNECT, CLOSE), _played(CLOSE, CONNECT))
    assert problem.startswith("client:")


def test_an_entry_too_many_or_too_few_is_a_difference() -> None:
    assert compare(_case(), _played(CONNECT), _played(CONNECT, CLOSE))
    assert compare(_case(), _played(CONNECT, END), _played(CONNECT))


def test_true_is_not_one() -> None:
    assert compare(_case(), _played(["client", "close", True]), _played(["client", "close", 1]))


def test_actors_together_have_one_order() -> None:
    case = _case(together=(("client", "peer"),))
    assert compare(case, _played(CONNECT, END), _played(CONNECT, END)) == []
    assert compare(case, _played(CONNECT, END), _played(END, CONNECT))


def test_an_actor_may_be_left_out() -> None:
    assert compare(_case(without=("peer",)), _played(CONNECT, END), _played(CONNECT)) == []


def test_a_decision_states_what_uvnet_does() -> None:
    case = _case(decision="13", differs={"client": [["connect"], ["close", True]]})
    assert compare(case, _played(CONNECT, CLOSE), _played(CONNECT, ["client", "close", True])) == []
    assert compare(case, _played(CONNECT, CLOSE), _played(CONNECT, CLOSE))


def test_a_decision_without_a_difference_is_out_of_date() -> None:
    case = _case(decision="13", differs={"client": [["connect"]]})
    assert compare(case, _played(CONNECT), _played(CONNECT))


def test_a_difference_from_one_line_of_node_is_none_from_the_other() -> None:
    older, newer = LINES
    ours = _played(["client", "close", True])
    case = _case(decision="13", differs={"client": [["close", True]]}, differs_from=(older,))
    assert compare(case, _played(CLOSE, line=older), ours) == []
    assert compare(case, _played(CLOSE, line=newer), ours)
    assert compare(case, ours | {"line": older}, ours)
    assert compare(case, ours | {"line": newer}, ours) == []


def test_a_decision_needs_its_difference() -> None:
    assert compare(_case(decision="13"), _played(CONNECT), _played(CONNECT))
    assert compare(
        _case(differs={"client": [["close", True]]}),
        _played(CONNECT),
        _played(["client", "close", True]),
    )


def test_a_scenario_that_does_not_end_is_a_problem_even_on_both_sides() -> None:
    endless = _played(CONNECT, ["process", "time limit"])
    assert len(compare(_case(), endless, endless)) == 2


def test_a_step_that_never_came_is_a_problem() -> None:
    waiting = {**_played(CONNECT), "missed": [["client close"]]}
    assert compare(_case(), _played(CONNECT), waiting)


def test_what_differs_from_run_to_run_gets_a_name() -> None:
    played = _played(
        ["client", "data", {"$bytes": "ab"}],
        ["client", "data", {"$bytes": "cd"}],
        ["client", "state", {"remotePort": 40_001, "path": "/tmp/x/socket"}],
        ["client", "address =", {}],
        ["client", "error", {"$error": {"message": "connect ECONNREFUSED ::1:40001"}}],
    )
    assert sides(played)["client"] == [
        ["data", {"$bytes": "abcd"}],
        ["state", {"path": "<directory>/socket", "remotePort": "<port of server>"}],
        ["address =", None],
        ["error", {"$error": {"message": "connect ECONNREFUSED ::1:<port of server>"}}],
    ]


def test_what_is_supplied_is_given_back(tmp_path: Path) -> None:
    """The same wish gives the same number, and a descriptor is closed once, by whoever owns it."""
    supplies = Supplies(tmp_path)
    wish = descriptor("tcp bound")
    filled = supplies.fill({"one": [wish], "two": {"fd": wish}, "three": descriptor("closed")})
    number = filled["two"]["fd"]
    assert filled == {"one": [number], "two": {"fd": number}, "three": 9999}
    assert supplies.descriptors == [number]
    os.close(number)
    # The number now belongs to somebody else.
    with socket.socket() as other:
        assert other.fileno() == number
        supplies.close()
        other.getsockname()


def test_a_supplied_port_gives_no_answer(tmp_path: Path) -> None:
    supplies = Supplies(tmp_path)
    try:
        port = supplies.fill([silent_port()])[0]
        assert supplies.names == {str(port): "nobody"}
        with socket.socket() as client:
            client.setblocking(False)
            assert client.connect_ex(("127.0.0.2", port)) == errno.EINPROGRESS
            # What is answered on loopback is answered before connect() returns.
            assert select.select([], [client], [], 0)[1] == []
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED
    finally:
        supplies.close()
