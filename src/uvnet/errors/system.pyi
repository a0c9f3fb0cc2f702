import socket

def system_error(
    code: int,
    syscall: str,
    address: object = None,
    port: int | None = None,
    with_text: bool = False,
    local_address: object = None,
    local_port: int | None = None,
    detail: object = None,
) -> OSError: ...
def lookup_error(code: int, hostname: object) -> socket.gaierror: ...
