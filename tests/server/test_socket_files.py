"""The file of a Unix socket: mode, owner and group, and what becomes of one that a server has left behind."""

from __future__ import annotations

import errno
import fcntl
import grp
import os
import pwd
import signal
import socket as plain
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from descriptors import open_descriptors
from harness import Player, close, event
from places import ISOLATED
from programs import Program

import uvnet

ROOT = os.getuid() == 0
ROUNDS = 25


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def mask() -> Iterator[None]:
    """A umask that leaves the owner alone."""
    old = os.umask(0o077)
    yield
    os.umask(old)


def echo() -> uvnet.Server:
    return uvnet.create_server(lambda socket: socket.pipe(socket))


async def echoed(path: str) -> bytes:
    async with await uvnet.open_connection(path=path) as client:
        client.end(b"hello")
        return await client.read_all(100)


def leave_behind(path: str) -> None:
    """What a server that was killed leaves."""
    with plain.socket(plain.AF_UNIX) as dead:
        dead.bind(path)
        dead.listen()


# === Whose it is ===


@pytest.mark.parametrize("mode", [0, 0o600, 0o660, 0o777])
def test_the_mode_counts_whatever_the_umask_says(play: Player, mask: None, mode: int) -> None:
    async def scenario() -> None:
        server = uvnet.create_server().listen("socket", mode=mode)
        assert server.listening
        assert stat.S_IMODE(os.stat("socket").st_mode) == mode
        await close(server)

    play(scenario)


@pytest.mark.parametrize("how", ["number", "name"])
def test_owner_and_group(play: Player, how: str) -> None:
    """By number or by name; root may give any, everybody their own."""

    async def scenario() -> None:
        user = pwd.getpwall()[-1] if ROOT else pwd.getpwuid(os.getuid())
        group = grp.getgrall()[-1] if ROOT else grp.getgrgid(os.getgid())
        numbers = (user.pw_uid, group.gr_gid)
        owner, group_given = numbers if how == "number" else (user.pw_name, group.gr_name)
        server = uvnet.create_server().listen("socket", owner=owner, group=group_given, mode=0o640)
        found = os.stat("socket")
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (*numbers, 0o640)
        await close(server)
        # One without the other.
        server.listen("socket", group=group_given)
        assert os.stat("socket").st_uid == os.getuid()
        await close(server)

    play(scenario)


