"""TransportServer: makes a Transport of every connection that its listeners accept, and counts those that are open.

How it comes to listen is the business of serving; what programs see of it, that of Server.
"""

from libc.errno cimport ENOMEM
from libc.string cimport memset

from uvnet._accept.listener cimport (
    FILE_DESCRIPTORS,
    AcceptFilter,
    DropReason,
    Listener,
    ListenerEvents,
    open_listener,
)
from uvnet._loop.adopted cimport add_adopted, reserve_adopted
from uvnet._loop.context cimport PyContext_Enter, PyContext_Exit, copy_context, copy_of_context
from uvnet._loop.record cimport no_record
from uvnet._loop.tick cimport report
from uvnet._stream.adopt cimport stream_of
from uvnet._stream.stream cimport Stream
from uvnet._stream.tcp cimport TCP
from uvnet.addresses.blocklist cimport BlockList, blocks
from uvnet.addresses.sockaddr cimport sockaddr_storage
from uvnet.errors.system cimport descriptor_lost, system_error
from uvnet.transports.secure_transport cimport SecureTransport, new_secure_transport
from uvnet.transports.transport cimport Transport, new_transport
from uvnet.transports.transport_events cimport attach

from uvnet._accept.drops import OncePerSecond, OutOfDescriptors
from uvnet._loop.loop import record_of
from uvnet.transports.transport import transports_of

cdef extern from "<sys/socket.h>" nogil:
    enum:
        AF_UNIX


cdef class TransportServer:
    """The accepting half of a Server; not made by users."""

    def __cinit__(self, *args, **kwargs):
        self.record = no_record
        memset(&self._filter, 0, sizeof(AcceptFilter))
        self._filter.most = -1
        self._listeners = []

    def __init__(self, loop, protocol_factory, most, BlockList block_list, tls_options):
        self._tls_options = tls_options
        self.record = record_of(loop)
        self._factory = protocol_factory
        self._context = copy_context()
        self._block_list = block_list
        self._filter.block_list = <void *>block_list if block_list is not None else NULL
        self._filter.is_blocked = blocks
        self._filter.most = -1 if most is None else most

    @property
    def connections(self):
        """How many connections are open (int).  This is not in asyncio."""
        return self._filter.connections

    def _listen(self, listening, int backlog, bint given):
        """Listen on a bound socket.socket, which stays the caller's; `given`: by somebody who may still close it."""
        cdef int status
        cdef int descriptor = listening.fileno()
        cdef Listener listener = open_listener(
            self.record, descriptor, listening.family, &self._filter, &_events, &status
        )
        if listener is None:
            raise system_error(status, "listen")
        try:
            if given:
                reserve_adopted(self.record)
                add_adopted(listener.block, descriptor)
            status = listener.listen(backlog)
            if status < 0:
                raise system_error(status, "listen")
            self._unix = listening.family == AF_UNIX
            self._listeners.append(listener)
        except BaseException:
            listener.release()
            raise
        listener.owner = self
        listener.on_abandoned = _on_abandoned

    def _stop_listening(self):
        cdef Listener listener
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.owner = None
            listener.release()

    def _open_transports(self):
        # Those of the loop are kept already; a set of its own would cost a server some 100 bytes a connection.
        cdef Transport transport
        return [
            transport for transport in transports_of(self.record.loop).values() if transport._server is self
        ]

    def _transport_gone(self):
        self._filter.connections -= 1
        self._connection_gone()

    def _connection_gone(self):
        """For subclasses."""

    cdef int _accept(self, int descriptor, const sockaddr_storage *remote) except -1:
        cdef Stream handle = None
        cdef Transport transport
        cdef object context
        cdef int status = 0
        try:
            handle = stream_of(self.record, self._unix, descriptor, &status)
        except MemoryError:
            status = -ENOMEM
        if handle is None:
            return self._trouble(status)
        context = copy_of_context(self._context)
        PyContext_Enter(context)
        try:
            transport = None
            try:
                transport = self._new_transport(context)
                attach(transport, handle)
                transport.remember_remote(remote)
                if isinstance(handle, TCP):
                    (<TCP>handle).set_no_delay(True)
            except BaseException as error:
                handle.owner = None
                handle.close()
                self._failed(error, "Error on transport creation for incoming connection")
                transport = None
            if transport is None:
                return 0
            transport._server = self
            self._filter.connections += 1
            try:
                if self._tls_options is None:
                    transport.made()
                    transport.start_reading()
                else:
                    (<SecureTransport>transport).begin()
            except (KeyboardInterrupt, SystemExit) as error:
                self._failed(error, "exception in protocol.connection_made()")
            except BaseException as error:
                transport._fail(error, "Fatal error: protocol.connection_made() call failed.")
        finally:
            PyContext_Exit(context)
        return 0

    cdef Transport _new_transport(self, object context):
        cdef SecureTransport secure
        if self._tls_options is None:
            return new_transport(self.record, self._factory(), context, self._unix)
        secure = new_secure_transport(
            self.record, self._factory(), context, self._unix, self._tls_options, True, None
        )
        secure._starts_reading = True
        return secure

    cdef int _failed(self, object error, str message) except -1:
        report(self.record, error, message, self)
        return 0

    cdef int _trouble(self, int status) except -1:
        if self._accept_failures is None:
            self._accept_failures = OncePerSecond()
        if self._accept_failures.count():
            self._failed(system_error(status, "accept"), "accept() failed")
        return 0


cdef int _on_accepted(object owner, int descriptor, const sockaddr_storage *remote) except -1:
    return (<TransportServer>owner)._accept(descriptor, remote)


cdef int _on_dropped(object owner, int descriptor, const sockaddr_storage *remote, DropReason reason) except -1:
    cdef TransportServer self = <TransportServer>owner
    if reason == FILE_DESCRIPTORS:
        if self._out_of_descriptors is None:
            self._out_of_descriptors = OutOfDescriptors()
        self._out_of_descriptors.count(self)
    return 0


cdef int _on_trouble(object owner, int status) except -1:
    return (<TransportServer>owner)._trouble(status)


cdef int _on_lost(object owner, Listener listener) except -1:
    cdef TransportServer self = <TransportServer>owner
    self._failed(descriptor_lost("accept"), "somebody else has closed a listening socket")
    return 0


cdef int _on_abandoned(object owner) except -1:
    """The loop is gone: the sockets stay their objects'."""
    (<TransportServer>owner)._stop_listening()
    return 0


cdef ListenerEvents _events
_events.on_accepted = _on_accepted
_events.on_dropped = _on_dropped
_events.on_trouble = _on_trouble
_events.on_lost = _on_lost
