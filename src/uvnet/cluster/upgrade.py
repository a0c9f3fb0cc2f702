"""The upgrade of a primary: it executes its program anew, and keeps its number, its workers and their sockets.

What the new program has to know is written to a file without a name, which it inherits as it does the descriptors.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket as _socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

from uvnet._accept.sharing import wanted_of
from uvnet._loop.loop import running_record
from uvnet.cluster.last_words import LastWords
from uvnet.cluster.member import Member
from uvnet.cluster.primary import Primary
from uvnet.cluster.shared_sockets import SharedSocket, SharedSockets
from uvnet.cluster.unnamed_file import unnamed_file
from uvnet.processes.child_process import ChildProcess
from uvnet.processes.exits import Ending, ExitWatch

__all__ = [
    "Adopted",
    "CannotUpgrade",
    "adopt",
    "check_program",
    "end_if_checked",
    "execute_anew",
    "let_settle",
    "let_signals_through",
]

HANDED_OVER = "UVNET_UPGRADE_FD"
CHECK = "UVNET_UPGRADE_CHECK"
REACHED = 86  # the exit code of a program that has come to serve() when it was checked
SETTLING = 5.0  # seconds for workers to take what they were dealt
STEP = 0.005
SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR2)
MOST_SAID = 4096  # bytes


class CannotUpgrade(Exception):
    """Why it goes on as it is."""


_is_check = os.environ.pop(CHECK, None) is not None


async def check_program(timeout: float) -> None:
    """Have another process see whether the program comes to serve(); raises CannotUpgrade."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[Ending] = loop.create_future()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            _command(), env={**os.environ, CHECK: "1"}, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
        # Whoever waits for it is the ExitWatch.
        process.returncode = 0
        ExitWatch(running_record(), None, process.pid, over.set_result)

        def kill() -> None:
            # Its number may be another process's by then.
            if not over.done():
                os.kill(process.pid, signal.SIGKILL)

        timer = loop.call_later(timeout, kill)
        try:
            code, number = await asyncio.shield(over)
        except asyncio.CancelledError:
            kill()
            raise
        finally:
            timer.cancel()
        if code != REACHED:
            length = os.fstat(said.fileno()).st_size
            words = os.pread(said.fileno(), MOST_SAID, max(0, length - MOST_SAID)).decode(errors="replace").strip()
            how = f"exit code {code}" if number is None else f"signal {number}"
            raise CannotUpgrade(f"the new program does not come to serve(), but to {how}\n{words}".strip())


def end_if_checked() -> None:
    """End this process where it is only asked whether it comes here."""
    if _is_check:
        raise SystemExit(REACHED)


def _command() -> list[str]:
    # Not orig_argv[0]: that may be another interpreter in PATH by now.
    return [sys.executable, *sys.orig_argv[1:]]


def _descriptors_in(told: dict[str, Any]) -> list[int]:
    """Those that the new program inherits from the old one."""
    found = [*told["offered"]]
    for each in told["sockets"]:
        found += [each["descriptor"], *(descriptor for descriptor, _ in each["returned"])]
    for each in told["workers"]:
        found += [each["channel"], each["last_words"]]
    return found


# === In the old program ===


async def let_settle(sockets: SharedSockets, members: Collection[Member]) -> None:
    """Wait until nothing is under way between this process and its workers, while nothing is dealt.

    members: those there are, of whom some may end meanwhile.

    Raises CannotUpgrade.
    """
    for shared in sockets:
        shared.pause()
    end = time.monotonic() + SETTLING
    while unsettled := [member for member in members if not _is_settled(sockets, member)]:
        if time.monotonic() > end:
            raise CannotUpgrade(f"{unsettled[0]} does not take what it was dealt, nor end")
        await asyncio.sleep(STEP)


def _is_settled(sockets: SharedSockets, member: Member) -> bool:
    process = member.worker.process
    channel = process._channel
    if channel is None or not channel.is_open:
        # It is about to end, which this program still hears of.
        return False
    shares = [share for each in sockets if (share := each.users.get(member.worker.id)) is not None]
    return channel.is_at_rest and not process._sent and not any(share.waiting for share in shares)


