"""A proxy on uvnet in one call. The argument is the port of the upstream."""

import sys

import uvnet

server = uvnet.create_proxy(("127.0.0.1", int(sys.argv[1])), no_delay=True)
server.listen(0, "127.0.0.1", 1024, lambda: print("listening", server.address().port, flush=True))
uvnet.run()
