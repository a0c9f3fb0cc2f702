"""Who is to be served whatever others do: `good_client.py PORT ROUNDS [HOST]`.

A round is one line and its answer on a connection that stays; every tenth is one of a new connection, from one after
the other of some addresses, as of so many clients.  It prints JSON:
how many rounds of both kinds there were, and how long they took, in microseconds: the median and the 99th percentile.
A round that goes wrong, or takes longer than GIVEN_UP, ends it with an error.
"""

from __future__ import annotations

import json
import socket
import statistics
import sys
import time

PORT, ROUNDS = int(sys.argv[1]), int(sys.argv[2])
HOST = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"
EVERY = 10
HOSTS = 50
PAUSE = 0.001  # seconds between two rounds
GIVEN_UP = 30  # seconds
LINE = b"is anybody there?\n"


def connect(number: int = 0) -> socket.socket:
    source = (f"127.0.0.{1 + number // EVERY % HOSTS}", 0) if HOST == "127.0.0.1" else None
    one = socket.create_connection((HOST, PORT), GIVEN_UP, source)
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one


def ask(one: socket.socket) -> None:
    one.sendall(LINE)
    answer = b""
    while len(answer) < len(LINE):
        more = one.recv(len(LINE))
        if not more:
            raise ConnectionResetError("the server has closed the connection of one who did nothing wrong")
        answer += more
    assert answer == LINE


def summary(times: list[float]) -> dict[str, float]:
    if len(times) < 2:
        return {"rounds": len(times)}
    parts = statistics.quantiles(times, n=100, method="inclusive")
    return {"rounds": len(times), "p50": parts[49] * 1e6, "p99": parts[98] * 1e6, "longest": max(times) * 1e6}


def measure(staying: socket.socket) -> None:
    ask(staying)
    standing: list[float] = []
    fresh: list[float] = []
    for number in range(ROUNDS):
        begin = time.perf_counter()
        if number % EVERY:
            ask(staying)
            standing.append(time.perf_counter() - begin)
        else:
            with connect(number) as one:
                ask(one)
            fresh.append(time.perf_counter() - begin)
        time.sleep(PAUSE)
    print(json.dumps({"standing": summary(standing), "fresh": summary(fresh)}), flush=True)


def main() -> None:
    with connect() as staying:
        measure(staying)


if __name__ == "__main__":
    main()
