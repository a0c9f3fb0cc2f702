"""fork(): another Python process, with a channel to it.  Node: "child_process.fork()" and "Class: ChildProcess"."""

from __future__ import annotations

import contextlib
import os
import signal as _signal
import socket as _socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from uvnet._loop.loop import running_record
from uvnet._loop.tick import next_tick_on
from uvnet.errors.codes import invalid_type, invalid_value, unknown_signal
from uvnet.processes.exits import Ending, ExitWatch
from uvnet.processes.parent import CHANNEL, SERIALIZATION
from uvnet.processes.port import JSON, PICKLE, MessagePort
from uvnet.socket.socket import Socket

__all__ = ["ChildProcess", "fork", "signal_number"]


def signal_number(signal: int | str) -> int:
    """SIGTERM, "SIGTERM" or 15 as 15.  Raises ValueError for what is no signal."""
    try:
        if isinstance(signal, str):
            return _signal.Signals[signal].value
        return 0 if signal == 0 else _signal.Signals(signal).value
    except (KeyError, ValueError):
        raise unknown_signal(signal) from None


class ChildProcess(MessagePort):
    """A process that fork() has started.

    Events: 'spawn', 'message' (message, handle), 'disconnect', 'error' (error), 'exit' (code, signal) once the process
    is over, and 'close' (code, signal) behind that, once its channel and streams are closed too.  `code` is its exit
    code or None, `signal` the name of the signal that has ended it or None.
    stdin, stdout, stderr: Sockets where the process was made `silent`, else None.
    Node: "Class: ChildProcess".
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        silent: bool = False,
        serialization: str = JSON,
        descriptors: Sequence[int] = (),
        options: Mapping[str, Any],
    ) -> None:
        super().__init__(serialization)
        self.spawn_arguments = list(arguments)
        self.exit_code: int | None = None
        self.signal_code: str | None = None
        self.killed = False
        self.stdin: Socket | None = None
        self.stdout: Socket | None = None
        self.stderr: Socket | None = None
        self._closings = 2  # the process and its channel
        self._watch: ExitWatch | None = None
        self._process = self._start(environment, silent, descriptors, options)
        next_tick_on(self._record, self.emit, "spawn")

    @property
    def pid(self) -> int:
        """The number of the process.  Node: "subprocess.pid"."""
        return self._process.pid

    def kill(self, signal: int | str = _signal.SIGTERM) -> bool:
        """Send the process a signal; whether it was there.  Raises ValueError for what is no signal.

        Node: "subprocess.kill([signal])".
        """
        number = signal_number(signal)
        if self.exit_code is not None or self.signal_code is not None:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        self.killed = self.killed or number != 0
        return True

    def ref(self) -> None:
        """Let the process, and the channel to it, keep uvnet.run() going.  Node: "subprocess.ref()"."""
        super().ref()
        if self._watch is not None:
            self._watch.set_referenced(True)

    def unref(self) -> None:
        """Let neither the process nor the channel to it keep uvnet.run() going.  Node: "subprocess.unref()"."""
        super().unref()
        if self._watch is not None:
            self._watch.set_referenced(False)

    def __repr__(self) -> str:
        if self.exit_code is None and self.signal_code is None:
            return f"<{type(self).__name__} {self.pid}>"
        return f"<{type(self).__name__} {self.pid} is over: {self.signal_code or self.exit_code}>"

    # === Private ===

    def _start(
        self,
        environment: Mapping[str, str],
        silent: bool,
        descriptors: Sequence[int],
        options: Mapping[str, Any],
    ) -> subprocess.Popen[Any]:
        with contextlib.ExitStack() as undo, contextlib.ExitStack() as theirs:
            near, far = _socket.socketpair()
            undo.callback(near.close)
            theirs.enter_context(far)
            streams: dict[str, Any] = {}
            ends = {}
            if silent:
                for name in ("stdin", "stdout", "stderr"):
                    ends[name], other = _socket.socketpair()
                    undo.callback(ends[name].close)
                    streams[name] = theirs.enter_context(other).fileno()
            variables = {**environment, CHANNEL: str(far.fileno()), SERIALIZATION: self._serialization}
            try:
                process: subprocess.Popen[Any] = subprocess.Popen(
                    self.spawn_arguments, env=variables, pass_fds=(far.fileno(), *descriptors), **streams, **options
                )
            except KeyError as error:
                name = "user" if str(options.get("user")) in str(error) else "group"
                raise invalid_value(name, options.get(name), "is not known to the system") from None
            # Whoever waits for it is the ExitWatch.
            process.returncode = 0
            undo.callback(_put_an_end_to, process.pid)
            for name, end in ends.items():
                socket = Socket(handle=end, readable=name != "stdin", writable=name == "stdin")
                self._closings += 1
                socket._observe("close", lambda *_: self._one_closed(), once=True)
                setattr(self, name, socket)
            self._watch = ExitWatch(running_record(), self, process.pid, self._ended)
            undo.callback(self._watch.stop)
            self._open(near.fileno())
            near.detach()
            undo.pop_all()
        return process

    def _ended(self, ending: Ending) -> None:
        code, number = ending
        self.exit_code = code
        if number is not None:
            try:
                self.signal_code = _signal.Signals(number).name
            except ValueError:
                self.signal_code = f"SIG{number}"
        self._watch = None
        if self.stdin is not None:
            self.stdin.destroy()
        try:
            # Who has its end of the channel now, a process of its own, does not speak for it.
            if self._channel is not None:
                self._channel.finish()
            self.emit("exit", code, self.signal_code)
        finally:
            self._one_closed()

    def _disconnected(self, error: Exception | None) -> None:
        try:
            super()._disconnected(error)
        finally:
            self._one_closed()

    def _abandoned(self) -> None:
        # Whoever makes the next child of subprocess waits for it: there it would be where its Popen is deleted, with a
        # warning that it is still running.
        self._process.returncode = None
        subprocess._active.append(self._process)  # type: ignore[attr-defined]
        if self._watch is not None:
            self._watch.stop()

    def _one_closed(self) -> None:
        self._closings -= 1
        if self._closings == 0:
            self.emit("close", self.exit_code, self.signal_code)


def _put_an_end_to(pid: int) -> None:
    os.kill(pid, _signal.SIGKILL)
    os.waitpid(pid, 0)


def fork(
    module_or_script: str | os.PathLike[str],
    args: Sequence[str | os.PathLike[str]] = (),
    *,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
    exec_path: str | os.PathLike[str] | None = None,
    exec_argv: Sequence[str] | None = None,
    silent: bool = False,
    serialization: str = JSON,
    user: int | str | None = None,
    group: int | str | None = None,
    start_new_session: bool = False,
) -> ChildProcess:
    """Run a script, or a module as with `python -m`, in another process, and return the ChildProcess.

    module_or_script: a path, which has a separator or ends with ".py", or a module's name; args: what is in sys.argv;
    cwd: the directory to run in; env: instead of os.environ; exec_path: the interpreter (sys.executable);
    exec_argv: its own options, such as ["-X", "dev"] (those of this process); silent: give the process Sockets for
    stdin, stdout and stderr instead of this process's; serialization: "json", or "pickle" for what json cannot do;
    user, group, start_new_session: as of subprocess.Popen.
    In the process uvnet.parent_process() is the other end of the channel.
    Raises TypeError or ValueError for bad arguments, and OSError where the process cannot be started.
    Node: "child_process.fork(modulePath[, args][, options])".
    """
    return ChildProcess(
        fork_command(module_or_script, args, exec_path, exec_argv),
        os.environ if env is None else env,
        silent=silent,
        serialization=check_serialization(serialization),
        options={"cwd": cwd, "user": user, "group": group, "start_new_session": start_new_session},
    )


def fork_command(
    module_or_script: Any,
    args: Sequence[str | os.PathLike[str]],
    exec_path: str | os.PathLike[str] | None,
    exec_argv: Sequence[str] | None,
) -> list[str]:
    """The command that runs a script or a module; raises TypeError or ValueError."""
    if isinstance(args, str | bytes) or not isinstance(args, Sequence):
        raise invalid_type("args", "a sequence of str", args)
    own: list[str] = subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined]
    return [
        os.fspath(exec_path) if exec_path is not None else sys.executable,
        *(own if exec_argv is None else map(str, exec_argv)),
        *_program(module_or_script),
        *(os.fspath(argument) for argument in args),
    ]


def check_serialization(value: Any) -> str:
    """ "json" or "pickle"; raises ValueError."""
    if value not in (JSON, PICKLE):
        raise invalid_value("serialization", value, 'must be "json" or "pickle"')
    return str(value)


def _program(module_or_script: Any) -> list[str]:
    if not isinstance(module_or_script, str | os.PathLike):
        raise invalid_type("module_or_script", "of type str or os.PathLike", module_or_script)
    text = os.fspath(module_or_script)
    if not isinstance(text, str) or not text or "\0" in text:
        raise invalid_value("module_or_script", module_or_script)
    if isinstance(module_or_script, os.PathLike) or os.sep in text or text.endswith(".py"):
        return [text]
    return ["-m", text]
