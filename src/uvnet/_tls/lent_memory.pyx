"""LentMemory: memory of C's as an argument of one call, without an object being made for it.

Each loop has one, which shows what was lent last, and that once: who gets hold of it in another way finds nothing.
"""

from uvnet._loop.record cimport LoopRecord


cdef class LentMemory:
    """A bytes-like object."""

    def __getbuffer__(self, Py_buffer *view, int flags):
        view.buf = self.base
        view.len = self.size
        view.obj = self
        view.readonly = self.readonly
        view.itemsize = 1
        view.ndim = 1
        view.format = NULL
        view.shape = &view.len
        view.strides = &view.itemsize
        view.suboffsets = NULL
        view.internal = NULL
        self.base = NULL
        self.size = 0


cdef LentMemory memory_of(LoopRecord record):
    if record.lent_memory is None:
        record.lent_memory = LentMemory.__new__(LentMemory)
    return record.lent_memory


cdef tuple arguments_of(LoopRecord record):
    if record.lent_arguments is None:
        record.lent_arguments = (RECORD, memory_of(record))
    return record.lent_arguments
