"""uvnet.listen_fds(): the sockets that a service manager hands over (LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES)."""

from __future__ import annotations

import contextlib
import json
import os
import socket as plain
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from peers import need

import uvnet

FIRST = 3  # the number of the first descriptor that is handed over

# As a service manager does: the variables are set between fork and exec, when the process id is known.
LAUNCH = """
import os, sys
number = sys.argv[1]
os.environ["LISTEN_FDS"] = number
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""
TELL = """
import json, socket
import uvnet
found = uvnet.listen_fds()
print(json.dumps({
    "kinds": [type(one) is socket.socket for one in found],
    "families": [one.family.name for one in found],
    "types": [one.type.name for one in found],
    "names": [one.getsockname() for one in found],
    "inheritable": [one.get_inheritable() for one in found],
}))
"""
CHOOSE = """
import json, os, sys
import uvnet

def is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True

names = json.loads(os.environ.pop("NAMES"))
failure, found = None, []
try:
    found = uvnet.listen_fds(*names)
except (OSError, ValueError) as error:
    failure = type(error).__name__
print(json.dumps({
    "found": [one.fileno() for one in found],
    "open": [descriptor for descriptor in (3, 4, 5) if is_open(descriptor)],
    "left": sorted(name for name in os.environ if name.startswith("LISTEN_")),
    "again": None if failure == "ValueError" else len(uvnet.listen_fds()),
    "failure": failure,
}))
for one in found:
    one.close()
"""
SERVE = """
import asyncio
import uvnet

async def main():
    (listening,) = uvnet.listen_fds()
    server = uvnet.create_server(lambda socket: socket.end("handed over"))
    server.listen(listening)
    (socket,) = await uvnet.once(server, "connection")
    server.close()
    await uvnet.once(server, "close")

