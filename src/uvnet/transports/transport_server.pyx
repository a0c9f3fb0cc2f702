"""TransportServer: makes a Transport of every connection that its listeners accept, and counts those that are open.

How it comes to listen is the business of serving; what programs see of it, that of Server.
"""

from cpython.object cimport PyObject

from uvnet._accept.counting cimport statistics_of
from uvnet._accept.intake cimport Intake, IntakeEvents, new_intake
from uvnet._accept.limits cimport Limits
from uvnet._accept.listener cimport DropReason, Lease, Listener
from uvnet._loop.context cimport PyContext_Enter, PyContext_Exit, copy_context, copy_of_context
from uvnet._loop.handle cimport user_of
from uvnet._loop.record cimport no_record
from uvnet._loop.threads cimport get_generic, guard_attributes, set_generic
from uvnet._loop.tick cimport report
from uvnet._stream.stream cimport Stream
from uvnet._uv.table cimport sockaddr
from uvnet.addresses.blocklist cimport BlockList
from uvnet.addresses.sockaddr cimport sockaddr_storage
from uvnet.errors.system cimport descriptor_lost, system_error
from uvnet.transports.secure_transport cimport SecureTransport, attach_secure, new_secure_transport
from uvnet.transports.transport cimport Transport, new_transport
from uvnet.transports.transport_events cimport attach
from uvnet.transports.transport_options cimport TransportOptions

from uvnet._accept.statistics import Connections
from uvnet._loop.loop import record_of
from uvnet.transports.base_transport import transports_of


cdef class TransportServer:
    """The accepting half of a Server; not made by users."""

    def __cinit__(self, *args, **kwargs):
        self.record = no_record
        self._intake = new_intake(no_record, &_events)

    def __init__(self, loop, protocol_factory, tls_options, *, max_connections, BlockList block_list, on_drop,
                 header_options, Limits limits, TransportOptions transport_options not None):
        self._tls_options = tls_options
        self.record = self._intake.record = record_of(loop)
        self._factory = protocol_factory
        self._context = copy_context()
        self._options = transport_options
        self._on_drop = on_drop
        self._intake.refuse_from(block_list)
        self._intake.limit_by(limits)
        self._intake.expect_headers(header_options)
        self._intake.filter.most = -1 if max_connections is None else max_connections
        self._intake.filter.tells_drops = on_drop is not None

    @property
    def connections(self):
        """A Connections view of the transports that are open: their number, and themselves to iterate over.

        This is not in asyncio.
        """
        return Connections(self)

    def statistics(self):
        """A ServerStatistics: what the server has had to do with until now.  May be called in any thread, with a GIL.

        This is not in asyncio.
        """
        return statistics_of(self._intake)

    @property
    def dropped(self):
        """How many connections were closed at once, by the reason: a new dict.  This is not in asyncio."""
        return self._intake.dropped()

    def _listen(self, listening, int backlog, bint given, Lease lease):
        """Listen on a bound socket.socket, which stays the caller's; `given`: by somebody who may still close it.

        `lease`: the right to it, where it is another process's, or None.
        """
        cdef int status = 0
        if self._intake.listen(
            self, listening.fileno(), listening.family, backlog, given, &status, lease
        ) is None:
            raise system_error(status, "listen")

    def _stop_listening(self):
        cdef Listener listener
        for listener in list(self._intake.listeners):
            self._intake.release(listener)

    def _cut_stages(self):
        self._intake.cut_stages()

    def _connection_count(self):
        return self._intake.filter.connections

    def _open_connections(self):
        # Those of the loop are kept already; a set of its own would cost a server some 100 bytes a connection.
        cdef Transport transport
        return [
            transport for transport in transports_of(self.record.loop).values() if transport._server is self
        ]

    def _transport_gone(self):
        self._intake.gone()
        self._connection_gone()

    def _connection_gone(self):
        """For subclasses."""

    cdef int _accept(self, Stream handle, const sockaddr_storage *remote, const sockaddr_storage *local,
                     object header) except -1:
        cdef Transport transport = None
        cdef object context = copy_of_context(self._context)
        PyContext_Enter(context)
        try:
            try:
                transport = self._new_transport(context)
                if self._tls_options is None:
                    attach(transport, handle)
                else:
                    attach_secure(<SecureTransport>transport, handle)
                transport.remember_names(remote, local)
                transport._proxy_header = header
            except BaseException as error:
                handle.owner = None
                handle.close()
                self._intake.gone()
                self._failed(error, "Error on transport creation for incoming connection")
                self._connection_gone()
                transport = None
            if transport is None:
                return 0
            transport._server = self
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
            return new_transport(self.record, self._factory(), context, self._options)
        secure = new_secure_transport(
            self.record, self._factory(), context, self._options, self._tls_options, True, None
        )
        secure._starts_reading = True
        return secure

    def _tls_failed(self, Transport transport not None, error):
        """TLS of one of its transports has failed, which closes it."""
        self._intake.tls_failed(
            self, transport._handle.fileno(), <const sockaddr_storage *>&transport._remote_name,
            <const sockaddr_storage *>&transport._local_name if transport._local_name.any.sa_family else NULL, error,
        )

    cdef int _failed(self, object error, str message) except -1:
        report(self.record, error, message, self)
        return 0


cdef int _on_connection(object owner, Stream stream, const sockaddr_storage *remote,
                        const sockaddr_storage *local, object header) except -1:
    return (<TransportServer>owner)._accept(stream, remote, local, header)


cdef int _on_gone(object owner) except -1:
    (<TransportServer>owner)._connection_gone()
    return 0


cdef int _on_drop(object owner, dict drop) except -1:
    cdef TransportServer self = <TransportServer>owner
    PyContext_Enter(self._context)
    try:
        self._on_drop(drop)
    except BaseException as error:
        self._failed(error, "exception in on_drop()")
    finally:
        PyContext_Exit(self._context)
    return 0


cdef int _on_cut(Intake intake, Stream stream, DropReason reason) except -1:
    cdef Transport transport
    cdef object user = user_of(stream)
    if not isinstance(user, Transport):
        return 0
    transport = <Transport>user
    intake.cut(
        transport._server, reason, stream.base().fileno(), <const sockaddr *>&transport._remote_name,
        <const sockaddr *>&transport._local_name,
    )
    transport.abort()
    return 0


cdef int _on_trouble(object owner, object error) except -1:
    return (<TransportServer>owner)._failed(error, "accept() failed")


cdef int _on_lost(object owner, Listener listener) except -1:
    return (<TransportServer>owner)._failed(descriptor_lost("accept"), "somebody else has closed a listening socket")


cdef int _on_abandoned(object owner) except -1:
    """The loop is gone: the sockets stay their objects'."""
    (<TransportServer>owner)._stop_listening()
    return 0


cdef IntakeEvents _events
_events.on_connection = _on_connection
_events.on_gone = _on_gone
_events.on_drop = _on_drop
_events.on_cut = _on_cut
_events.on_trouble = _on_trouble
_events.on_lost = _on_lost
_events.on_abandoned = _on_abandoned


cdef object _get_attribute(object self, object name):
    (<TransportServer>self).record.check_attribute(name)
    return get_generic(self, name)


cdef int _set_attribute(object self, object name, PyObject *value) except -1:
    (<TransportServer>self).record.check_attribute(name)
    return set_generic(self, name, value)


guard_attributes(TransportServer, _get_attribute, _set_attribute)
