"""create_unix_server() and the file of its socket: the options that asyncio's does not have."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from tls_stage import on_loop

import uvnet


class Greeter(asyncio.Protocol):
    def connection_made(self, transport: Any) -> None:
        transport.write(b"hello")
        transport.close()


async def serve(path: Any, **options: Any) -> Any:
    loop: Any = asyncio.get_running_loop()
    return await loop.create_unix_server(Greeter, path, **options)


async def greeted(path: Path) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        return await reader.read()
    finally:
        writer.close()


def leave_behind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))


@pytest.mark.parametrize("kind", [str, bytes, Path])
def test_mode_owner_and_group(tmp_path: Path, kind: Any) -> None:
    path = tmp_path / "socket"

    async def scenario() -> None:
        given = os.fsencode(path) if kind is bytes else kind(path)
        server = await serve(given, mode=0o606, owner=os.getuid(), group=os.getgid(), cleanup_socket=True)
        assert stat.S_IMODE(path.stat().st_mode) == 0o606
        assert await greeted(path) == b"hello"
        server.close()
        assert not path.exists()

    on_loop(scenario, uvnet.new_event_loop)


@pytest.mark.parametrize(
    ("replace_stale", "stale", "live"),
    [(None, True, True), (True, True, False), (False, False, False)],
)
def test_what_is_in_the_way(tmp_path: Path, replace_stale: bool | None, stale: bool, live: bool) -> None:
    """As asyncio any socket file is replaced, unless the option says which are."""
    path = tmp_path / "socket"

    async def attempt(told: str, replaced: bool) -> Any:
        try:
            server = await serve(path, replace_stale=replace_stale)
        except OSError as error:
            assert not replaced
            assert error.errno == errno.EADDRINUSE
            assert str(path) in error.strerror and told in error.strerror
            return None
        assert replaced
        assert await greeted(path) == b"hello"
        return server

    async def scenario() -> None:
        leave_behind(path)
        first = await attempt("nobody listens there", stale)
        with socket.socket(socket.AF_UNIX) as other:
            path.unlink()
            other.bind(str(path))
            other.listen()
            second = await attempt("somebody listens there", live)
        for server in (first, second):
            if server is not None:
                server.close()
        assert os.listdir(tmp_path) in ([], ["socket"])

    on_loop(scenario, uvnet.new_event_loop)


def test_one_that_is_to_serve_later_is_live(tmp_path: Path) -> None:
    path = tmp_path / "socket"

    async def scenario() -> None:
        server = await serve(path, start_serving=False)
        with pytest.raises(OSError, match="somebody listens there"):
            await serve(path, replace_stale=True)
        await server.start_serving()
        assert await greeted(path) == b"hello"
        server.close()

    on_loop(scenario, uvnet.new_event_loop)


def test_rights_that_may_not_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise PermissionError(errno.EPERM, "not allowed")

    async def scenario() -> None:
        with monkeypatch.context() as patched:
            patched.setattr(os, "chown", refuse)
            with pytest.raises(PermissionError):
                await serve(tmp_path / "socket", owner=0)
        assert os.listdir(tmp_path) == []

    on_loop(scenario, uvnet.new_event_loop)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"mode": "0660"}, TypeError),
        ({"mode": 0o1000}, ValueError),
        ({"owner": "nobody has this name"}, ValueError),
        ({"group": 1.5}, TypeError),
        ({"path": "\0name", "mode": 0o600}, ValueError),
        ({"readable_all": True}, TypeError),
    ],
)
def test_bad_options(tmp_path: Path, options: dict[str, Any], error: type[Exception]) -> None:
    async def scenario() -> None:
        with pytest.raises(error):
            await serve(**({"path": tmp_path / "socket"} | options))
        with socket.socket(socket.AF_UNIX) as given:
            given.bind(str(tmp_path / "given"))
            with pytest.raises((TypeError, ValueError)):
                await serve(**({"sock": given} | {"mode": 0o600} | options | {"path": None}))
        with pytest.raises(TypeError):
            await asyncio.get_running_loop().create_server(Greeter, "127.0.0.1", 0, **({"mode": 0o600} | options))
        assert os.listdir(tmp_path) == ["given"]

    on_loop(scenario, uvnet.new_event_loop)
