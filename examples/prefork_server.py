"""A pre-fork echo server: several processes accept from one listening socket, each on a loop of its own.

python examples/prefork_server.py                        4 workers on 127.0.0.1:8128
python examples/prefork_server.py PORT|PATH [WORKERS]
Ctrl-C or SIGTERM ends all of them; connections may finish for GRACE seconds.

The socket is bound before os.fork(), with no loop yet: a loop must not be shared by two processes.  The workers stop
when a pipe closes that only the parent holds open, so they also stop when the parent is killed.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys

import uvnet

GRACE = 5  # seconds
STOPPING = {signal.SIGINT, signal.SIGTERM}


def bind(where: str) -> socket.socket:
    if "/" in where:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(where)
        listener.listen(511)
        return listener
    return socket.create_server(("127.0.0.1", int(where)), backlog=511)


async def work(listener: socket.socket, parent: int) -> None:
    """One worker: echoes until the parent is gone or wants it to stop."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_reader(parent, stopping.set)
    connections: set[uvnet.Socket] = set()

    def on_connection(connection: uvnet.Socket) -> None:
        connections.add(connection)
        connection.on("close", lambda had_error: connections.discard(connection))
        connection.on("error", lambda error: None)
        connection.write(f"worker {os.getpid()}\n")
        connection.pipe(connection)

    # Takes the socket over; no other worker notices when this one closes its copy.
    server = uvnet.create_server(on_connection).listen(listener)
    await stopping.wait()
    asyncio.get_running_loop().remove_reader(parent)
    closed = asyncio.Event()
    server.close(lambda error: closed.set())
    for connection in connections:
        connection.end()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(closed.wait(), GRACE)
    # What is still open is closed by run().


def start_worker(listener: socket.socket, pipe: tuple[int, int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.close(pipe[1])
        # A terminal sends Ctrl-C to the workers, too: they leave it to the parent.
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING | {signal.SIGCHLD})
        uvnet.run(work(listener, pipe[0]))
        status = 0
    finally:
        # Not sys.exit(): a child must not run what its parent has registered for its own end.
        os._exit(status)


def main() -> int:
    where = sys.argv[1] if len(sys.argv) > 1 else "8128"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    listener = bind(where)
    # Blocked before the first fork, so that none is lost; sigwait() below takes them.
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING | {signal.SIGCHLD})
    pipe = os.pipe()
    workers = {start_worker(listener, pipe) for _ in range(count)}
    name = listener.getsockname()
    print("listening on", name if isinstance(name, str) else "{}:{}".format(*name), flush=True)
    listener.close()

    failed = signal.sigwait(STOPPING | {signal.SIGCHLD}) == signal.SIGCHLD
    if failed:
        print("a worker has ended by itself; stopping the others", file=sys.stderr)
    os.close(pipe[1])
    statuses = [os.waitpid(pid, 0)[1] for pid in workers]
    if isinstance(name, str):
        os.unlink(name)
    return 1 if failed or any(statuses) else 0


if __name__ == "__main__":
    sys.exit(main())
