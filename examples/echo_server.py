"""The echo server of Node's documentation ("net.createServer()").

python examples/echo_server.py          listens on TCP port 8124; try: nc localhost 8124
python examples/echo_server.py PATH     listens on a Unix socket; try: nc -U PATH
Ctrl-C ends it.
"""

import contextlib
import sys

import uvnet


def on_connection(c: uvnet.Socket) -> None:
    print("client connected")
    c.on("end", lambda: print("client disconnected"))
    c.write("hello\r\n")
    c.pipe(c)


def on_error(error: OSError) -> None:
    raise error


server = uvnet.create_server(on_connection)
server.on("error", on_error)
server.listen(sys.argv[1] if len(sys.argv) > 1 else 8124, lambda: print("server bound"))

with contextlib.suppress(KeyboardInterrupt):
    uvnet.run()