def test_an_owner_that_may_not_be_given(play: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call raises, and then nothing has changed."""

    def refuse(*arguments: Any, **options: Any) -> None:
        raise PermissionError(errno.EPERM, "not allowed")

    async def scenario() -> None:
        server = uvnet.create_server()
        leave_behind("socket")
        before = open_descriptors().keys()
        for options in ({"replace_stale": True}, {}):
            with monkeypatch.context() as patched:
                patched.setattr(os, "chown", refuse)
                with pytest.raises(PermissionError):
                    server.listen("socket", owner=0, mode=0o600, **options)
            assert not server.listening
            assert os.listdir() == []
            assert open_descriptors().keys() == before
        server.listen("socket")
        await close(server)

    play(scenario)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"mode": -1}, uvnet.NetValueError),
        ({"mode": 0o1000}, uvnet.NetValueError),
        ({"mode": 660}, uvnet.NetValueError),
        ({"mode": "0660"}, uvnet.NetTypeError),
        ({"mode": True}, uvnet.NetTypeError),
        ({"mode": 0o600, "readable_all": True}, uvnet.NetValueError),
        ({"mode": 0o600, "writable_all": True}, uvnet.NetValueError),
        ({"owner": -1}, uvnet.NetValueError),
        ({"owner": 2**32 - 1}, uvnet.NetValueError),
        ({"owner": "nobody has this name"}, uvnet.NetValueError),
        ({"owner": "\0"}, uvnet.NetValueError),
        ({"owner": b"root"}, uvnet.NetTypeError),
        ({"owner": False}, uvnet.NetTypeError),
        ({"group": -1}, uvnet.NetValueError),
        ({"group": "nobody has this name"}, uvnet.NetValueError),
        ({"group": 1.0}, uvnet.NetTypeError),
        ({"path": "\0name", "mode": 0o600}, uvnet.NetValueError),
        ({"path": "\0name", "owner": 0}, uvnet.NetValueError),
        ({"path": "\0name", "group": 0}, uvnet.NetValueError),
        ({"port": 0, "mode": 0o600}, uvnet.NetValueError),
        ({"port": 0, "owner": 0}, uvnet.NetValueError),
        ({"port": 0, "replace_stale": True}, uvnet.NetValueError),
        ({"fd": 0, "group": 0}, uvnet.NetValueError),
    ],
)
def test_bad_options(play: Player, options: dict[str, Any], error: type[Exception]) -> None:
    async def scenario() -> None:
        server = uvnet.create_server()
        with pytest.raises(error):
            server.listen(**({"port": None, "path": "socket"} | options))
        assert not server.listening
        assert os.listdir() == []

    play(scenario)


# === What was left behind ===


def test_a_stale_file_is_replaced(play: Player) -> None:
    async def scenario() -> None:
        leave_behind("socket")
        server = echo().listen("socket", replace_stale=True, mode=0o600)
        assert server.listening
        assert os.listdir() == ["socket"]
        assert os.stat("socket").st_mode == stat.S_IFSOCK | 0o600
        assert await echoed("socket") == b"hello"
        await close(server)
        assert os.listdir() == []

    play(scenario)


def test_where_nothing_is_in_the_way(play: Player) -> None:
    """For an abstract name, which its socket takes with it, there never is."""

    async def scenario() -> None:
        for path in ("socket", f"\0uvnet-{os.getpid()}-replace"):
            server = echo().listen(path, replace_stale=True)
            assert await echoed(path) == b"hello"
            await close(server)
            assert os.listdir() == []

    play(scenario)


@pytest.mark.parametrize("kind", ["stream", "bound", "full", "datagram"])
def test_a_live_one_is_never_replaced(play: Player, kind: str) -> None:
    """Nor one that is about to listen, whose queue is full, or of datagrams; and nobody hears of who has looked."""

    async def scenario() -> None:
        descriptors = open_descriptors().keys()
        with plain.socket(plain.AF_UNIX, plain.SOCK_DGRAM if kind == "datagram" else plain.SOCK_STREAM) as live:
            live.bind("socket")
            clients = []
            if kind in ("stream", "full"):
                live.listen(0)
            if kind == "full":
                while True:
                    clients.append(plain.socket(plain.AF_UNIX))
                    clients[-1].setblocking(False)
                    if clients[-1].connect_ex("socket") != 0:
                        break
            inode = os.stat("socket").st_ino
            for options in ({"replace_stale": True}, {}):
                (error,) = await event(uvnet.create_server().listen("socket", **options), "error")
                assert error.code == "EADDRINUSE"
                assert error.strerror.endswith("socket (somebody listens there)")
            assert os.stat("socket").st_ino == inode
            assert os.listdir() == ["socket"]
            if kind == "stream":
                live.setblocking(False)
                with pytest.raises(BlockingIOError):
                    live.accept()
            for client in clients:
                client.close()
        assert open_descriptors().keys() == descriptors

    play(scenario)


@pytest.mark.parametrize("kind", ["file", "directory", "link"])
def test_what_is_no_socket_is_never_replaced(play: Player, kind: str) -> None:
    async def scenario() -> None:
        leave_behind("stale")
        if kind == "file":
            Path("socket").touch()
        elif kind == "directory":
            Path("socket").mkdir()
        else:
            Path("socket").symlink_to("stale")
        for options in ({"replace_stale": True}, {}):
            (error,) = await event(uvnet.create_server().listen("socket", **options), "error")
            assert error.code == "EADDRINUSE"
            assert "what is there is no socket" in error.strerror
        assert sorted(os.listdir()) == ["socket", "stale"]

    play(scenario)


def test_the_lock_of_another_process(play: Player) -> None:
    """While it is held nobody else may replace anything; one that was left behind is nobody's."""

    async def scenario() -> None:
        leave_behind("socket")
        with Path("socket.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (error,) = await event(uvnet.create_server().listen("socket", replace_stale=True), "error")
            assert error.code == "EADDRINUSE"
            assert "another process is about to listen there" in error.strerror
            assert sorted(os.listdir()) == ["socket", "socket.lock"]
        server = echo().listen("socket", replace_stale=True)
        assert server.listening
        assert os.listdir() == ["socket"]
        await close(server)

    play(scenario)


@pytest.mark.parametrize("path", ["missing/socket", "x" * 108, "socket"])
def test_where_there_can_be_no_lock(play: Player, path: str) -> None:
    """The error is what it would be without: a missing directory, a name that is too long; or says what failed."""

    async def scenario() -> None:
        Path("socket.lock").symlink_to("elsewhere")
        server = uvnet.create_server().listen(path, replace_stale=True)
        (error,) = await event(server, "error")
        assert error.code == {"missing/socket": "ENOENT", "socket": "ELOOP"}.get(path, "EINVAL")
        assert os.listdir() == ["socket.lock"]

    play(scenario)


def test_closing_never_takes_the_file_of_a_successor(play: Player) -> None:
    """The file goes before the socket: as long as it is there, whoever looks finds somebody listening."""

    async def scenario() -> None:
        server = echo().listen("socket")
        seen: list[bool] = []
        real_unlink = os.unlink

        def unlink(path: Any, **options: Any) -> None:
            with plain.socket(plain.AF_UNIX) as client:
                seen.append(client.connect_ex(path) == 0)
            real_unlink(path, **options)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(os, "unlink", unlink)
            server.close()
        assert seen == [True]
        await server.shutdown(0)

    play(scenario)


@pytest.mark.parametrize("kind", ["net", "asyncio"])
def test_of_processes_that_start_at_once_exactly_one_wins(tmp_path: Path, kind: str) -> None:
    """Round after round, on a file that the last winner has left; whoever loses says why, and takes nothing away."""
    path = str(tmp_path / "socket")
    leave_behind(path)
    racers = [Program(str(ISOLATED / "replace_stale.py"), kind, path) for _ in range(4)]
    try:
        for _ in range(ROUNDS):
            moment = time.monotonic() + 0.005
            tell(racers, f"{moment}\n")
            said = [racer.line() for racer in racers]
            won = [racer for racer, line in zip(racers, said, strict=True) if line == "won\n"]
            assert len(won) == 1, said
            for line in said:
                assert line == "won\n" or "in use" in line and (
                    "somebody listens there" in line or "another process is about to listen there" in line
                )
            assert who_answers(path) == won[0].process.pid
            tell(racers, "over\n")
            assert [racer.line() for racer in racers] == ["over\n"] * len(racers)
        # Killed while it listens, and while it holds nothing else.
        tell(racers[:1], f"{time.monotonic()}\n")
        assert racers[0].line() == "won\n"
        racers[0].process.send_signal(signal.SIGKILL)
        racers[0].result()
        tell(racers[1:], f"{time.monotonic() + 0.005}\n")
        assert sorted(racer.line()[:4] for racer in racers[1:]) == ["lost", "lost", "won\n"]
        assert os.listdir(tmp_path) == ["socket"]
        tell(racers[1:], "over\n")
        for racer in racers[1:]:
            code, _, errors = racer.result()
            assert (code, errors) == (0, "")
    finally:
        for racer in racers:
            racer.process.kill()
            racer.process.wait()


def tell(racers: list[Program], line: str) -> None:
    for racer in racers:
        racer.stdin.write(line.encode())
        racer.stdin.flush()


def who_answers(path: str) -> int:
    with plain.socket(plain.AF_UNIX) as client:
        client.settimeout(20)
        client.connect(path)
        return int(client.recv(100))
