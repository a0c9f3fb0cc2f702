"""Servers on Unix sockets: the file, its mode, names of every kind, and whose file it is (rule 1.6)."""

from __future__ import annotations

import errno
import os
import socket as plain
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from descriptors import open_sockets
from harness import Player, close, event

import uvnet
from uvnet._accept import socket_files
from uvnet._uv.table import libuv_version

LIMIT = 107  # bytes in the name of a Unix socket


@pytest.fixture
def mask() -> Iterator[None]:
    """A umask that leaves the owner alone."""
    old = os.umask(0o077)
    yield
    os.umask(old)


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def mode_of(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


async def echoed(path: Any) -> bytes:
    """What an echo server sends back."""
    client = uvnet.connect(path=path)
    client.end(b"hello")
    (chunk,) = await event(client, "data")
    await event(client, "close")
    return chunk


def echo() -> uvnet.Server:
    return uvnet.create_server(lambda socket: socket.pipe(socket))


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ({}, 0o700),
        ({"readable_all": True}, 0o744),
        ({"writable_all": True}, 0o722),
        ({"readable_all": True, "writable_all": True}, 0o766),
    ],
)
def test_modes_are_added(play: Player, mask: None, options: dict[str, bool], mode: int) -> None:
    """Rules 1.6.1 and 1.6.2, decision 12: on top of what umask left."""

    async def scenario() -> None:
        server = uvnet.create_server().listen(path="socket", **options)
        assert server.listening
        assert mode_of("socket") == mode
        await close(server)

    play(scenario)


