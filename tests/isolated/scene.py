"""What the isolated scripts have in common."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import uvnet
from uvnet._loop.counters import snapshot

SERVER_EVENTS = ("listening", "connection", "drop", "error", "close")
SOCKET_EVENTS = (
    "lookup", "connectionAttempt", "connect", "ready", "data", "readable", "end", "drain", "finish",
    "timeout", "pause", "resume", "error", "close",
)  # fmt: skip

# asyncio's debug mode measures how long callbacks take; a busy machine is no defect.
logging.getLogger("asyncio").addFilter(lambda record: not record.msg.startswith("Executing"))


def say(*words: Any) -> None:
    """Print at once: a script may end in os._exit()."""
    print(*words, flush=True)


def must_raise(call: object, *arguments: object) -> None:
    try:
        call(*arguments)  # type: ignore[operator]
    except RuntimeError as error:
        if "made before fork" in str(error):
            return
        raise
    raise AssertionError(f"{call} did nothing to complain about")


def fork(child: Callable[[], None], leaves: bool = False) -> None:
    """Run `child` in a forked process, and say how that ended; 7 is well.

    `leaves`: by sys.exit(), so through whatever runs here, and not at once.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            child()
            status = 7
        finally:
            if status != 7:
                sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
            sys.stdout.flush()
            sys.stderr.flush()
            if not leaves:
                os._exit(status)
        sys.exit(status)
    _, status = os.waitpid(pid, 0)
    say("child:", os.waitstatus_to_exitcode(status))


def say_what_is_left() -> None:
    gc.collect()
    left = {name: count for name, count in snapshot().items() if count}
    say("left:", left or "nothing")


def new_path() -> str:
    """Where a Unix server may listen; test_isolated gives every script a directory of its own."""
    return os.path.join(os.environ["DIRECTORY"], f"socket-{next(_numbers)}")


_numbers = itertools.count()


def event(emitter: Any, name: str) -> asyncio.Future[tuple[Any, ...]]:
    """The arguments of the next event of this name, which is listened for from now on."""
    future: asyncio.Future[tuple[Any, ...]] = asyncio.get_running_loop().create_future()

    def happened(*arguments: Any) -> None:
        if not future.done():
            future.set_result(arguments)

    emitter.once(name, happened)
    return future


def arguments_for(server: uvnet.Server) -> tuple[Any, ...]:
    """What connects to the server."""
    address = server.address()
    return (address,) if isinstance(address, str) else (address.port, "127.0.0.1")


async def connected(server: uvnet.Server) -> tuple[uvnet.Socket, uvnet.Socket]:
    """Both ends of a new connection to a uvnet server."""
    accepted = event(server, "connection")
    client = uvnet.connect(*arguments_for(server))
    await event(client, "connect")
    (socket,) = await accepted
    return client, socket


async def echoed(server: uvnet.Server, data: bytes = b"hello") -> bytes:
    """What asyncio's own streams get back from an echo server."""
    address = server.address()
    if isinstance(address, str):
        reader, writer = await asyncio.open_unix_connection(address)
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", address.port)
    writer.write(data)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


def interrupt_me() -> None:
    """Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)
