"""What is deployed here: an HTTP server that tells clients who they are and who answers; /health is for HAProxy.

python -m uvnet serve app:main --workers 2

LISTEN (127.0.0.1:8080 unless set otherwise) is where it listens; with BEHIND_PROXY=1 every connection has to begin
with a PROXY header, and the client's address is then that of the header.
"""

import os

import uvnet

LONGEST = 8192  # bytes of a line in a request
PATIENCE = 10  # seconds for a request to come


async def on_connection(socket: uvnet.Socket) -> None:
    socket.set_timeout(PATIENCE, socket.destroy)
    try:
        request = b""
        async for line in socket.lines(limit=LONGEST):
            request = request or line
            if line in (b"", b"\r"):
                break
        health = request.split(b" ")[1:2] == [b"/health"]
        text = "well\n" if health else f"{socket.remote_address} is answered by {os.getpid()}\n"
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
        socket.end(head + text)
    except (OSError, ValueError):
        # It is gone, or its request is too long.
        socket.destroy()


async def main() -> None:
    host, _, port = os.environ.get("LISTEN", "127.0.0.1:8080").rpartition(":")
    server = uvnet.create_server(
        on_connection, no_delay=True, accept_proxy_protocol=os.environ.get("BEHIND_PROXY") == "1"
    )
    server.listen(int(port), host)
    await server.closed()
