"""Transport: an asyncio transport on a stream handle.

Joins an asyncio protocol above it to the handle below it, whose events come by way of transport_events.pyx; how a
connection comes about is the business of servers and connecting.  asyncio: "Transports and Protocols".
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE
from cpython.object cimport PyObject

from uvnet._loop.record cimport LoopRecord
from uvnet._uv.table cimport UVNET_UV_EOF
from uvnet.errors.system cimport system_error
from uvnet.transports.base_transport cimport TRANSPORT_CLOSING, TRANSPORT_MADE
from uvnet.transports.transport_options cimport TransportOptions
from uvnet.transports.write_transport cimport WriteTransport

cdef extern from *:
    """
    static PyObject *uvnet_call_received(PyObject *function, PyObject *protocol, PyObject *chunk, int is_method)
    {
        PyObject *arguments[2] = {protocol, chunk};
        return PyObject_Vectorcall(function, arguments + !is_method, is_method ? 2 : 1, NULL);
    }
    static int uvnet_raise_again(void) { return -1; }
    """
    # NULL: it has raised.  To have Cython look for that would cost as much as the call.
    PyObject *call_received "uvnet_call_received" (object function, object protocol, bytes chunk, bint is_method)
    int raise_again "uvnet_raise_again" () except -1
    void Py_DECREF(PyObject *result)

cdef extern from "Python.h":
    int get_buffer "PyObject_GetBuffer" (object exporter, BufferView *view, int flags) except -1
    void release_buffer "PyBuffer_Release" (BufferView *view)


cdef class Transport(WriteTransport):
    """What protocol.connection_made() is given; not made by users.  asyncio: "asyncio.Transport"."""

    def __dealloc__(self):
        self._release_view()

    # === asyncio.ReadTransport ===

    def is_reading(self):
        """Whether the protocol gets data.  asyncio: "ReadTransport.is_reading()"."""
        return self._state < TRANSPORT_CLOSING and self._reading and not self._end_received

    def pause_reading(self):
        """Give the protocol no data until resume_reading().  asyncio: "ReadTransport.pause_reading()"."""
        self.record.check()
        self._reading = False
        self._update_reading()

    def resume_reading(self):
        """Undo pause_reading(); harmless twice.  asyncio: "ReadTransport.resume_reading()"."""
        self.record.check()
        self._reading = True
        self._update_reading()

    # What asyncio's own transports and uvloop's have, and programs have found.

    @property
    def _paused(self):
        return not self._reading

    @property
    def _closing(self):
        return self._state >= TRANSPORT_CLOSING

    # === Reading ===

    cdef bint _asks(self) noexcept:
        """Whether the handle reads into what the protocol names."""
        return self._buffered

    cdef int _update_reading(self) noexcept:
        if self._handle is None:
            return 0
        if self._may_read and self._reading and not self._end_received and self._state == TRANSPORT_MADE:
            self._handle.ask_where(self._asks())
            self._handle.read_start()
        else:
            self._handle.read_stop()
        return 0

    cdef int _secured(self, object error) except -1:
        """TLS below it has begun, or failed."""
        return 0

    cdef int _received(self, bytes chunk, ssize_t nread) except -1:
        if nread > 0:
            return self._deliver_in_place(nread) if chunk is None else self._deliver(chunk)
        self._release_view()
        if nread == 0:
            return 0
        if nread == UVNET_UV_EOF:
            return self._end()
        return self._fail(system_error(<int>nread, "read"), "Fatal read error on socket transport")

    @cython.final
    cdef int _deliver(self, bytes chunk) except -1:
        """Give the protocol data."""
        cdef PyObject *result = call_received(self._data_received, self._protocol, chunk, self._is_method)
        if result is NULL:
            return self._delivery_failed()
        Py_DECREF(result)
        return 0

    cdef int _delivery_failed(self) except -1:
        try:
            raise_again()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._fail(error, "Fatal error: protocol.data_received() call failed.")
        return 0

    cdef int _deliver_in_place(self, Py_ssize_t length) except -1:
        """Tell the protocol that so much is in the buffer it has named."""
        self._release_view()
        try:
            self._protocol.buffer_updated(length)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._fail(error, "Fatal error: protocol.buffer_updated() call failed.")
        return 0

    cdef int _end(self) except -1:
        cdef object keep_open = True
        self._end_received = True
        try:
            keep_open = self._protocol.eof_received()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self._fail(error, "Fatal error: protocol.eof_received() call failed.")
        if not keep_open:
            self.close()
        return 0

    cdef int _wanted(self, char **base, size_t *size) except -1:
        """Ask the protocol where the next read goes."""
        base[0] = NULL
        size[0] = 0
        if self._wanted_buffer() is None:
            return 0
        if self._handle is None:
            # get_buffer() has closed the connection, or given it away.
            self._release_view()
        else:
            base[0] = <char *>self._view.buf
            size[0] = self._view.len
        return 0

    cdef object _wanted_buffer(self):
        """What get_buffer() gives, in `_view` until it is released; None where that is an error."""
        cdef object buffer = None
        try:
            buffer = self._protocol.get_buffer(-1)
            get_buffer(buffer, &self._view, PyBUF_WRITABLE)
            if self._view.len == 0:
                self._release_view()
                raise RuntimeError("get_buffer() returned an empty buffer")
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            # uvloop's error for it.
            failure = RuntimeError("unhandled error during calling user's get_buffer() method")
            failure.__cause__ = error
            self._fail(failure, "Fatal error: protocol.get_buffer() call failed.")
            buffer = None
        return buffer

    cdef int _release_view(self) noexcept:
        if self._view.obj is not NULL:
            release_buffer(&self._view)
        return 0


cdef Transport new_transport(LoopRecord record, object protocol, object context, TransportOptions options):
    """A transport that has no handle yet."""
    cdef Transport self = Transport.__new__(Transport)
    self.set_up(record, protocol, context, options)
    return self
