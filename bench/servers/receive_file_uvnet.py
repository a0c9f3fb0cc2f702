"""What comes goes into a file, on uvnet: socket.receive_file(), of so many bytes before the file is begun anew.

The answer at the end is the number of bytes.  Arguments: the directory, the bytes.
"""

import asyncio
import sys
import tempfile

import uvnet

directory, most = sys.argv[1], int(sys.argv[2])


async def on_connection(socket: uvnet.Socket) -> None:
    received = 0
    with tempfile.TemporaryFile(dir=directory) as file:
        try:
            while True:
                file.seek(0)
                received += await socket.receive_file(file, most)
        except asyncio.IncompleteReadError:
            received += file.tell()
    socket.end(str(received))


server = uvnet.create_server({"no_delay": True, "allow_half_open": True}, on_connection)
server.listen(0, "127.0.0.1", 1024, lambda: print("listening", server.address().port, flush=True))
uvnet.run()
