"""libuv error codes as the OSError subclasses Python users catch, with the properties of Node's errors.

The one place that turns a negative libuv result into an exception; it returns the exception, so that the
caller chooses between raising it and handing it to a callback.
"""

from libc.errno cimport EBADF, EINVAL, ENOMEM

from uvnet._uv.table cimport UVNET_UV_EAI_NODATA, UVNET_UV_EAI_NONAME, UVNET_UV_EOF, uv

import socket


cdef str error_name(int code):
    """Node's `code` of a libuv error, such as "ECONNREFUSED"."""
    cdef char name[64]
    uv.err_name_r(code, name, sizeof(name))
    return name.decode()


cdef str error_text(int code):
    cdef char text[256]
    uv.strerror_r(code, text, sizeof(text))
    return text.decode(errors="replace")


cpdef object system_error(int code, str syscall, object address=None, object port=None,
                          bint with_text=False, object local_address=None, object local_port=None,
                          object detail=None):
    """The exception for the negative libuv result `code` of `syscall`.

    It is the OSError subclass for the errno (ConnectionRefusedError, ...), with `errno` positive as in
    Python, and Node's `code` and `syscall`; `address`, `port`, `local_address`, `local_port` exist where
    they are known (a port only when it is not 0).  `with_text` adds libuv's text, as Node does for listen;
    `detail` is appended to the message.
    Node: "Class: SystemError".
    """
    cdef str name = error_name(code)
    message = f"{syscall} {name}"
    if with_text:
        message += f": {error_text(code)}"
    if address is not None:
        message += f" {address}"
        if port is not None and port > 0:
            message += f":{port}"
    if local_address is not None and local_port is not None:
        message += f" - Local ({local_address}:{local_port})"
    if detail is not None:
        message += f" {detail}"
    # libuv: on Unix an error code is a negated errno, but for a few of its own such as UV_EOF.
    error = OSError(-code if code != UVNET_UV_EOF else 0, message)
    error.code = name
    error.syscall = syscall
    if address is not None:
        error.address = address
    if port:
        error.port = port
    if local_address is not None:
        error.local_address = local_address
    if local_port is not None:
        error.local_port = local_port
    return error


cdef object descriptor_lost(str syscall):
    """The error for a descriptor that was taken over and that somebody else has closed."""
    return system_error(
        -EBADF, syscall, None, None, False, None, None,
        "(the descriptor was taken over, and somebody else has closed it)"
    )


cpdef object lookup_error(int code, object hostname):
    """The exception for a failed name look-up; `code` is "ENOTFOUND" where the name does not exist.

    It is a socket.gaierror whose errno is the socket.EAI_* value that Python users compare with.  As from
    socket.getaddrinfo(), a failure of the system's, such as having no descriptors, is another OSError with its errno.
    """
    cdef str name = error_name(code)
    cdef object number = None
    if name.startswith("EAI_"):
        number = getattr(socket, name, socket.EAI_FAIL)
    elif code == -EINVAL:
        # libuv: the name is too long, or no text.
        number = socket.EAI_NONAME
    elif code == -ENOMEM:
        number = socket.EAI_MEMORY
    if code == UVNET_UV_EAI_NONAME or code == UVNET_UV_EAI_NODATA:
        name = "ENOTFOUND"
    message = f"getaddrinfo {name} {hostname}"
    error = OSError(-code, message) if number is None else socket.gaierror(number, message)
    error.code = name
    error.syscall = "getaddrinfo"
    error.hostname = hostname
    return error