uvnet.run(main())
"""


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LISTEN_")}
    return {**kept, "PYTHONPATH": str(Path(uvnet.__file__).parent.parent), **more}


def launch(program: str, *sockets: Any, number: str = "", **variables: str) -> Any:
    """A child that has these sockets from descriptor 3 on, and the variables that say so."""
    given = [one.fileno() for one in sockets]

    def hand_over() -> None:
        # By way of numbers that are in nobody's way.
        high = [os.dup2(descriptor, 100 + index) for index, descriptor in enumerate(given)]
        for index, descriptor in enumerate(high):
            os.dup2(descriptor, FIRST + index)

    return subprocess.Popen(
        [sys.executable, "-c", LAUNCH, number or str(len(given)), "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        close_fds=False,
        preexec_fn=hand_over,
        env=environment(**variables),
    )


def answer_of(process: Any) -> Any:
    output, errors = process.communicate(timeout=60)
    assert errors == ""
    assert process.returncode == 0
    return json.loads(output)


def test_sockets_of_every_kind(tmp_path: Path) -> None:
    """In the order in which they were given."""
    path = str(tmp_path / "socket")
    with plain.socket() as tcp, plain.socket(plain.AF_UNIX) as unix:
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        unix.bind(path)
        unix.listen()
        told = answer_of(launch(TELL, tcp, unix))
        assert told["kinds"] == [True, True]
        assert told["families"] == ["AF_INET", "AF_UNIX"]
        assert told["types"] == ["SOCK_STREAM", "SOCK_STREAM"]
        assert told["names"] == [list(tcp.getsockname()), path]
        # Programs that this one starts shall not have them.
        assert told["inheritable"] == [False, False]


@pytest.mark.parametrize(
    "variables",
    [{}, {"LISTEN_FDS": "1"}, {"LISTEN_PID": "1", "LISTEN_FDS": "1"}, {"LISTEN_PID": "1"}],
    ids=str,
)
def test_nothing_for_this_process(variables: dict[str, str]) -> None:
    """Also where the variables are meant for another process."""
    done = subprocess.run(
        [sys.executable, "-c", TELL],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(**variables),
    )
    assert done.stderr == ""
    assert json.loads(done.stdout)["kinds"] == []


@pytest.mark.parametrize("missing", ["LISTEN_FDS", "LISTEN_PID"])
def test_half_of_the_variables(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.delenv(missing)
    assert uvnet.listen_fds() == []


def test_no_socket() -> None:
    with plain.socket() as made:
        assert answer_of(launch(TELL, made, number="0"))["kinds"] == []


@pytest.mark.parametrize("number", ["-1", "x", " "])
def test_odd_numbers(number: str) -> None:
    """Whoever started the process has made a mistake, and is told."""
    with plain.socket() as made:
        process = launch(TELL, made, number=number)
        _, errors = process.communicate(timeout=60)
    assert errors.splitlines()[-1] == f"ValueError: LISTEN_FDS is {number!r}, not a number"


def test_names(tmp_path: Path) -> None:
    """LISTEN_FDNAMES says which is which; the sockets are the same."""
    with plain.create_server(("127.0.0.1", 0)) as one, plain.create_server(("127.0.0.1", 0)) as two:
        told = answer_of(launch(TELL, one, two, LISTEN_FDNAMES="web:admin"))
        assert told["names"] == [list(one.getsockname()), list(two.getsockname())]


@pytest.mark.parametrize(
    ("chosen", "names", "found"),
    [
        ([], "web:admin:web", [3, 4, 5]),
        ([None], "web:admin:web", [3, 4, 5]),
        (["web"], "web:admin:web", [3, 5]),
        (["admin"], "web:admin:web", [4]),
        (["nobody"], "web:admin:web", []),
        (["web"], "web", [3]),
        (["web"], None, []),
        ([], None, [3, 4, 5]),
        ([""], "web::", [4, 5]),
    ],
)
def test_those_of_a_name(chosen: list[str | None], names: str | None, found: list[int]) -> None:
    """The others are closed, and a second call finds none."""
    variables = {} if names is None else {"LISTEN_FDNAMES": names}
    with contextlib.ExitStack() as opened:
        made = [opened.enter_context(plain.create_server(("127.0.0.1", 0))) for _ in range(3)]
        told = answer_of(launch(CHOOSE, *made, NAMES=json.dumps(chosen), PYTHONDEVMODE="1", **variables))
    assert told == {"found": found, "open": found, "left": [], "again": 0, "failure": None}


@pytest.mark.parametrize(("number", "failure"), [("000000002", None), ("0000000002", "ValueError")])
def test_as_many_digits_as_descriptors_can_have(number: str, failure: str | None) -> None:
    with plain.create_server(("127.0.0.1", 0)) as one, plain.create_server(("127.0.0.1", 0)) as two:
        told = answer_of(launch(CHOOSE, one, two, number=number, NAMES="[]"))
    assert told["failure"] == failure
    assert told["found"] == ([3, 4] if failure is None else [])


def test_a_process_id_that_is_none() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TELL], capture_output=True, text=True, timeout=60,
        env=environment(LISTEN_FDS="1", LISTEN_PID="me"),
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == "ValueError: LISTEN_PID is 'me', not a number"


def test_a_descriptor_that_is_no_socket(tmp_path: Path) -> None:
    """Nothing is given out then, and the sockets before it are closed."""
    with plain.create_server(("127.0.0.1", 0)) as one, (tmp_path / "file").open("w") as file:
        told = answer_of(launch(CHOOSE, one, file, NAMES="[]"))
    assert (told["found"], told["failure"], told["left"]) == ([], "OSError", [])
    assert 3 not in told["open"]


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_server_on_what_was_handed_over(tmp_path: Path, kind: str) -> None:
    if kind == "tcp":
        made = plain.create_server(("127.0.0.1", 0))
    else:
        made = plain.socket(plain.AF_UNIX)
        made.bind(str(tmp_path / "socket"))
        made.listen()
    with made, plain.socket(made.family) as client:
        process = launch(SERVE, made)
        client.connect(made.getsockname())
        assert client.recv(100) == b"handed over"
    _, errors = process.communicate(timeout=60)
    assert errors == ""
    assert process.returncode == 0


def test_a_real_service_manager(tmp_path: Path) -> None:
    """systemd-socket-activate, which starts the program when the first client comes."""
    program = need("systemd-socket-activate", "systemd")
    path = str(tmp_path / "socket")
    # It passes on only what it is told to; the last four are those of tests/run_sanitized.sh.
    names = ("PYTHONPATH", "LD_PRELOAD", "ASAN_OPTIONS", "UBSAN_OPTIONS", "PYTHONMALLOC")
    variables = [f"--setenv={name}={value}" for name, value in environment().items() if name in names]
    process = subprocess.Popen(
        [program, f"--listen={path}", *variables, sys.executable, "-c", SERVE],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )  # fmt: skip
    assert process.stderr is not None
    while "Listening on" not in (line := process.stderr.readline()):
        assert line, "systemd-socket-activate does not listen"
    with plain.socket(plain.AF_UNIX) as client:
        client.connect(path)
        assert client.recv(100) == b"handed over"
    process.communicate(timeout=60)
    assert process.returncode == 0
