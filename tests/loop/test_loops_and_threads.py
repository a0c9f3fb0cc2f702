"""Which loops and threads may use uvnet, and what the others are told."""

from __future__ import annotations

import asyncio
import gc
import importlib.machinery
import io
import re
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import uvloop
from harness import Player, event
from places import ROOT

import uvnet
from uvnet._uv import table

# They look, or change what the loop does not know.
HARMLESS = {"address", "addresses", "is_paused", "set_default_encoding", "statistics"}
# What to call the others with.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "close": (),
    "connect": (1, "127.0.0.1"),
    "get_connections": (print,),
    "get_option": (1, 2),
    "listen": (0,),
    "pipe": (sys.stdout,),
    "read_all": (1,),
    "read_exactly": (1,),
    "receive_file": (io.BytesIO(), 1),
    "send_file": (io.BytesIO(b"x"),),
    "set_option": (1, 2, 3),
    "set_timeout": (1,),
    "set_type_of_service": (0,),
    "unshift": (b"x",),
    "write": (b"x",),
}


def methods(kind: type) -> list[str]:
    """The public methods beside those of an EventEmitter."""
    return [
        name
        for name in dir(kind)
        if not name.startswith("_") and not hasattr(uvnet.EventEmitter, name)
        if callable(getattr(kind, name)) and name not in HARMLESS
    ]


METHODS = [(kind, name) for kind in (uvnet.Socket, uvnet.Server) for name in methods(kind)]
all_methods = pytest.mark.parametrize(
    ("kind", "name"), METHODS, ids=[f"{kind.__name__}.{name}" for kind, name in METHODS]
)


def from_a_thread(function: Callable[[], Any]) -> BaseException | None:
    """What `function` raises in another thread."""
    raised: list[BaseException | None] = [None]

    def work() -> None:
        try:
            function()
        except BaseException as error:
            raised[0] = error

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return raised[0]


# === Other kinds of loops ===


@pytest.mark.parametrize(
    "use",
    [
        uvnet.create_server,
        uvnet.Server,
        uvnet.Socket,
        uvnet.active_handles,
        lambda: uvnet.connect(1, "127.0.0.1"),
        lambda: uvnet.next_tick(print),
    ],
    ids=["create_server", "Server", "Socket", "active_handles", "connect", "next_tick"],
)
def test_any_other_loop_is_refused(use: Callable[[], Any]) -> None:
    """DESIGN 2: the message says how to get a uvloop."""

    async def main() -> None:
        with pytest.raises(RuntimeError) as caught:
            use()
        message = str(caught.value)
        assert f"not {type(asyncio.get_running_loop()).__module__}." in message
        for way in ("uvnet.run(main())", "uvloop.run(main())", "asyncio.Runner(loop_factory="):
            assert way in message

    loop = asyncio.SelectorEventLoop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_a_subclass_of_uvloops_loop(play: Player) -> None:
    class Mine(uvloop.Loop):
        """Somebody's loop."""

    async def main() -> None:
        server = uvnet.create_server().listen(0)
        server.close()
        await event(server, "close")

    loop = Mine()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


def test_run_inside_a_running_loop(play: Player) -> None:
    async def scenario() -> None:
        with pytest.raises(RuntimeError, match="running event loop"):
            uvnet.run()

    play(scenario)


@pytest.mark.parametrize("main", [1, print, asyncio.sleep], ids=lambda value: type(value).__name__)
def test_run_needs_a_coroutine(main: Any) -> None:
    with pytest.raises(TypeError, match=r"uvnet\.run\(\) needs a coroutine"):
        uvnet.run(main)


def test_the_task_is_shown_with_the_name_of_its_coroutine() -> None:
    async def program() -> str:
        return repr(asyncio.current_task())

    assert program.__qualname__ in uvnet.run(program())


def test_objects_made_before_run_belong_to_it() -> None:
    """DESIGN 2."""
    log: list[Any] = []
    server = uvnet.create_server(lambda socket: socket.end(b"hello"))
    server.listen(0)
    client = uvnet.connect(server.address().port, "127.0.0.1")
    client.on("data", log.append)
    client.on("close", lambda _: server.close())
    server.on("close", lambda: log.append("close"))
    uvnet.run()
    assert log == [b"hello", "close"]


