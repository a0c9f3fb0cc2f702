"""A server of HTTP in several processes that can be restarted: HOW PORT DIRECTORY [WORKERS].

HOW: "net" and "patient" are a uvnet server under cluster.serve(), "serve-uvicorn" is uvicorn there, "uvicorn" and
"gunicorn" are on their own.  DIRECTORY is for the files that come with it.  SIGUSR1 has the primary of cluster.serve()
print how many blocks of memory Python has.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys

import uvnet
from uvnet import cluster

BODY = b"%d" % os.getpid()
PATIENCE = 1.0  # seconds for a client to send one more request


class Http:
    """Requests without a body."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        # Those that have had an answer; who is new has a request under way.
        self._idle: set[uvnet.Socket] = set()
        self._is_stopping = False

    def on_connection(self, socket: uvnet.Socket) -> None:
        received = b""

        def on_data(data: bytes) -> None:
            nonlocal received
            *requests, received = (received + data).split(b"\r\n\r\n")
            for request in requests:
                is_last = self._is_stopping or b"connection: close" in request.lower()
                head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(BODY)
                socket.write(head + (b"Connection: close\r\n\r\n" if is_last else b"\r\n") + BODY)
                if is_last:
                    socket.end()
                self._idle.add(socket)

        socket.on("data", on_data)
        socket.on("error", lambda _: None)
        socket.on("close", lambda *_: self._idle.discard(socket))

    def on_stop(self, server: uvnet.Server) -> None:
        """Listen no more, and end idle connections once the patience is over; until then they may ask once more."""
        self._is_stopping = True
        server.close()
        if self._patience:
            asyncio.get_running_loop().call_later(self._patience, self._end_all)
        else:
            self._end_all()

    def _end_all(self) -> None:
        for socket in list(self._idle):
            socket.end()


async def net(port: int, patience: float) -> None:
    http = Http(patience)
    async with uvnet.create_server(http.on_connection) as server:
        server.listen(port, "127.0.0.1", 1024)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, http.on_stop, server)
        await server.closed()


def uvicorn_alone(port: int, workers: int | None, loop: str) -> None:
    import uvicorn

    uvicorn.run(
        "restarts_application:application", host="127.0.0.1", port=port, workers=workers, backlog=1024,
        loop=loop, lifespan="off", access_log=False, log_level="error",
    )  # fmt: skip


def gunicorn(port: int, directory: str, workers: int) -> None:
    # An upgrade executes the same file again, as a script: one of the package would have its siblings in its way.
    program = os.path.join(os.path.dirname(sys.executable), "gunicorn")
    os.execv(
        program,
        [
            program, "-k", "uvicorn_worker.UvicornWorker", "-w", str(workers), "-b", f"127.0.0.1:{port}",
            "--pid", f"{directory}/pid", "--log-level", "error", "restarts_application:application",
        ],
    )  # fmt: skip


def print_blocks(_number: int, _frame: object) -> None:
    gc.collect()
    print("blocks", sys.getallocatedblocks(), flush=True)


def main() -> None:
    how, port, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    workers = int(sys.argv[4]) if len(sys.argv) > 4 else 2
    if how == "uvicorn":
        uvicorn_alone(port, workers, "auto")
        return
    if how == "gunicorn":
        gunicorn(port, directory, workers)
        return
    if cluster.is_primary:
        signal.signal(signal.SIGUSR1, print_blocks)
    programs = {
        "net": lambda: net(port, 0),
        "patient": lambda: net(port, PATIENCE),
        "serve-uvicorn": lambda: uvicorn_alone(port, None, "uvnet:new_event_loop"),
    }
    cluster.serve(programs[how], workers=workers, status=f"{directory}/status")


if __name__ == "__main__":
    main()
