"""Becomes an haproxy with one thread. The arguments are how it copies and the port of the upstream.

`nosplice` copies through user space, `splice` never does. Left to decide, with `option splice-auto`, this
haproxy copies the traffic of these workloads.
"""

import os
import socket
import sys

SPLICING = {
    "nosplice": [],
    "splice": ["option splice-request", "option splice-response"],
}

CONFIGURATION = """
global
    nbthread 1
    maxconn 4096

defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s

listen proxy
    bind fd@{descriptor}
    {splicing}
    server upstream 127.0.0.1:{port}
"""

copying, port = sys.argv[1], int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
configuration = os.memfd_create("configuration", 0)
text = CONFIGURATION.format(
    descriptor=listener.fileno(), splicing="\n    ".join(SPLICING[copying]), port=port
)
os.write(configuration, text.encode())
os.lseek(configuration, 0, os.SEEK_SET)
listener.set_inheritable(True)
print("listening", listener.getsockname()[1], flush=True)
os.execlp("haproxy", "haproxy", "-db", "-q", "-f", f"/dev/fd/{configuration}")