def test_a_mode_that_cannot_be_changed(play: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rule 1.6.3: the call raises, and then nothing has changed."""

    def refuse(path: str, mode: int) -> None:
        raise PermissionError(errno.EPERM, "not allowed", path)

    async def scenario() -> None:
        server = uvnet.create_server()
        before = open_sockets()
        with monkeypatch.context() as patched:
            patched.setattr(socket_files.os, "chmod", refuse)
            with pytest.raises(PermissionError):
                server.listen({"path": "socket", "readable_all": True}, lambda: None)
        assert not server.listening
        assert server.address() is None
        assert server.event_names() == []
        assert not os.path.lexists("socket")
        assert open_sockets().keys() == before.keys()
        server.listen("socket")
        await close(server)

    play(scenario)


def test_a_file_that_cannot_be_looked_at(play: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    """The call raises, and the file that it has made is gone all the same."""
    look = os.stat
    failures = [PermissionError(errno.EACCES, "not allowed")]

    def refuse_once(path: Any, **options: Any) -> os.stat_result:
        if path == "socket" and failures:
            raise failures.pop()
        return look(path, **options)

    async def scenario() -> None:
        server = uvnet.create_server()
        with monkeypatch.context() as patched:
            patched.setattr(socket_files.os, "stat", refuse_once)
            with pytest.raises(PermissionError):
                server.listen("socket")
        assert not server.listening
        assert not os.path.lexists("socket")
        server.listen("socket")
        await close(server)

    play(scenario)


def test_a_failed_bind_is_not_opened_up(play: Player) -> None:
    """Rule 1.6.3: only the 'error' comes."""

    async def scenario() -> None:
        Path("taken").touch()
        os.chmod("taken", 0o600)
        server = uvnet.create_server().listen(path="taken", writable_all=True)
        (error,) = await event(server, "error")
        assert error.code == "EADDRINUSE"
        assert "what is there is no socket" in error.strerror
        assert mode_of("taken") == 0o600
        assert server.address() is None

    play(scenario)


@pytest.mark.parametrize("given", ["socket", "./socket", Path("socket"), "s\u00f6cket", "a b\n"])
def test_the_address_is_as_given(play: Player, given: Any) -> None:
    """Rule 1.6.4: a relative path stays relative."""

    async def scenario() -> None:
        server = echo().listen(given)
        assert server.address() == os.fspath(given)
        assert await echoed(given) == b"hello"
        await close(server)
        assert server.address() is None

    play(scenario)


def test_a_path_of_bytes(play: Player) -> None:
    """A path as os.fsencode() gives it, with what is no UTF-8."""

    async def scenario() -> None:
        server = echo().listen(path=b"s\xffcket")
        assert server.address() == os.fsdecode(b"s\xffcket")
        assert os.listdir(b".") == [b"s\xffcket"]
        assert await echoed(os.fsdecode(b"s\xffcket")) == b"hello"
        await close(server)
        assert os.listdir(".") == []

    play(scenario)


def test_the_file_is_gone_after_close(play: Player) -> None:
    """Rule 1.6.5: at once, and with connections that are still open."""

    async def scenario() -> None:
        server = uvnet.create_server(lambda socket: socket.resume()).listen("socket")
        client = uvnet.connect("socket")
        await event(client, "connect")
        server.close()
        assert not os.path.lexists("socket")
        client.end()
        await event(client, "close")

    play(scenario)


def test_a_file_of_somebody_else_stays(play: Player) -> None:
    """Rule 1.6.5 and decision 10: not a file, not a socket, not a renamed one."""

    async def scenario() -> None:
        server = uvnet.create_server().listen("socket")
        os.rename("socket", "elsewhere")
        with plain.socket(plain.AF_UNIX) as other:
            other.bind("socket")
        await close(server)
        assert sorted(os.listdir()) == ["elsewhere", "socket"]

    play(scenario)


def test_a_file_that_somebody_has_removed(play: Player) -> None:
    """Decision 10: closing is none of its business."""

    async def scenario() -> None:
        server = uvnet.create_server().listen("socket")
        os.unlink("socket")
        await close(server)
        assert os.listdir() == []

    play(scenario)


def test_a_live_socket_is_not_stolen(play: Player) -> None:
    """Rule 1.5: EADDRINUSE with the path, and its owner goes on."""

    async def scenario() -> None:
        owner = echo().listen("socket")
        (error,) = await event(uvnet.create_server().listen("socket"), "error")
        assert (error.code, error.address, error.port) == ("EADDRINUSE", "socket", -1)
        assert error.strerror == "listen EADDRINUSE: address already in use socket (somebody listens there)"
        assert await echoed("socket") == b"hello"
        await close(owner)

    play(scenario)


def test_what_a_dead_process_left(play: Player) -> None:
    """Rules 1.5 and 1.6.5: a stale file is an error too; whoever knows better removes it."""

    async def scenario() -> None:
        with plain.socket(plain.AF_UNIX) as dead:
            dead.bind("socket")
        server = echo().listen("socket")
        (error,) = await event(server, "error")
        assert error.code == "EADDRINUSE"
        assert "nobody listens there" in error.strerror and "replace_stale" in error.strerror
        os.unlink("socket")
        server.listen("socket")
        assert await echoed("socket") == b"hello"
        await close(server)

    play(scenario)


def test_a_missing_directory(play: Player) -> None:
    """Rule 1.5: FileNotFoundError, which Python users catch."""

    async def scenario() -> None:
        (error,) = await event(uvnet.create_server().listen("missing/socket"), "error")
        assert isinstance(error, FileNotFoundError)
        assert (error.code, error.address) == ("ENOENT", "missing/socket")

    play(scenario)


@pytest.mark.parametrize("length", [1, 2, LIMIT - 1, LIMIT])
def test_names_of_every_length(play: Player, length: int) -> None:
    """Rule 1.6.6: up to the limit nothing is cut off."""

    async def scenario() -> None:
        server = echo().listen("x" * length)
        assert os.listdir() == ["x" * length]
        assert await echoed("x" * length) == b"hello"
        await close(server)
        assert os.listdir() == []

    play(scenario)


@pytest.mark.parametrize("length", [LIMIT + 1, LIMIT + 2, 200, 100_000])
def test_names_that_are_too_long(play: Player, length: int) -> None:
    """Rule 1.6.6 and decision 11."""

    async def scenario() -> None:
        (error,) = await event(uvnet.create_server().listen("x" * length), "error")
        assert error.code == "EINVAL"
        assert f"{length} bytes" in error.strerror
        assert str(LIMIT) in error.strerror
        (error,) = await event(uvnet.connect("x" * length), "error")
        assert error.code == "EINVAL"
        assert os.listdir() == []

    play(scenario)


def test_the_length_counts_bytes(play: Player) -> None:
    """Rule 1.6.6 and decision 11."""

    async def scenario() -> None:
        name = "\u00e9" * 54
        (error,) = await event(uvnet.create_server().listen(name), "error")
        assert "108 bytes" in error.strerror
        server = echo().listen(name[1:] + "x")
        assert await echoed(name[1:] + "x") == b"hello"
        await close(server)

    play(scenario)


@pytest.mark.parametrize("path", ["a\0b", "socket\0"])
def test_a_null_character_is_no_part_of_a_path(play: Player, path: str) -> None:
    """Rule 1.6.7: only the first character may be one."""

    async def scenario() -> None:
        (error,) = await event(uvnet.create_server().listen(path), "error")
        assert error.code == "EINVAL"
        (error,) = await event(uvnet.connect(path), "error")
        assert error.code == "EINVAL"
        assert os.listdir() == []

    play(scenario)


@pytest.mark.parametrize("rest", ["", "with\0null", "\u00e9", "x" * (LIMIT - 40)])
def test_abstract_names(play: Player, tmp_path: Path, rest: str) -> None:
    """Rule 1.6.7: exactly the name, no file, and free when the server is closed."""
    if "\0" in rest and libuv_version().startswith("1.48."):
        pytest.skip("libuv 1.48 does not connect to a name with a null in it")
    name = f"\0uvnet-{os.getpid()}-{rest}"

    async def scenario() -> None:
        server = echo().listen(name)
        assert server.address() == name
        assert os.listdir() == []
        with plain.socket(plain.AF_UNIX) as client:
            client.connect(os.fsencode(name))
        assert await echoed(name) == b"hello"
        (error,) = await event(uvnet.create_server().listen(name), "error")
        assert error.code == "EADDRINUSE"
        server.close()
        again = echo().listen(name)
        assert await echoed(name) == b"hello"
        await close(again)

    play(scenario)


@pytest.mark.parametrize("option", ["readable_all", "writable_all"])
def test_an_abstract_name_has_no_mode(play: Player, option: str) -> None:
    """Rule 1.6.7 and decision 12."""

    async def scenario() -> None:
        server = uvnet.create_server()
        with pytest.raises(uvnet.NetValueError, match="abstract"):
            server.listen({"path": "\0name", option: True})
        assert not server.listening

    play(scenario)


def test_closing_the_loop_removes_the_file(play: Player) -> None:
    """Decision 10: also where nobody calls close()."""

    async def scenario() -> None:
        uvnet.create_server().listen("socket")
        assert os.path.exists("socket")

    play(scenario)
    assert not os.path.lexists("socket")
