"""run() without a coroutine raises, at its end, the error of a server that could not listen and nobody heard of.

Such an error is told once: raised where nothing else is left, else reported when it happens.
"""

from __future__ import annotations

import asyncio
import socket as plain
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from programs import run as run_program

import uvnet
from uvnet._loop.loop import running_record


class Reports(list[BaseException]):
    """What reaches the exception handler of the loop that run() will run."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: asyncio.AbstractEventLoop = running_record().loop
        self.loop.set_exception_handler(lambda _, context: self.append(context["exception"]))


@pytest.fixture
def taken() -> Iterator[int]:
    """A port in use, at whatever address "localhost" is."""
    dual = plain.has_dualstack_ipv6()
    family = plain.AF_INET6 if dual else plain.AF_INET
    with plain.create_server(("", 0), family=family, dualstack_ipv6=dual) as listener:
        yield listener.getsockname()[1]


WAYS: dict[str, tuple[Callable[[uvnet.Server, int, Path], object], str]] = {
    "port in use": (lambda server, port, _: server.listen(port), "EADDRINUSE"),
    "address in use": (lambda server, port, _: server.listen(port, "127.0.0.1"), "EADDRINUSE"),
    "name in use": (lambda server, port, _: server.listen(port, "localhost"), "EADDRINUSE"),
    "no such name": (lambda server, port, _: server.listen(port, "nowhere.invalid"), "E"),
    "no such directory": (lambda server, _, directory: server.listen(directory / "none" / "socket"), "ENOENT"),
    "a file there": (lambda server, _, directory: server.listen(directory), "EADDRINUSE"),
    "no socket": (lambda server, _, directory: server.listen(fd=2**20), "E"),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_fail_ends_run(way: str, taken: int, tmp_path: Path) -> None:
    reports = Reports()
    listen, code = WAYS[way]
    server = uvnet.create_server()
    listen(server, taken, tmp_path)
    with pytest.raises(OSError) as caught:
        uvnet.run()
    assert caught.value.code.startswith(code)
    assert reports == []


@pytest.mark.parametrize("handler", ["", "import logging; logging.disable(); "])
def test_exit_status(taken: int, handler: str) -> None:
    code = f"{handler}import uvnet; uvnet.create_server().listen({taken}, '127.0.0.1'); uvnet.run(); print('here')"
    result = run_program("-c", code)
    assert result.code == 1
    assert result.output == b""
    assert result.errors.count("EADDRINUSE") == 1
    assert result.errors.count("Traceback") == 1


def test_a_listener_hears_of_it(taken: int) -> None:
    reports = Reports()
    heard: list[BaseException] = []
    uvnet.create_server().on("error", heard.append).listen(taken)
    uvnet.run()
    assert len(heard) == 1
    assert reports == []


def test_what_goes_on_hears_of_it_at_once(taken: int) -> None:
    """Another server: it does not wait for the end, and it is still why there is nothing left then."""
    reports = Reports()
    other = uvnet.create_server().listen(0, "127.0.0.1")
    uvnet.create_server().listen(taken)

    def look() -> None:
        assert [error.code for error in reports] == ["EADDRINUSE"]
        other.close()

    reports.loop.call_later(0.05, look)
    with pytest.raises(OSError) as caught:
        uvnet.run()
    assert [caught.value] == reports


@pytest.mark.parametrize("kind", ["timer", "task", "server later"])
def test_it_does_not_wait_for_a_timer_or_a_task_or_a_later_server(taken: int, kind: str) -> None:
    reports = Reports()
    seen: list[int] = []
    later = uvnet.create_server()
    failing = uvnet.create_server().listen(taken)

    async def wait() -> None:
        await asyncio.sleep(0.05)
        seen.append(len(reports))
        later.close()

    def then() -> None:
        # On the tick after the one that tells: the hook in front of the poll has not looked yet.
        later.listen(0)

    if kind == "timer":
        reports.loop.call_later(0.05, lambda: seen.append(len(reports)))
    else:
        keep = reports.loop.create_task(wait())
        if kind == "server later":
            uvnet.next_tick(uvnet.next_tick, then)
    with pytest.raises(OSError):
        uvnet.run()
    assert seen == [1]
    assert len(reports) == 1
    assert not failing.listening
    if kind != "timer":
        assert keep.done()


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("end", ["close", "unref", "shutdown", "listens after all"])
def test_what_is_not_meant_to_listen_is_no_reason(taken: int, end: str, late: bool) -> None:
    """It is reported all the same."""
    reports = Reports()
    server = uvnet.create_server().listen(taken)

    def give_up() -> None:
        if end == "listens after all":
            server.listen(0, lambda: server.close())
        elif end == "shutdown":
            server.shutdown(0)
        else:
            getattr(server, end)()

    if late:
        reports.loop.call_later(0.02, give_up)
    elif end != "listens after all":
        give_up()
    else:
        uvnet.next_tick(give_up)
    uvnet.run()
    assert len(reports) == 1


def test_two_of_them(taken: int) -> None:
    """The first is raised, the others reported."""
    reports = Reports()
    uvnet.create_server().listen(taken)
    uvnet.create_server().listen(taken, "127.0.0.1")
    with pytest.raises(OSError) as caught:
        uvnet.run()
    assert len(reports) == 1
    assert reports[0] is not caught.value


def test_an_unreferenced_server_is_reported_only(taken: int) -> None:
    reports = Reports()
    uvnet.create_server().unref().listen(taken)
    uvnet.run()
    assert len(reports) == 1


@pytest.mark.parametrize("how", ["stopped", "interrupted"])
def test_a_loop_that_ends_otherwise(taken: int, how: str) -> None:
    reports = Reports()
    uvnet.create_server().listen(taken)

    def end() -> None:
        if how == "interrupted":
            raise KeyboardInterrupt
        reports.loop.stop()

    # In the turn in which it fails.
    uvnet.next_tick(end)
    if how == "interrupted":
        with pytest.raises(KeyboardInterrupt):
            uvnet.run()
    else:
        uvnet.run()
    assert len(reports) == 1


def test_with_a_coroutine_it_is_reported_as_ever(taken: int) -> None:
    reports = Reports()

    async def main() -> Any:
        uvnet.create_server().listen(taken)
        await asyncio.sleep(0)
        return 5

    assert uvnet.run(main()) == 5
    assert len(reports) == 1


def test_errors_of_sockets_are_reported_as_ever() -> None:
    reports = Reports()
    uvnet.connect(1, "127.0.0.1")
    uvnet.run()
    assert len(reports) == 1
