"""A proxy on uvnet: two sockets piped into each other. The argument is the port of the upstream."""

import sys

import uvnet

OPTIONS = {"no_delay": True, "allow_half_open": True}
UPSTREAM = {"host": "127.0.0.1", "port": int(sys.argv[1]), **OPTIONS}


def on_connection(client: uvnet.Socket) -> None:
    upstream = uvnet.connect(UPSTREAM)
    client.on("error", lambda _error: upstream.destroy())
    upstream.on("error", lambda _error: client.destroy())
    client.pipe(upstream)
    upstream.pipe(client)


server = uvnet.create_server(OPTIONS, on_connection)
server.listen(0, "127.0.0.1", 1024, lambda: print("listening", server.address().port, flush=True))
uvnet.run()
