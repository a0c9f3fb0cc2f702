"""round_trips.py PORT: sends a message and waits for it to come back, again and again, until the other end is gone."""

from __future__ import annotations

import socket
import sys

MESSAGE = bytes(64)

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    try:
        while True:
            connection.sendall(MESSAGE)
            left = len(MESSAGE)
            while left:
                received = connection.recv(left)
                if not received:
                    sys.exit()
                left -= len(received)
    except ConnectionError:
        sys.exit()