def execute_anew(primary: Primary, members: Sequence[Member], environment: Mapping[str, str]) -> None:
    """Does not return.  Raises OSError, and then all is as it was."""
    sockets = primary.sockets
    returned = {shared.number: shared.take_returned() for shared in sockets}
    try:
        told = {
            "pid": os.getpid(),
            "sockets": [_about_socket(shared, returned[shared.number]) for shared in sockets],
            "offered": [socket.fileno() for socket in sockets.offered],
            "workers": [_about_worker(sockets, member) for member in members],
        }
        with unnamed_file() as file:
            file.write(json.dumps(told).encode())
            file.seek(0)
            _execute([*_descriptors_in(told), file.fileno()], {**environment, HANDED_OVER: str(file.fileno())})
    finally:
        for shared in sockets:
            shared.give_back(returned[shared.number])


def _execute(kept: Sequence[int], environment: Mapping[str, str]) -> None:
    # Until the new program has handlers for them, they would end it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        for descriptor in kept:
            os.set_inheritable(descriptor, True)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        os.execve(sys.executable, _command(), {**os.environ, **environment})
    finally:
        for descriptor in kept:
            os.set_inheritable(descriptor, False)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _about_socket(shared: SharedSocket, returned: list[tuple[int, bytes]]) -> dict[str, Any]:
    return {
        "number": shared.number,
        "key": shared.key,
        "descriptor": shared.socket.fileno(),
        "wanted": shared.wanted._asdict(),
        "dealt": shared.dealt,
        "has_file": shared.has_file,
        "returned": [(descriptor, name.hex()) for descriptor, name in returned],
    }


def _about_worker(sockets: SharedSockets, member: Member) -> dict[str, Any]:
    process = member.worker.process
    shares = [(each.number, each.users[member.worker.id]) for each in sockets if member.worker.id in each.users]
    return {
        "number": member.worker.id,
        "pid": member.pid,
        "channel": process._channel.descriptor,
        "serialization": process._serialization,
        "last_words": member.last_words.fileno(),
        "began": member.began,
        "is_stopping": member.state != "serving",
        "listens_on": [(number, share is None or share.ready) for number, share in shares],
    }


# === In the new one ===


class _AdoptedProcess(ChildProcess):
    """A child that an earlier program of this process has started."""

    def _start(
        self,
        environment: Mapping[str, str],
        silent: bool,
        descriptors: Sequence[int],
        options: Mapping[str, Any],
    ) -> Any:
        (channel,) = descriptors
        self._watch = ExitWatch(running_record(), self, options["pid"], self._ended)
        self._open(channel)
        return SimpleNamespace(pid=options["pid"], returncode=0)

    def _abandoned(self) -> None:
        # subprocess does not know it.
        if self._watch is not None:
            self._watch.stop()


class Adopted(NamedTuple):
    """A worker that was there before this program."""

    worker: Any
    last_words: LastWords
    began: float
    is_stopping: bool


def _inherit() -> dict[str, Any] | None:
    """What execute_anew() has left, for this process alone."""
    text = os.environ.pop(HANDED_OVER, None)
    if text is None or not text.isdecimal():
        return None
    with contextlib.suppress(OSError, ValueError, KeyError), open(int(text), "rb") as file:
        told: dict[str, Any] = json.loads(file.read())
        if told["pid"] == os.getpid():
            return told
    return None


_inherited = _inherit()


if _inherited is not None:
    # They are not for children of this program.
    for _descriptor in _descriptors_in(_inherited):
        os.set_inheritable(_descriptor, False)


def adopt(primary: Primary) -> list[Adopted]:
    """Go on where the program before this one has ended: its sockets, and its workers, which are returned."""
    global _inherited
    told, _inherited = _inherited, None
    if told is None:
        return []
    sockets = primary.sockets
    sockets.offered.extend(_socket.socket(fileno=descriptor) for descriptor in told["offered"])
    for each in told["sockets"]:
        sockets.add(
            each["key"], _socket.socket(fileno=each["descriptor"]), wanted_of(each["wanted"]), each["dealt"],
            number=each["number"], has_file=each["has_file"],
        )  # fmt: skip
    adopted = []
    for each in told["workers"]:
        process = _AdoptedProcess(
            (), {}, serialization=each["serialization"], descriptors=(each["channel"],), options={"pid": each["pid"]}
        )
        worker = primary.adopt(each["number"], process, dict(each["listens_on"]))
        adopted.append(Adopted(worker, LastWords(each["last_words"]), each["began"], each["is_stopping"]))
    for each in told["sockets"]:
        shared = sockets.find(each["number"])
        if shared is not None:
            shared.give_back([(descriptor, bytes.fromhex(name)) for descriptor, name in each["returned"]])
    return adopted


def let_signals_through() -> None:
    """Those that were blocked until this program has handlers for them."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
