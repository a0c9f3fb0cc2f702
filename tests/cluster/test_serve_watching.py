"""What serve() sees of its workers, and what others see of it: hearts, status, systemd."""

from __future__ import annotations

import json
import os
import re
import signal
import socket as plain
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from programs import COMMAND, run
from supervised import LIMIT, ask, served, supervised

from uvnet import cluster
from uvnet._cli.main import main
from uvnet.cluster.limits import number_of_workers

LISTENER = '''
import os

def main(socket):
    socket.on("data", lambda _: socket.end(b"pid %d" % os.getpid()))
'''


def test_a_worker_that_hangs_is_told_of_with_its_stack_and_replaced() -> None:
    with served("hanging", workers=1, heartbeat_timeout=1) as program:
        pid, port = program.listening()
        with plain.create_connection(("127.0.0.1", port), timeout=LIMIT) as client:
            client.sendall(b"sleep")
            program.line(rf"worker 1 \(pid {pid}\) has not answered for 1 s, and has to tell where it hangs")
            program.line("was ended by SIGABRT")
            program.line(r"in fall_asleep$")
            assert program.listening() != (pid, port)
        program.end()


def test_a_stopped_worker_is_killed() -> None:
    with served("net", workers=1, heartbeat_timeout=0.5) as program:
        pid, _ = program.listening()
        os.kill(pid, signal.SIGSTOP)
        program.line("was ended by SIGKILL")
        program.listening()
        program.end()


def test_status(tmp_path: Path) -> None:
    path = str(tmp_path / "status")
    with served("net", workers=2, status=path, heartbeat_timeout=1) as program:
        pids = {program.listening()[0], (second := program.listening())[0]}
        program.line("serving with 2 workers")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        for _ in range(4):
            ask(second[1])
        while True:
            with plain.socket(plain.AF_UNIX) as client:
                client.connect(path)
                told = json.loads(client.makefile().read())
            if sum(worker["accepted"] or 0 for worker in told["workers"]) == 4:
                break
        assert told["pid"] == program.process.pid
        assert {worker["pid"] for worker in told["workers"]} == pids
        for worker in told["workers"]:
            assert worker["state"] == "serving"
            assert worker["connections"] == 0
            assert worker["accepted"] == 2
            assert worker["cpu"] > 0
            assert worker["memory"] > 2**20
        result = run(*COMMAND, "serve", "--status", path)
        assert (result.code, result.errors) == (0, "")
        first, head, *rows = result.output.decode().splitlines()
        assert re.fullmatch(rf"primary {told['pid']}, serving, up \d+ s: 2 of 2 workers serve", first)
        assert head.split() == ["WORKER", "PID", "STATE", "AGE", "CONNECTIONS", "ACCEPTED", "CPU", "MEMORY"]
        assert {int(row.split()[1]) for row in rows} == pids
        program.end()
    assert not os.path.exists(path)
    assert run(*COMMAND, "serve", "--status", path).errors == f"uvnet: connect ENOENT {path}\n"


def test_status_where_another_one_is(tmp_path: Path) -> None:
    path = str(tmp_path / "status")
    with plain.socket(plain.AF_UNIX) as left_over:
        left_over.bind(path)
    with served("net", workers=1, status=path) as program:
        program.listening()
        with served("net", workers=1, status=path) as other:
            other.end(None, code=1)
            assert "EADDRINUSE" in other.output
        program.end()


class Systemd:
    """A NOTIFY_SOCKET."""

    def __init__(self, path: Path) -> None:
        self.socket = plain.socket(plain.AF_UNIX, plain.SOCK_DGRAM)
        self.socket.settimeout(LIMIT)
        self.socket.bind(str(path))
        self.environment = {"NOTIFY_SOCKET": str(path)}

    def until(self, wanted: str) -> list[str]:
        """What is said until that is, statuses aside."""
        said: list[str] = []
        while wanted not in said:
            said += self.socket.recv(1000).decode().splitlines()
        return [each for each in said if not each.startswith("STATUS=")]


def test_systemd_is_told(tmp_path: Path) -> None:
    systemd = Systemd(tmp_path / "notify")
    (tmp_path / "app.py").write_text(LISTENER)
    command = (*COMMAND, "serve", "app:main", "--workers", "1", "--listen", "tcp://127.0.0.1:0")
    environment = {**systemd.environment, "WATCHDOG_USEC": "20000"}
    with systemd.socket, supervised(*command, cwd=tmp_path, environment=environment) as program:
        assert set(systemd.until("READY=1")) == {"WATCHDOG=1", "READY=1"}
        program.send(signal.SIGHUP)
        assert "RELOADING=1" in systemd.until("READY=1")
        program.send(signal.SIGUSR2)
        assert "RELOADING=1" in systemd.until("READY=1")
        # The new program still speaks.
        systemd.until("WATCHDOG=1")
        program.send(signal.SIGTERM)
        assert "STOPPING=1" in systemd.until("STOPPING=1")
        program.end(None)


