"""Many processes that serve as one: workers that share what they listen on, and the primary that starts them.

Node: "Cluster".  The names and events are those of Node's module; workers are fresh interpreters that run the program
anew.  In a worker, servers that listen on the same address share one socket, which the primary has.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, Literal

from uvnet._accept.sharing import Wanted, share_listening_sockets
from uvnet._loop.running import at_run
from uvnet.cluster.last_seconds import end_with_maker_of
from uvnet.cluster.limits import Limits
from uvnet.cluster.own_worker import PATIENCE, own_worker
from uvnet.cluster.primary import SCHED_NONE, SCHED_RR, WORKER_ID, ForkedWorker, Primary
from uvnet.cluster.serving import running_supervisor, serve_with
from uvnet.cluster.worker import Worker
from uvnet.events.emitter import EventEmitter
from uvnet.processes.parent import inherited_channel

__all__ = [
    "SCHED_NONE",
    "SCHED_RR",
    "Cluster",
    "Worker",
    "disconnect",
    "fork",
    "is_primary",
    "is_worker",
    "off",
    "on",
    "once",
    "reload",
    "remove_all_listeners",
    "scheduling_policy",
    "serve",
    "settings",
    "setup_primary",
    "worker",
    "workers",
]

_text = os.environ.pop(WORKER_ID, None)
# Whether this process is a worker (bool), and whether it is not.  Node: "cluster.isWorker", "cluster.isPrimary".
is_worker = inherited_channel is not None and _text is not None and _text.isdecimal()
is_primary = not is_worker
_number = int(_text) if is_worker and _text is not None else 0


class Cluster(EventEmitter):
    """What `uvnet.cluster` emits, all of it in the primary.

    Events: 'setup' (settings), 'fork' (worker), 'online' (worker), 'listening' (worker, address),
    'message' (worker, message, handle), 'disconnect' (worker), 'exit' (worker, code, signal).
    """


_cluster = Cluster()
_primary = Primary(_cluster)

# Node: "cluster.workers" and "cluster.settings"; dicts that change.
workers: dict[int, ForkedWorker] = _primary.workers
settings: dict[str, Any] = _primary.settings

on = _cluster.on
once = _cluster.once
off = _cluster.off
remove_all_listeners = _cluster.remove_all_listeners


def setup_primary(**options: Any) -> None:
    """Say how fork() starts workers from now on; 'setup' follows.

    exec: a script or a module, with its args, as of uvnet.fork(); None (default): this program with its arguments.
    exec_path, exec_argv, cwd, silent, serialization, user, group, start_new_session: as of uvnet.fork().
    Raises TypeError or ValueError for bad options.  Node: "cluster.setupPrimary([settings])".
    """
    _only_in("setup_primary", primary=True)
    _primary.set_up(options)


def fork(env: Mapping[str, str] | None = None) -> Worker:
    """Start a worker, with `env` added to its environment; returns the Worker, 'fork' follows.

    Raises OSError where it cannot be started, and RuntimeError in a worker.  Node: "cluster.fork([env])".
    """
    _only_in("fork", primary=True)
    return _primary.fork(env)


def disconnect(callback: Callable[[], Any] | None = None) -> None:
    """worker.disconnect() for every worker; callback() once all of them are.

    Raises RuntimeError in a worker.  Node: "cluster.disconnect([callback])".
    """
    _only_in("disconnect", primary=True)
    _primary.disconnect(callback)


def serve(
    main: Callable[[], Any],
    *,
    workers: int | Literal["auto"] = "auto",
    start_timeout: float = 30,
    shutdown_timeout: float = 30,
    heartbeat_timeout: float = 30,
    max_failures: int = 8,
    failure_time: float = 60,
    status: str | os.PathLike[str] | None = None,
) -> None:
    """Run main() in so many workers, and keep them running; see the guide.

    Workers run the program anew, and where they come to this call they run main, a function or coroutine function, as
    uvnet.run() would.  In the primary the call returns once SIGTERM has ended everything gracefully.

    workers: their number; "auto": the CPUs that this process may use.
    start_timeout: seconds for a worker to listen; shutdown_timeout: seconds for the connections of a worker to finish;
    heartbeat_timeout: seconds after which a worker whose loop does not answer is replaced (0: never).
    max_failures, failure_time: so many workers may fail within so many seconds; one more ends everything.
    status: the path of a Unix socket, for `python -m uvnet serve --status`.
    SIGHUP or reload(): a rolling restart.  SIGUSR2: the primary executes its program anew, and then replaces the
    workers.  SIGTERM, and Ctrl-C: the end; a second Ctrl-C: at once.
    Raises TypeError or ValueError for bad arguments, KeyboardInterrupt after Ctrl-C, SystemExit with 1 where workers
    cannot be kept running, OSError where there can be no status socket, and RuntimeError inside a running loop.
    This is not in Node.
    """
    limits = Limits(start_timeout, shutdown_timeout, heartbeat_timeout, max_failures, failure_time)
    serve_with(_primary if is_primary else None, main, workers, limits, status)


def reload() -> asyncio.Future[bool]:
    """Begin a rolling restart under serve(); returns a future for whether every worker was replaced.

    A new worker listens before an old one stops.  Where one is under way, another one follows it.
    Raises RuntimeError in a worker, and where serve() does not run.  This is not in Node.
    """
    _only_in("reload", primary=True)
    return running_supervisor().reload()


def _only_in(name: str, *, primary: bool) -> None:
    if is_primary is not primary:
        raise RuntimeError(f"uvnet.cluster.{name}() is for the primary, and this is a worker")


class _Source:
    """The primary as where the servers of a worker get their sockets; the channel opens with the first of them."""

    def request(self, wanted: Wanted, answered: Callable[..., Any]) -> None:
        found = own_worker(_number)
        assert found is not None
        found.request(wanted, answered)


class _Module(ModuleType):
    """What is more than a name of this module."""

    @property
    def worker(self) -> Worker | None:
        """The Worker that this process is, on the loop that first asks for it; None in the primary.

        Node: "cluster.worker".
        """
        return own_worker(_number) if is_worker else None

    @property
    def scheduling_policy(self) -> int:
        """SCHED_RR (default): the primary accepts and deals out in turn; SCHED_NONE: every worker accepts.

        It may be set before the first fork(); UVNET_CLUSTER_SCHED_POLICY ("rr" or "none") in the environment is its
        default.  Node: "cluster.schedulingPolicy".
        """
        return _primary.scheduling_policy

    @scheduling_policy.setter
    def scheduling_policy(self, value: int) -> None:
        _primary.scheduling_policy = value


# For type checkers: both are properties of the module.
worker: Worker | None
scheduling_policy: int

sys.modules[__name__].__class__ = _Module
# The import system has put worker.py here.  From CPython 3.14 on, code that has run once before takes what it finds here
# in the place of a property.
del globals()["worker"]

if is_worker:
    assert inherited_channel is not None
    # Its loop may hang by the time the primary is killed, or have never begun.
    end_with_maker_of(inherited_channel.descriptor, PATIENCE)
    share_listening_sockets(_Source())
    at_run(lambda: own_worker(_number))
