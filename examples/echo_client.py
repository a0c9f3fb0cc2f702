"""The client of Node's documentation ("net.createConnection()") for examples/echo_server.py.

python examples/echo_client.py          connects to TCP port 8124
python examples/echo_client.py PATH     connects to a Unix socket
"""

import sys
from typing import Any

import uvnet


def on_connect() -> None:
    print("connected to server!")
    client.write("world!\r\n")


def on_data(data: bytes) -> None:
    print(data.decode())
    client.end()


where: dict[str, Any] = {"path": sys.argv[1]} if len(sys.argv) > 1 else {"port": 8124}
client = uvnet.create_connection(where, on_connect)
client.on("data", on_data)
client.on("end", lambda: print("disconnected from server"))

uvnet.run()
