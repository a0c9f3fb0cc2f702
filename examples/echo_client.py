"""The client of Node's documentation ("net.createConnection()") for examples/echo_server.py.

python examples/echo_client.py          connects to TCP port 8124
python examples/echo_client.py PATH     connects to a Unix socket
"""

import sys

import uvnet


def on_connect() -> None:
    print("connected to server!")
    client.write("world!\r\n")


def on_data(data: bytes) -> None:
    print(data.decode())
    client.end()


client = uvnet.create_connection(sys.argv[1] if len(sys.argv) > 1 else 8124, on_connect)
client.on("data", on_data)
client.on("end", lambda: print("disconnected from server"))

uvnet.run()
