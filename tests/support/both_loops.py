"""asyncio's own loop beside uvnet's: a scenario is played on both, and what its protocols were told is compared."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop
from pairs import connected_pair
from waiting import until

import uvnet

__all__ = ["BufferedRecorder", "Recorder", "Scene", "both", "ours", "play_on", "read_all", "told"]

Scenario = Callable[["Scene"], Coroutine[Any, Any, Any]]
FACTORIES: dict[str, Callable[[], Any]] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvnet": uvnet.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def kind_of(error: BaseException | None) -> str | None:
    return None if error is None else type(error).__name__


class _Recording:
    """Writes down what it is told, then does what the test says for it: `does` has functions by the names below."""

    def __init__(self, scene: Scene, name: str = "", /, **does: Callable[..., Any]) -> None:
        self.scene = scene
        self.name = name
        self.does = does
        self.transport: Any = None
        self.received = b""
        self.lost: asyncio.Future[BaseException | None] = scene.loop.create_future()
        scene.recorders.append(self)

    def tell(self, what: str, *arguments: Any) -> Any:
        action = self.does.get(what)
        return action(self, *arguments) if action is not None else None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.scene.note(self.name, "made")
        self.tell("made")

    def got(self, data: bytes) -> None:
        """How data is split is nobody's promise: what comes together is written down together."""
        self.received += data
        trace = self.scene.trace
        if trace and trace[-1][:2] == (self.name, "data"):
            data = trace.pop()[2] + data
        self.scene.note(self.name, "data", data)

    def eof_received(self) -> Any:
        self.scene.note(self.name, "eof")
        return self.tell("eof")

    def pause_writing(self) -> None:
        self.scene.note(self.name, "pause")
        self.tell("pause")

    def resume_writing(self) -> None:
        self.scene.note(self.name, "resume")
        self.tell("resume")

    def connection_lost(self, error: BaseException | None) -> None:
        self.scene.note(self.name, "lost", kind_of(error))
        if not self.lost.done():
            self.lost.set_result(error)
        self.tell("lost", error)


class Recorder(_Recording, asyncio.Protocol):
    """A protocol that records: made, data, eof, pause, resume, lost."""

    def data_received(self, data: bytes) -> None:
        assert type(data) is bytes
        self.got(data)
        self.tell("data", data)


class BufferedRecorder(_Recording, asyncio.BufferedProtocol):
    """The same for reads into `buffer`; `buffer` and `updated` are what it may do besides."""

    buffer: Any = None

    def get_buffer(self, sizehint: int) -> Any:
        assert isinstance(sizehint, int)
        given = self.tell("buffer", sizehint)
        if given is None:
            given = self.buffer = bytearray(1000) if self.buffer is None else self.buffer
        return given

    def buffer_updated(self, nbytes: int) -> None:
        if self.buffer is not None:
            self.got(bytes(self.buffer[:nbytes]))
        self.tell("updated", nbytes)


class Scene:
    """One run of a scenario: its loop, what was told and reported, and what is to be tidied up after it."""

    def __init__(self, loop: Any) -> None:
        self.loop = loop
        self.trace: list[tuple[Any, ...]] = []
        self.contexts: list[dict[str, Any]] = []
        self.recorders: list[_Recording] = []
        self.sockets: list[Any] = []
        self.result: Any = None

    @property
    def is_ours(self) -> bool:
        return isinstance(self.loop, uvnet.transports.Loop)

    def note(self, *entry: Any) -> None:
        self.trace.append(entry)

    def report(self, _loop: Any, context: dict[str, Any]) -> None:
        """An exception handler: the callback that asyncio's message names is no matter."""
        self.contexts.append(context)
        message = context["message"].split(" <")[0].split(" _")[0].split(" Recorder")[0]
        if message.startswith("Exception in callback"):
            message = "Exception in callback"
        found = [each for each in self.recorders if each.transport is context.get("transport", self)]
        self.note(
            "report", message, kind_of(context.get("exception")), len(found),
            any(each is context.get("protocol", self) for each in self.recorders),
        )  # fmt: skip

    def protocol(self, name: str = "", /, **does: Callable[..., Any]) -> Recorder:
        return Recorder(self, name, **does)

    def buffered(self, name: str = "", /, **does: Callable[..., Any]) -> BufferedRecorder:
        return BufferedRecorder(self, name, **does)

    async def on_socket(self, protocol: Any, kind: str = "tcp") -> tuple[Any, Any]:
        """A transport for the protocol, and its peer: a plain socket."""
        mine, peer = connected_pair(kind)
        self.sockets.append(peer)
        transport, _ = await self.loop.create_connection(lambda: protocol, sock=mine)
        return transport, peer

    async def tidy(self) -> None:
        for each in self.recorders:
            # asyncio's transports cannot be aborted once they are lost.
            if each.transport is not None and each.transport.get_protocol() is not None:
                each.transport.abort()
        # As far as connection_lost() is to come: a protocol may have been exchanged.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for each in self.sockets:
            each.close()


def play_on(loop_name: str, scenario: Scenario, timeout: float = 20) -> Scene:
    """Play it on a new loop of this kind, and close that."""
    loop = FACTORIES[loop_name]()
    scene = Scene(loop)
    loop.set_exception_handler(scene.report)

    async def bounded() -> None:
        try:
            scene.result = await asyncio.wait_for(scenario(scene), timeout)
        finally:
            kept, scene.trace = scene.trace, []
            await scene.tidy()
            scene.trace = kept

    try:
        loop.run_until_complete(bounded())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
    return scene


def _short(trace: list[tuple[Any, ...]]) -> str:
    return ", ".join(f"{entry!r:.100}" for entry in trace)


def both(scenario: Scenario, *, apart: bool = False) -> list[tuple[Any, ...]]:
    """The trace of a scenario, which must be the same on asyncio's loop and on uvnet's.

    `apart`: who of several is told first is the system's matter, so the trace is in the order of their names.
    """
    theirs = play_on("asyncio", scenario)
    mine = play_on("uvnet", scenario)
    if apart:
        for scene in (theirs, mine):
            scene.trace.sort(key=lambda entry: str(entry[0]))
    assert mine.trace == theirs.trace, f"uvnet: {_short(mine.trace)}\nasyncio: {_short(theirs.trace)}"
    assert mine.result == theirs.result, f"uvnet: {mine.result!r}, asyncio: {theirs.result!r}"
    return mine.trace


def ours(scenario: Scenario) -> list[tuple[Any, ...]]:
    """The trace of a scenario on uvnet's loop alone: for what differs from asyncio's on purpose."""
    return play_on("uvnet", scenario).trace


async def read_all(scene: Scene, peer: Any) -> bytes:
    """What a plain socket receives until the end, or until a reset, which is written down."""
    received = b""
    try:
        while data := await scene.loop.sock_recv(peer, 1 << 20):
            received += data
    except ConnectionResetError:
        scene.note("peer was reset")
    return received


async def told(scene: Scene, *entry: Any) -> None:
    """Wait until this is in the trace."""
    await until(lambda: entry in scene.trace)