def test_run_twice() -> None:
    """Each run() has a loop of its own; what is left of the first is closed."""
    first = uvnet.create_server().listen(0)
    first.unref()
    uvnet.run()
    assert not first.listening
    with pytest.raises(RuntimeError, match="closed"):
        first.listen(0)
    second = uvnet.create_server().listen(0)
    second.on("listening", second.close)
    uvnet.run()
    assert not second.listening


# === Other threads ===


@all_methods
def test_another_thread_is_refused(play: Player, kind: type, name: str) -> None:
    async def scenario() -> None:
        subject = kind()
        error = from_a_thread(lambda: getattr(subject, name)(*ARGUMENTS.get(name, ())))
        assert isinstance(error, RuntimeError), error
        assert "another thread" in str(error)
        assert "call_soon_threadsafe" in str(error)
        if isinstance(subject, uvnet.Socket):
            assert (subject.destroyed, subject.writable, subject.connecting) == (False, True, False)
            subject.destroy()
            await event(subject, "close")
        else:
            assert not subject.listening

    play(scenario)


@pytest.mark.parametrize("name", ["data", "readable"])
def test_listeners_that_start_the_flow_from_another_thread(play: Player, name: str) -> None:
    """They are no mere registration: they start to read, and put a tick on the loop's queue."""

    async def scenario() -> None:
        socket = uvnet.Socket()
        error = from_a_thread(lambda: socket.on(name, print))
        assert isinstance(error, RuntimeError), error
        assert socket.listener_count(name) == 0
        assert socket.readable_flowing is None
        socket.destroy()
        await event(socket, "close")

    play(scenario)


def test_the_iterator_from_another_thread(play: Player) -> None:
    async def scenario() -> None:
        socket = uvnet.Socket()
        error = from_a_thread(lambda: aiter(socket))
        assert isinstance(error, RuntimeError), error
        socket.destroy()
        await event(socket, "close")

    play(scenario)


