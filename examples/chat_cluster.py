"""The chat server in several processes: workers share the port, and what one hears goes to all by way of the primary.

python examples/chat_cluster.py                      2 workers on 127.0.0.1:8126; try: nc 127.0.0.1 8126
python examples/chat_cluster.py PORT|PATH [WORKERS]
Ctrl-C or SIGTERM ends all of them; a worker that dies is replaced.

The bus is the channel that every worker has to its primary anyway.  A worker that does not read its messages must not
cost the primary memory without limit: send() says when so much waits that a line is better left out.
"""

import itertools
import signal
import sys

import uvnet
from uvnet import cluster

BACKLOG = 256 * 1024  # bytes that may wait for one client
LONGEST = 4096  # bytes of one line


def listen(where: str) -> None:
    """A worker: its clients, and the bus to those of the others."""
    worker = cluster.worker
    assert worker is not None
    clients: set[uvnet.Socket] = set()
    numbers = itertools.count(1)

    def tell(line: str, author: uvnet.Socket | None = None) -> None:
        for client in clients - {author}:
            if client.writable_length > BACKLOG:
                client.destroy()
            else:
                client.write(line)

    async def on_connection(client: uvnet.Socket) -> None:
        name = f"guest{worker.id}.{next(numbers)}"
        clients.add(client)
        client.write(f"* you are {name}, one of {len(clients)} at this worker\n")
        try:
            async for line in client.lines(limit=LONGEST):
                said = f"{name}: {line.decode(errors='replace')}\n"
                tell(said, client)
                worker.send(said)
        except (OSError, ValueError):
            # It is gone, or its line is too long.
            client.destroy()
        finally:
            clients.discard(client)

    worker.on("message", lambda line, _handle: tell(line))
    server = uvnet.create_server(on_connection)
    if "/" in where:
        server.listen(where)
    else:
        server.listen(int(where), "127.0.0.1")


def supervise(count: int) -> None:
    """The primary: it passes on what workers say, and replaces those that die."""
    listening = 0
    ending = False

    def on_message(author: cluster.Worker, line: str, _handle: object) -> None:
        for worker in cluster.workers.values():
            if worker is not author and worker.is_connected():
                worker.send(line)

    def on_listening(_worker: cluster.Worker, address: uvnet.Address | str) -> None:
        nonlocal listening
        listening += 1
        if listening == count:
            where = address if isinstance(address, str) else f"{address.address}:{address.port}"
            print("listening on", where, flush=True)

    def on_exit(worker: cluster.Worker, code: int | None, signal_name: str | None) -> None:
        if not ending and not worker.exited_after_disconnect:
            print(worker, "has ended:", signal_name or code, file=sys.stderr)
            cluster.fork()

    def end(_number: int, _frame: object) -> None:
        nonlocal ending
        ending = True
        cluster.disconnect()

    cluster.on("message", on_message)
    cluster.on("listening", on_listening)
    cluster.on("exit", on_exit)
    # A terminal's Ctrl-C is for the primary alone.
    cluster.setup_primary(start_new_session=True)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    for _ in range(count):
        cluster.fork()


def main() -> None:
    where = sys.argv[1] if len(sys.argv) > 1 else "8126"
    if cluster.is_primary:
        supervise(int(sys.argv[2]) if len(sys.argv) > 2 else 2)
    else:
        listen(where)
    uvnet.run()


main()
