"""Scripts that end, fork, interrupt or close where a test could not: each in a process of its own.

Every script must end with the given exit code and print exactly this, with nothing on stderr: no
crash, no warning (all of them are errors), no "exception ignored", no "task was destroyed".
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest
from certificates import Certificates
from places import ISOLATED, SUPPORT

import uvnet

PACKAGE_PARENT = Path(uvnet.__file__).parent.parent
STRICT = ("-X", "dev", "-X", "faulthandler", "-W", "error")

STATES = (
    "listening", "open_connections", "connecting", "looking_up", "writing", "ending", "piping",
    "relaying", "idle_timeout", "ticks", "closing_already",
)  # fmt: skip
WAYS = ("runner", "uvloop", "run", "close", "unbound")

LEAVING = (
    "listening", "connection", "lookup", "connect", "data of the server", "data of the client",
    "end", "timeout", "error", "close", "tick", "callback of write", "callback of end",
)  # fmt: skip

RAISING_SOCKET = (
    "connection", "lookup", "connect", "ready", "data", "readable", "resume", "end", "finish",
    "drain", "timeout", "error", "close", "async data", "async connect", "no error listener",
)  # fmt: skip
RAISING_CALLBACK = ("callback of write", "callback of a long write", "callback of end")
RAISING_ELSEWHERE = {
    "listening": ["listening: True"],
    "error of the server": ["listening: False"],
    "callback of close": ["listening: False"],
    "drop": ["reported so far: 2"],
    "callback of get_connections": [],
    "tick": [],
}

LOST = (
    "at_once", "idle", "gathered", "writing", "ending", "destroyed", "source_of_a_relay",
    "sink_of_a_relay", "given_socket", "server", "server_that_goes_on",
)  # fmt: skip

INTERRUPTED_IN = (
    "listening", "connection", "connect", "data", "end", "timeout", "close", "callback", "tick",
    "callback of asyncio", "thread", "busy thread",
)  # fmt: skip


class Script:
    """Runs a script and compares."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(
        self,
        name: str,
        *arguments: str,
        prints: list[str],
        code: int = 0,
        flags: tuple[str, ...] = (),
    ) -> None:
        done = subprocess.run(
            [sys.executable, *STRICT, *flags, str(ISOLATED / f"{name}.py"), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=self.directory,
            env={**os.environ, "DIRECTORY": str(self.directory), "PYTHONPATH": f"{PACKAGE_PARENT}{os.pathsep}{SUPPORT}"},
        )
        assert done.stderr == ""
        assert done.stdout.splitlines() == prints
        assert done.returncode == code


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("state", STATES)
def test_the_loop_is_closed(script: Script, state: str, way: str) -> None:
    """DESIGN 3, the first landmine."""
    if way == "runner" and sys.version_info < (3, 11):
        pytest.skip("asyncio.Runner is new in Python 3.11")
    # Past the shadow of loop.close() it is right that uvloop warns of what is open.
    flags = ("-W", "ignore::ResourceWarning") if way == "unbound" else ()
    script("close_loop", state, way, prints=["left: nothing"], flags=flags)


def test_nobody_holds_the_server_and_its_sockets(script: Script) -> None:
    """DESIGN 3, "Lifetime: Node's rule"."""
    script(
        "dropped",
        prints=["[b'from a client']", "sockets: 4 all gone", "server: gone", "left: nothing"],
    )


def test_look_ups_without_descriptors(script: Script) -> None:
    failed = "OSError 24 EMFILE getaddrinfo"
    script(
        "look_up_without_descriptors",
        prints=["no error no error", failed, failed, "no error no error"],
    )


@pytest.mark.parametrize(("how", "code"), [("the end", 0), ("sys.exit", 3), ("os._exit", 4)])
def test_the_process_ends_before_any_loop_runs(script: Script, how: str, code: int) -> None:
    script("leave", how, "module", "never run", prints=["leaving in module"], code=code)


@pytest.mark.parametrize("way", ["run", "run main", "uvloop"])
@pytest.mark.parametrize("where", LEAVING)
def test_sys_exit_in_a_listener(script: Script, where: str, way: str) -> None:
    """DESIGN 2: SystemExit leaves run()."""
    script("leave", "sys.exit", where, way, prints=[f"leaving in {where}", "left: nothing"], code=3)


@pytest.mark.parametrize("where", LEAVING)
def test_os_exit_in_a_listener(script: Script, where: str) -> None:
    script("leave", "os._exit", where, "run", prints=[f"leaving in {where}"], code=4)


@pytest.mark.parametrize("where", ["coroutine", "made", "data", "eof", "pause", "lost"])
@pytest.mark.parametrize("how", ["close", "sys.exit", "os._exit", "use", "collect", "leave"])
def test_transports_are_left(
    script: Script, certificates: Certificates, monkeypatch: pytest.MonkeyPatch, how: str, where: str
) -> None:
    if how == "close" and where != "coroutine":
        pytest.skip("a loop that runs cannot be closed")
    if how == "leave" and sys.version_info >= (3, 14):
        pytest.skip("a forked child has no running loop from CPython 3.14 on, and asyncio's tasks do not get over it")
    monkeypatch.setenv("CERTIFICATES", str(certificates.directory))
    ends = {
        "close": ["left: nothing"],
        "sys.exit": ["left: nothing"],
        "os._exit": [],
    }.get(how, ["child: 7", "everything answers", "left: nothing"])
    code = {"sys.exit": 3, "os._exit": 4}.get(how, 0)
    # What is open when the loop is closed is uvloop's to complain of.
    flags = ("-W", "ignore::ResourceWarning")
    script("transports_left", how, where, prints=[f"leaving in {where}", *ends], code=code, flags=flags)


@pytest.mark.parametrize("where", ["coroutine", "listener", "before"])
@pytest.mark.parametrize("how", ["os._exit", "sys.exit"])
def test_a_forked_child_ends(script: Script, how: str, where: str) -> None:
    both = ["b'still there'"] * 2 + ["b'and accepts'"] * 2 + ["False"] * 2
    script("fork", how, where, prints=["child: 5", "file: True", *both, "left: nothing"])


@pytest.mark.parametrize(
    ("what", "where"),
    [
        *itertools.product(("use", "collect", "run"), ("coroutine", "listener", "thread", "before")),
        # A loop that runs cannot be closed.
        ("close", "before"),
    ],
)
def test_a_forked_child_uses_what_is_its_parents(script: Script, what: str, where: str) -> None:
    """It is refused, or touches the child's copies of descriptors alone."""
    both = ["True"] * 2 + ["b'and accepts'"] * 2 + ["False"] * 2
    # Python warns of forks in a process with threads.
    flags = ("-W", "ignore:This process:DeprecationWarning") if where == "thread" else ()
    prints = ["child: 7", "file: True", *both, "left: nothing"]
    script("forked_child", what, where, prints=prints, flags=flags)


@pytest.mark.parametrize("what", ["read_exactly", "read_until", "drain", "chunks", "sockets"])
@pytest.mark.parametrize("when", ["waits", "woken"])
def test_a_forked_child_leaves_a_coroutine_that_awaits(script: Script, what: str, when: str) -> None:
    script("fork_awaiting", what, when, prints=["child: 7", "left: nothing"])


def what_goes_on() -> list[str]:
    """The end of every raising script: one report, and connections that work."""
    return [
        "b'an old connection'",
        "b'a new connection'",
        "reported: LookupError('from user code')",
        "left: nothing",
    ]


@pytest.mark.parametrize("where", RAISING_SOCKET)
def test_a_listener_of_a_socket_raises(script: Script, where: str) -> None:
    """DESIGN 2, decision 23: reported once, and the socket is destroyed."""
    script("raising", where, prints=["destroyed: True", *what_goes_on()])


@pytest.mark.parametrize("where", RAISING_CALLBACK)
def test_a_callback_raises(script: Script, where: str) -> None:
    """Decision 8: every callback is called exactly once, whatever the others do."""
    script("raising", where, prints=["the other callback", "destroyed: True", *what_goes_on()])


@pytest.mark.parametrize("where", RAISING_ELSEWHERE)
def test_something_else_raises(script: Script, where: str) -> None:
    """DESIGN 2: no socket is concerned, so none is destroyed."""
    script("raising", where, prints=[*RAISING_ELSEWHERE[where], *what_goes_on()])


@pytest.mark.parametrize("where", INTERRUPTED_IN)
def test_ctrl_c_in_run(script: Script, where: str) -> None:
    """DESIGN 2: KeyboardInterrupt leaves run()."""
    script("interrupt", where, "run", prints=["KeyboardInterrupt", "left: nothing"])


@pytest.mark.parametrize("where", INTERRUPTED_IN)
def test_ctrl_c_in_run_with_a_coroutine(script: Script, where: str) -> None:
    """As in asyncio.run(): the coroutine is cancelled."""
    prints = ["main was cancelled", "KeyboardInterrupt", "left: nothing"]
    script("interrupt", where, "run main", prints=prints)


def test_ctrl_c_in_a_destructor(script: Script) -> None:
    """CPython drops an exception that the signal handler raises there."""
    prints = ["main was cancelled", "KeyboardInterrupt", "left: nothing"]
    script("interrupt", "destructor", "run main", prints=prints)


def test_ctrl_c_in_the_coroutine_itself(script: Script) -> None:
    prints = ["main was cancelled", "KeyboardInterrupt", "left: nothing"]
    script("interrupt", "coroutine", "run main", prints=prints)


@pytest.mark.parametrize(
    ("what", "then"),
    # What is written before anybody has looked goes to what the number stands for.
    [pair for pair in itertools.product(LOST, ("closed", "else")) if pair != ("gathered", "else")],
)
def test_a_descriptor_is_closed_by_somebody_else(script: Script, what: str, then: str) -> None:
    """libuv would abort the process; and the number may stand for something that is not ours to close."""
    script("lost_descriptor", what, then, prints=["error: EBADF True", "left: nothing"])
