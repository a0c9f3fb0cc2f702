"""Echo on uvnet with every limit there is, none of which anybody meets: a 'data' listener that writes."""

import uvnet

MANY = 1_000_000


def ignore_error(_error: OSError) -> None:
    """The load generator leaves with messages in flight; that is no error here."""


def on_connection(socket: uvnet.Socket) -> None:
    socket.on("error", ignore_error)
    socket.on("data", socket.write)


allowed, blocked = uvnet.BlockList(), uvnet.BlockList()
allowed.add_subnet("127.0.0.0", 8)
blocked.add_subnet("192.0.2.0", 24)
server = uvnet.create_server(
    on_connection,
    no_delay=True,
    preset="internet",
    allow_list=allowed,
    block_list=blocked,
    accept_rate=MANY,
    accept_rate_per_host=MANY,
    max_connections_per_host=MANY,
    max_lifetime=3600,
)
server.max_connections = MANY
server.listen(0, "127.0.0.1", 1024, lambda: print("listening", server.address().port, flush=True))
uvnet.run()