def test_a_thread_with_a_loop_of_its_own_is_refused(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server()

        async def main() -> None:
            server.listen(0)

        error = from_a_thread(lambda: uvloop.run(main()))
        assert isinstance(error, RuntimeError), error
        assert not server.listening

    play(scenario)


def test_a_loop_made_here_and_run_in_a_thread() -> None:
    """What counts is where the loop runs, not where its objects were made."""
    loop = uvloop.new_event_loop()
    made: list[uvnet.Server] = []

    async def make() -> None:
        made.append(uvnet.create_server())

    async def use() -> None:
        (server,) = made
        server.listen(0)
        await event(server, "listening")
        server.close()
        await event(server, "close")

    loop.run_until_complete(make())
    error = from_a_thread(lambda: loop.run_until_complete(use()))
    loop.close()
    assert error is None


# === Closed loops ===


def closed_subject(kind: type) -> Any:
    """A Socket or a Server whose loop is closed."""
    loop = uvloop.new_event_loop()
    made: list[Any] = []

    async def make() -> None:
        made.append(kind())

    loop.run_until_complete(make())
    loop.close()
    return made[0]


@all_methods
def test_a_closed_loop_is_refused(kind: type, name: str) -> None:
    subject = closed_subject(kind)
    with pytest.raises(RuntimeError, match="closed"):
        getattr(subject, name)(*ARGUMENTS.get(name, ()))


@pytest.mark.parametrize("kind", [uvnet.Socket, uvnet.Server])
def test_looking_at_what_is_left_of_a_closed_loop(kind: type) -> None:
    """Rule 2.4.4."""
    subject = closed_subject(kind)
    for name in dir(kind):
        if not name.startswith("_") and not callable(getattr(kind, name)):
            getattr(subject, name)
    assert subject.address() is None
    assert repr(subject)
    assert subject.on("event", print).emit("event") is True


@pytest.mark.parametrize("kind", [uvnet.Socket, uvnet.Server])
@pytest.mark.parametrize("name", ["event", "data", "readable", "close"])
def test_what_is_left_of_a_closed_loop_is_collected(kind: type, name: str) -> None:
    subject = closed_subject(kind)
    reference = weakref.ref(subject)
    try:
        subject.on(name, print)
        subject.off(name, print)
    except RuntimeError as error:
        assert "closed" in str(error)
    del subject
    gc.collect()
    assert reference() is None


def test_the_loop_is_let_go() -> None:
    loop = uvloop.new_event_loop()

    async def main() -> None:
        uvnet.create_server().listen(0)

    loop.run_until_complete(main())
    loop.close()
    reference = weakref.ref(loop)
    del loop
    gc.collect()
    assert reference() is None


def test_a_running_loop_cannot_be_closed(play: Player) -> None:
    async def scenario() -> None:
        server = uvnet.create_server().listen(0)
        with pytest.raises(RuntimeError, match="running"):
            asyncio.get_running_loop().close()
        assert server.listening
        client = uvnet.connect(server.address().port, "127.0.0.1")
        await event(client, "connect")
        client.end()
        server.close()
        await event(server, "close")

    play(scenario)


def test_a_loop_that_is_run_several_times() -> None:
    """Between two runs everything waits; what was queued meanwhile comes in its turn."""
    loop = uvloop.new_event_loop()
    log: list[Any] = []

    async def start() -> uvnet.Server:
        return uvnet.create_server(lambda socket: socket.pipe(socket)).listen(0)

    async def connect(server: uvnet.Server) -> uvnet.Socket:
        client = uvnet.connect(server.address().port, "127.0.0.1")
        await event(client, "connect")
        return client.on("data", log.append)

    async def finish(server: uvnet.Server, client: uvnet.Socket) -> None:
        assert await event(client, "data") == (b"between the runs",)
        client.end()
        server.close()
        await event(server, "close")

    server = loop.run_until_complete(start())
    client = loop.run_until_complete(connect(server))
    client.write(b"between the runs", lambda error: log.append(error))
    assert log == []
    loop.run_until_complete(finish(server, client))
    loop.close()
    loop.close()
    assert log == [None, b"between the runs"]


# === The libuv inside uvloop ===


def loaded_library_without_libuv() -> str:
    """The path of some extension module of the standard library."""
    for name in ("_ctypes", "_ssl", "_sqlite3", "_decimal", "_lzma"):
        try:
            path = getattr(__import__(name), "__file__", None)
        except ImportError:
            continue
        if path and path.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)):
            return str(path)
    pytest.skip("this Python has no extension modules of its own")


def test_a_missing_function_is_named() -> None:
    """DESIGN 3: an ImportError that names it and the uvloop version."""
    with pytest.raises(ImportError) as caught:
        table._resolve(loaded_library_without_libuv())
    message = str(caught.value)
    assert f"the libuv inside uvloop {uvloop.__version__} has no function uv_" in message
    assert message.endswith("; install a newer uvloop")


def test_a_library_that_is_not_loaded() -> None:
    with pytest.raises(ImportError) as caught:
        table._resolve("/nowhere/loop.so")
    assert f"cannot reach the libuv inside uvloop {uvloop.__version__}" in str(caught.value)
    assert "/nowhere/loop.so" in str(caught.value)


@pytest.mark.parametrize("version", ["0.19.0", "0.21.0", "0.21.1rc1"])
def test_a_uvloop_that_is_too_old_is_refused_at_import(version: str) -> None:
    program = f"import uvloop; uvloop.__version__ = {version!r}\nimport uvnet"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert found.stderr.splitlines()[-1] == (
        f"ImportError: uvnet needs uvloop 0.22 or newer, and this is {version}: pip install -U uvloop"
    )


def test_the_lowest_uvloop_is_the_declared_one() -> None:
    declared = re.search(r'"uvloop>=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert declared is not None
    # There is no uvloop 0.22.0 to install.
    assert tuple(map(int, declared[1].split(".")))[:2] == table.LOWEST
    for version in (declared[1], "0.23.0", "1.0", "unknown"):
        table._check_version(version)


def test_a_failed_resolve_changes_nothing(play: Player) -> None:
    version = table.libuv_version()
    with pytest.raises(ImportError):
        table._resolve(loaded_library_without_libuv())
    assert table.libuv_version() == version

    async def scenario() -> None:
        server = uvnet.create_server().listen(0)
        server.close()
        await event(server, "close")

    play(scenario)
