"""Echo on uvnet in several processes: POLICY (one, none, rr) WORKERS; the primary says when all of them listen."""

import sys

import uvnet
from uvnet import cluster

POLICIES = {"none": cluster.SCHED_NONE, "rr": cluster.SCHED_RR}


def ignore_error(_error: OSError) -> None:
    """The load generator leaves with messages in flight; that is no error here."""


def on_connection(socket: uvnet.Socket) -> None:
    socket.on("error", ignore_error)
    socket.on("data", socket.write)


def announce(port: int) -> None:
    print("listening", port, flush=True)


def supervise(policy: str, workers: int) -> None:
    listening = 0

    def on_listening(_worker: cluster.Worker, address: uvnet.Address) -> None:
        nonlocal listening
        listening += 1
        if listening == workers:
            announce(address.port)

    cluster.scheduling_policy = POLICIES[policy]
    cluster.on("listening", on_listening)
    for _ in range(workers):
        cluster.fork()


policy, workers = sys.argv[1], int(sys.argv[2])
if policy != "one" and cluster.is_primary:
    supervise(policy, workers)
else:
    server = uvnet.create_server({"no_delay": True}, on_connection)
    if policy == "one":
        server.on("listening", lambda: announce(server.address().port))
    server.listen(0, "127.0.0.1", 1024)
uvnet.run()