def test_sockets_of_systemd(tmp_path: Path) -> None:
    """Taken for where they are bound; and through an upgrade."""
    (tmp_path / "app.py").write_text(LISTENER)
    path = tmp_path / "socket"
    with plain.create_server(("127.0.0.1", 0)) as tcp, plain.socket(plain.AF_UNIX) as unix:
        unix.bind(str(path))
        unix.listen()
        port = tcp.getsockname()[1]
        # As systemd does: the descriptors from 3 on, and the number of the process.
        starter = (
            "import os, sys; os.dup2(int(sys.argv[1]), 90); os.dup2(int(sys.argv[2]), 91); os.dup2(90, 3); "
            "os.dup2(91, 4); os.environ['LISTEN_PID'] = str(os.getpid()); os.environ['LISTEN_FDS'] = '2'; "
            "os.execv(sys.executable, [sys.executable, *sys.argv[3:]])"
        )
        descriptors = (tcp.fileno(), unix.fileno())
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        command = (
            "-c", starter, *map(str, descriptors), *COMMAND, "serve", "app:main", "--workers", "1",
            "--listen", f"tcp://127.0.0.1:{port}", "--listen", f"unix:{path}",
        )  # fmt: skip
        with supervised(*command, cwd=tmp_path, pass_fds=descriptors) as program:
            pid, _ = program.listening()
            assert ask(port) == pid
            with plain.socket(plain.AF_UNIX) as client:
                client.connect(str(path))
                client.sendall(b"x")
                assert client.makefile("rb").read() == b"pid %d" % pid
            program.send(signal.SIGUSR2)
            program.line("upgrade: done")
            new, _ = program.listening()
            program.line("rolling restart: done")
            assert ask(port) == new
            program.end()
    # It is not for the primary to remove.
    assert path.exists()


def test_a_file_that_was_left_behind(tmp_path: Path) -> None:
    """By a primary that was killed: it is started again as it was."""
    (tmp_path / "app.py").write_text(LISTENER)
    path = tmp_path / "socket"
    with plain.socket(plain.AF_UNIX) as left_over:
        left_over.bind(str(path))
    name = f"@uvnet-{os.getpid()}" if sys.platform == "linux" else "127.0.0.1:0"
    command = (*COMMAND, "serve", "app:main", "--workers", "1", "--listen", f"unix:{path}", "--listen", name)
    with supervised(*command, cwd=tmp_path) as program:
        program.line(f"listens on {path}$")
        program.line(f"listens on {name.removesuffix('0')}")
        # Who is there is asked, and keeps it.
        with supervised(*command, cwd=tmp_path) as other:
            other.end(None, code=1)
            assert "somebody listens there" in other.output
        program.end()
    assert not path.exists()


def test_a_name_that_is_none() -> None:
    for name, reason in (
        ("no_such_module:main", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("json:__name__", "TypeError: json:__name__ is no function, but of type str"),
    ):
        result = run(*COMMAND, "serve", name, "--workers", "1")
        assert result.code == 1
        assert f"ended with exit code 1: {reason}\n" in result.errors


@pytest.mark.parametrize(
    "arguments", [("json",), (), ("json:x", "--workers", "0"), ("json:x", "--start-timeout", "-1")], ids=repr
)
def test_arguments_that_are_wrong(arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(("serve", *arguments))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"workers": 0}, ValueError),
        ({"workers": "many"}, TypeError),
        ({"workers": 1.5}, ValueError),
        ({"start_timeout": -1}, ValueError),
        ({"heartbeat_timeout": None}, TypeError),
        ({"max_failures": -1}, ValueError),
        ({"status": 1}, TypeError),
        ({"wrokers": 1}, TypeError),
    ],
    ids=repr,
)
def test_options_that_are_wrong(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        cluster.serve(lambda: None, **options)


def test_what_needs_serve() -> None:
    with pytest.raises(TypeError):
        cluster.serve(None)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="does not run"):
        cluster.reload()


def test_auto_is_what_this_process_may_use() -> None:
    assert 1 <= number_of_workers("auto") <= (os.cpu_count() or 1)
