"""The `onread` option: data goes straight into the user's buffer.  Node: "socket.connect(options)"; rule 2.16."""

from collections.abc import Mapping

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

from uvnet._loop.counters cimport counters
from uvnet._loop.threads cimport add_to

from uvnet.errors.codes import invalid_callback, invalid_type


# Collected in a cycle, Cython would clear `view` before it could be released.
@cython.no_gc_clear
cdef class BufferReader:
    """The buffer that is pinned while the socket may read into it, and whom to tell.

    Raises TypeError for anything but a mapping with `buffer` (writable, or a function that returns such) and
    `callback`.
    """

    def __cinit__(self, option):
        if not isinstance(option, Mapping):
            raise invalid_type("options.onread", "a mapping with buffer and callback", option)
        self.callback = option.get("callback")
        if not callable(self.callback):
            raise invalid_callback(self.callback, "options.onread.callback")
        buffer = option.get("buffer")
        if callable(buffer):
            self.next_buffer = buffer
            self.take_buffer()
            if not self.pinned:
                raise invalid_type("options.onread.buffer", "a function that returns a writable buffer", None)
        else:
            self._pin(buffer)

    def __dealloc__(self):
        self.release()

    def _pin(self, buffer):
        cdef Py_buffer view
        try:
            PyObject_GetBuffer(buffer, &view, PyBUF_WRITABLE)
        except (TypeError, BufferError):
            raise invalid_type("options.onread.buffer", "a writable bytes-like object", buffer) from None
        self.release()
        self.view = view
        self.pinned = True
        self.buffer = buffer
        add_to(counters.pinned, 1)

    cdef int take_buffer(self) except -1:
        """Ask for the next buffer; anything else than a buffer keeps the old one (rule 2.16.2)."""
        if self.next_buffer is not None:
            buffer = self.next_buffer()
            if isinstance(buffer, (bytearray, memoryview)):
                self._pin(buffer)
        return 0

    cdef void release(self) noexcept:
        if self.pinned:
            self.pinned = False
            add_to(counters.pinned, -1)
            PyBuffer_Release(&self.view)
