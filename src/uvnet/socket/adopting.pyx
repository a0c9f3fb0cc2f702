# cython: nonecheck=True
# What is here for plain Python may be called on a socket that is not there yet, or any more.
"""Adopting: how a socket takes over a connection that somebody else has opened, and gives away its own.

Node: "new net.Socket(options)", options fd and handle; rules 2.2 and 1.7.
"""

import os
import socket as _socket_module
from collections import deque

from uvnet._loop.adopted cimport add_adopted, reserve_adopted
from uvnet._loop.descriptors cimport close_descriptor
from uvnet._loop.idle cimport idle_timers_of
from uvnet._stream.adopt cimport may_be_taken, open_for, take
from uvnet._stream.stream cimport Stream
from uvnet.errors.system cimport system_error
from uvnet.socket.connection_events cimport attach
from uvnet.socket.socket_parent cimport SocketParent
from uvnet.socket.tunable cimport Tunable
from uvnet.streams.readable cimport RELAY_FROM, RELAY_TO

from uvnet.errors.codes import (
    decoded_already,
    invalid_fd_type,
    invalid_type,
    out_of_range,
    socket_closed,
    still_sending,
)

_FD_TYPES = {14: "TTY", 15: "UDP", 17: "FILE"}     # libuv's handle types that are no streams of ours


cdef class Adopting(Tunable):
    """A connection that may change hands; not made by users."""

    def _adopt(self, given, options):
        """Take over an open descriptor.  What cannot be taken over stays as it is."""
        cdef int descriptor
        cdef int kind
        cdef int status
        cdef bint detached = False
        cdef Stream handle
        if isinstance(given, Adopting):
            self._inherit(<Adopting>given)
            return self._adopted(options)
        if isinstance(given, _socket_module.socket):
            descriptor = given.fileno()
        elif isinstance(given, bool) or not isinstance(given, int):
            raise invalid_type("options.fd", "of type int", given)
        elif not 0 <= given <= 0x7FFFFFFF:
            raise out_of_range("options.fd", ">= 0 and <= 2147483647", given)
        else:
            descriptor = given
        reserve_adopted(self.record)
        handle = open_for(self.record, descriptor, &kind)
        if handle is None:
            raise invalid_fd_type(_FD_TYPES.get(kind, "UNKNOWN"))
        try:
            if isinstance(given, _socket_module.socket):
                # From here on the descriptor has no owner but us.
                status = may_be_taken(self.record, descriptor)
                if status == 0:
                    _detach(given)
                    detached = True
            else:
                status = 0
            if status == 0:
                status = take(handle, descriptor)
            if status < 0:
                raise system_error(status, "open")
        except BaseException:
            handle.close()
            if detached:
                close_descriptor(descriptor)
            raise
        add_adopted(handle.block, descriptor)
        attach(self, handle)
        self._adopted(options)

    cdef int _inherit(self, Adopting other) except -1:
        """Take over the connection of another socket, with what it has received and nobody has read."""
        cdef object unread = None
        other.record.check()
        if other.record is not self.record:
            raise socket_closed()
        if other._decoder is None:
            unread = other._unread()
        # Nothing after it can fail.
        attach(self, other._give_away())
        if unread is not None:
            self._buffer = unread
            self._readable_length = other._readable_length
            other._forget_unread()
        if other._readable_ended:
            self._readable_ended = True
        return 0

    cdef object _unread(self):
        """What was received and nobody has read, as a deque, or None."""
        cdef object unread
        if not self._readable_length:
            return None
        unread = deque(self._buffer)
        unread[0] = unread[0][self._offset:]
        return unread

    cdef int _forget_unread(self) except -1:
        self._buffer = None
        self._offset = 0
        self._readable_length = 0
        return 0

    def _adopted(self, options):
        try:
            self._apply_options()
            self._set_system_options()
            if options.get("writable", True) is False:
                self._give_up_writing()
            if options.get("readable", True) is False:
                self._give_up_reading()
            else:
                self._read(0, False)
        except BaseException as error:
            # The connection is ours already.
            self._destroy_stream(error)

    cdef Stream _give_away(self):
        """The connection, for somebody else: this socket is left without one and says nothing more."""
        cdef Stream handle = self._handle
        self.record.check()
        if handle is None or self._connecting:
            raise socket_closed()
        self._leave_relays(RELAY_FROM | RELAY_TO)
        self._flush()
        if self._handle is not handle:
            raise socket_closed()
        if self._in_flight is not None or self._buffered or (self._ending and not self._finished):
            # Its callbacks would have nobody to call.
            raise still_sending()
        if self._counted:
            self._counted = False
            self._server._connection_gone()
        self._let_go()
        handle.renew()
        handle.leave_admission()
        self._parked_timeout = 0
        if self._idle is not NULL:
            idle_timers_of(self.record).stop(self._idle)
        return handle

    def _send_away(self):
        # For another process: the connection, which this socket is left without.
        cdef Parcel parcel = Parcel.__new__(Parcel)
        cdef bint counted = self._counted
        self.record.check()
        if self._decoder is not None and self._readable_length:
            raise decoded_already()
        parcel.unread = b""
        if self._readable_length:
            chunks = deque(self._buffer)
            chunks[0] = chunks[0][self._offset:]
            parcel.unread = b"".join(chunks)
        parcel._socket = self
        parcel.writable = not self._ending
        # It stays in its server's number of connections.
        self._counted = False
        try:
            parcel._handle = self._give_away()
        except BaseException:
            self._counted = counted
            raise
        if counted:
            parcel._server = self._server
        self._buffer = None
        self._offset = 0
        self._readable_length = 0
        return parcel

    def _connection_descriptor(self):
        return self._handle.fileno()

    def _received_before(self, bytes unread not None):
        # By the process that had the connection.
        if unread:
            self._buffer = deque((unread,))
            self._readable_length = len(unread)

    def _take_listening_sockets(self):
        # For server.listen(socket).  The handle closes the descriptor it has.
        cdef Stream handle
        self.record.check()
        if self._handle is None:
            raise socket_closed()
        descriptor = os.dup(self._handle.fileno())
        try:
            handle = self._give_away()
        except BaseException:
            os.close(descriptor)
            raise
        handle.close()
        return [descriptor], None, None


cdef class Parcel:
    """A connection that a socket has given up, and another process has not got yet."""

    def fileno(self):
        """The descriptor; -1 once it is over."""
        return -1 if self._handle is None else self._handle.fileno()

    def delivered(self):
        """The other process has it: the server that counts it until its end is known, or None."""
        cdef Stream handle = self._handle
        self._handle = None
        self._socket = None
        if handle is not None:
            handle.close()
        server, self._server = self._server, None
        return server

    def back(self):
        """Nobody got it: it is the socket's again, or closed where that has another connection by now."""
        cdef Stream handle = self._handle
        cdef Adopting socket = self._socket
        cdef SocketParent server = self._server
        self._handle = self._socket = self._server = None
        if handle is None:
            return
        if socket._handle is not None or socket._destroyed or socket.record.closed:
            handle.close()
            if server is not None:
                server._connection_gone()
            return
        attach(socket, handle)
        socket._counted = server is not None
        socket._server = server
        if self.unread:
            socket._buffer = deque((self.unread,))
            socket._readable_length = len(self.unread)
        socket._read(0, False)


cdef int _detach(object given) except -1:
    try:
        given.detach()
    except MemoryError:
        # It may have let go of the descriptor before it could not say which.
        if given.fileno() != -1:
            raise
    return 0
