"""Many clients in a process of their own: `python crowd.py PORT COUNT`.

Commands come on standard input, a line each, and are answered with a line: "connect N" opens N more connections and
answers with how many are open, "drop N" closes the N that are oldest, "count" says how many of them the server has
closed, "echo" sends a byte on each and says how many came back.
"""

from __future__ import annotations

import select
import socket
import sys

__all__: list[str] = []


def connect(port: int, count: int) -> list[socket.socket]:
    """Connections that the kernel has made, whether or not the server has accepted them."""
    made = []
    for _ in range(count):
        made.append(socket.create_connection(("127.0.0.1", port), timeout=20))
    return made


def is_closed(connection: socket.socket) -> bool:
    if not select.select([connection], [], [], 0)[0]:
        return False
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except ConnectionError:
        return True


def echoes(connection: socket.socket) -> bool:
    """Whether a byte comes back; one that nobody has accepted yet does not wait for it."""
    try:
        connection.sendall(b"x")
        if not select.select([connection], [], [], 0.05)[0]:
            return False
        return connection.recv(1) == b"x"
    except OSError:
        return False


def main(port: int) -> None:
    connections: list[socket.socket] = []
    for line in sys.stdin:
        word, _, number = line.strip().partition(" ")
        if word == "connect":
            connections += connect(port, int(number))
            answer = len(connections)
        elif word == "drop":
            gone, connections = connections[: int(number)], connections[int(number) :]
            for connection in gone:
                connection.close()
            answer = len(connections)
        elif word == "count":
            answer = sum(map(is_closed, connections))
        else:
            answer = sum(map(echoes, connections[: int(number)] if number else connections))
        print(answer, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
