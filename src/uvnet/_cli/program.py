"""What the subcommands share: how they end, how they speak, how a server is kept running.

Exit codes: 0; 1 after an error, said in one line on stderr; 2 for bad arguments (argparse); 130 after Ctrl-C,
141 where nobody reads stdout any more, without a word, and 143 after SIGTERM, as a shell reports them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import errno
import os
import select
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TextIO, TypeVar

import uvnet
from uvnet._cli.endpoint import GRAMMAR, Endpoint, describe

__all__ = ["add_parser", "explain", "guarded", "keep_showing", "number_type", "peer_of", "run", "say", "serve"]

INTERRUPTED = 130
NOT_READ = 141
TERMINATED = 143

_N = TypeVar("_N", int, float)


def add_parser(
    subcommands: Any,
    name: str,
    summary: str,
    description: str,
    start: Callable[[Any], int],
    *,
    takes_addresses: bool = True,
) -> argparse.ArgumentParser:
    """A parser for the subcommand `name`, which start(arguments) runs and gives an exit code."""
    parser: argparse.ArgumentParser = subcommands.add_parser(
        name, help=summary, description=description, epilog=GRAMMAR if takes_addresses else None
    )
    add_version(parser)
    parser.set_defaults(start=start)
    return parser


def add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", action="version", version=f"uvnet {uvnet.__version__}")


def number_type(kind: type[_N], least: _N, most: _N) -> Callable[[str], _N]:
    """The type of an argument that is a number within limits; what is not raises argparse.ArgumentTypeError."""

    def number(text: str) -> _N:
        try:
            value = kind(text)
        except ValueError:
            value = None
        # Not the other way round: NaN is not within anything.
        if value is None or not least <= value <= most:
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} between {least} and {most}")
        return value

    return number


def say(text: str) -> None:
    """One line on stderr, for whoever still reads it."""
    _print(f"{_live.erasure()}uvnet: {text}\n")


def _print(text: str) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(text, end="", file=sys.stderr, flush=True)


class _LiveLine:
    """The line below all others on a terminal that changes in its place."""

    def __init__(self) -> None:
        self.shown = False

    def erasure(self) -> str:
        """What takes it away, for other text to be printed."""
        shown, self.shown = self.shown, False
        return "\r\x1b[K" if shown else ""


_live = _LiveLine()


async def keep_showing(text: Callable[[], str]) -> None:
    """Show what text() says on stderr, in one line and anew every second, until cancelled; a terminal is needed."""
    try:
        while True:
            line = text()[: shutil.get_terminal_size().columns - 1]
            _print(f"{_live.erasure()}{line}")
            _live.shown = True
            await asyncio.sleep(1)
    finally:
        _print(_live.erasure())


def explain(error: BaseException) -> str:
    """An error as uvnet words it: "connect ECONNREFUSED ...", not Python's "[Errno 111] ..."."""
    if isinstance(error, OSError) and error.strerror:
        if hasattr(error, "code"):
            return error.strerror
        text = f"{errno.errorcode.get(error.errno or 0, error.errno)}: {error.strerror.lower()}"
        return text if error.filename is None else f"{text}: {error.filename}"
    return str(error) or type(error).__name__


def run(main: Coroutine[Any, Any, None]) -> int:
    """Run a coroutine with uvnet.run() until it is done or a signal comes; returns the exit code."""
    return uvnet.run(_until_signal(main))


async def _until_signal(main: Coroutine[Any, Any, None]) -> int:
    # An exception raised by a signal handler may come where Python drops exceptions, and be lost: so cancel.
    loop = asyncio.get_running_loop()
    task = loop.create_task(main)
    codes: list[int] = []

    def stop(code: int) -> None:
        codes.append(code)
        task.cancel()

    for number, code in ((signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)):
        if signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, stop, code)
    try:
        await task
    except asyncio.CancelledError:
        if not codes:
            raise
    return codes[0] if codes else 0


def guarded(start: Callable[[], int]) -> int:
    """Call start(), which gives an exit code; errors and signals become exit codes too."""
    _fill_standard_descriptors()
    previous = signal.signal(signal.SIGTERM, _terminated)
    try:
        code = start()
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit:
        # Of argparse, after --help for example.
        _flush_if_possible(sys.stdout, 1)
        raise
    except (ImportError, OSError, uvnet.NetTypeError, uvnet.NetValueError, uvnet.NetRuntimeError) as error:
        not_read = _is_of_stdout(error)
        if not not_read:
            say(explain(error))
        _flush_if_possible(sys.stdout, 1)
        return NOT_READ if not_read else 1
    finally:
        signal.signal(signal.SIGTERM, previous)
        _flush_if_possible(sys.stderr, 2)
    return code


def _fill_standard_descriptors() -> None:
    """Keep 0, 1 and 2 from becoming sockets where a caller has closed them: libuv aborts when it closes such."""
    null = os.open(os.devnull, os.O_RDWR)
    while null <= 2:
        null = os.dup(null)
    os.close(null)


def _terminated(*_: Any) -> None:
    # Not the default action: processes that were started must be ended.
    raise SystemExit(TERMINATED)


def _is_of_stdout(error: BaseException) -> bool:
    """Whether it is that nobody reads what is printed: no error, but the end, as for any program in a pipeline."""
    if not isinstance(error, BrokenPipeError) or hasattr(error, "code"):
        return False  # those of sockets have Node's code
    poll = select.poll()
    poll.register(1, select.POLLOUT)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))


def _flush_if_possible(stream: TextIO | None, descriptor: int) -> None:
    """What is still to be printed, or nothing: the interpreter must not fail once more at its end."""
    try:
        if stream is not None:
            stream.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, descriptor)
        os.close(null)


async def serve(server: uvnet.Server, endpoint: Endpoint) -> None:
    """Listen, print where, and go on until a signal comes.  Raises OSError where listening fails."""
    server.listen(**endpoint.options())
    await uvnet.once(server, "listening")
    # From here on an error concerns one connection, not the server.
    server.on("error", lambda error: say(explain(error)))
    print(f"listening on {describe(server.address())}", flush=True)
    await asyncio.Event().wait()


def peer_of(socket: uvnet.Socket) -> str:
    """The other end of a connection, as it is printed."""
    address, family, port = socket.remote_address, socket.remote_family, socket.remote_port
    if address is None or family is None or port is None:
        return "a Unix socket"
    return describe(uvnet.Address(address, family, port))
