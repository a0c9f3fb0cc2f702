"""Transports on connections that are there already: what connecting has made, what a program has accepted itself."""

from libc.errno cimport EEXIST

from uvnet._loop.adopted cimport add_adopted, reserve_adopted
from uvnet._loop.context cimport copy_context
from uvnet._loop.record cimport LoopRecord
from uvnet._stream.adopt cimport may_be_taken, stream_of
from uvnet._stream.stream cimport Stream
from uvnet._tls.secure_stream cimport SecureStream
from uvnet.errors.system cimport system_error
from uvnet.transports.secure_transport cimport SecureTransport, attach_secure, new_secure_transport
from uvnet.transports.base_transport cimport TRANSPORT_CLOSING, TRANSPORT_LOST
from uvnet.transports.transport cimport Transport, new_transport
from uvnet.transports.transport_events cimport attach
from uvnet.transports.transport_options cimport TransportOptions

from uvnet._loop.loop import record_of
from uvnet.transports.base_transport import transports_of


def take(loop, connected, bint given, bint is_unix, protocol, TransportOptions options not None, tls_options,
         bint server_side, server_hostname):
    """A transport on a connected socket.socket; `given` by the program, whose object it stays until it is closed.

    `tls_options`: (SSLContext, seconds for the handshake, seconds for the shutdown), or None.
    The protocol has heard of nothing yet.  Raises OSError, and the socket stays the caller's.
    """
    cdef LoopRecord record = record_of(loop)
    cdef Transport transport
    if tls_options is None:
        transport = new_transport(record, protocol, copy_context(), options)
    else:
        transport = new_secure_transport(
            record, protocol, copy_context(), options, tls_options, server_side, server_hostname
        )
    cdef int descriptor = connected.fileno()
    cdef int status = 0
    cdef Stream handle
    if given:
        # libuv knows of what it watches, and not of a transport that does not read.
        status = -EEXIST if descriptor in transports_of(loop) else may_be_taken(record, descriptor)
        if status < 0:
            raise system_error(status, "open")
        reserve_adopted(record)
    handle = stream_of(record, is_unix, descriptor, &status, False)
    if handle is None:
        raise system_error(status, "open")
    if given:
        add_adopted(handle.block, descriptor)
        transport._given = connected
    else:
        connected.detach()
    try:
        if tls_options is None:
            attach(transport, handle)
        else:
            attach_secure(<SecureTransport>transport, handle)
    except BaseException:
        transport._give_up()
        handle.owner = None
        handle.close()
        raise
    return transport


def begin(SecureTransport transport, waiter):
    """Begin the handshake; `waiter` is done when it is over, and connection_made() has been called by then."""
    transport._waiter = waiter
    transport.begin()


def secure(Transport transport, protocol, tls_options, bint server_side, server_hostname, waiter):
    """A SecureTransport in the place of a plain one: start_tls().

    `waiter` is done when the handshake is over.  The plain one is of no use any more; what is done to it is done to
    the other one.
    """
    cdef SecureTransport upgraded = new_secure_transport(
        transport.record, protocol, transport._context, transport._options, tls_options, server_side,
        server_hostname,
    )
    transport._hand_over()
    cdef Stream handle = transport._handle
    if transport._state >= TRANSPORT_CLOSING:
        raise ConnectionResetError("the connection was closed or lost before TLS could begin")
    handle.read_stop()
    upgraded._local_name = transport._local_name
    upgraded._remote_name = transport._remote_name
    upgraded._given, transport._given = transport._given, None
    upgraded._server, transport._server = transport._server, None
    upgraded._tells_made = False
    upgraded._made_was_told = True
    upgraded._waiter = waiter
    if isinstance(handle, SecureStream):
        upgraded._outer = <SecureTransport>transport
    transport._stop_watching()
    attach_secure(upgraded, handle)
    transport._handle = None
    transport._state = TRANSPORT_LOST
    transport._successor = upgraded
    upgraded.begin()
    return upgraded
