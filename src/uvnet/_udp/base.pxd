from uvnet._loop.handle cimport Handle, Intermediary
from uvnet._loop.record cimport LoopRecord
from uvnet._uv.table cimport uv_poll_t

# The socket; it owns its descriptor.
cdef class DatagramSocket(Handle):
    cdef int descriptor              # -1 once it is closed

    cdef inline uv_poll_t *uv_poll(self) noexcept:
        return <uv_poll_t *>self.uv_handle

cdef class DatagramBase(Intermediary):
    cdef LoopRecord record
    cdef DatagramSocket socket       # None before bind(), and again once it has closed
    cdef object on_datagrams         # both None once it is closed
    cdef object on_error
    cdef object user                 # see on_behalf_of()
    cdef object context              # in which the callbacks run
    cdef int family                  # AF_INET or AF_INET6
    cdef bint closed                 # close() was called
    cdef bint referenced
    cdef bint segments               # the kernel cuts up what is sent
    cdef list closing                # what close() was given, to be called

    # For subclasses.
    cdef DatagramSocket open_socket(self)
    cdef int watch(self) noexcept
    cdef int forget(self) except -1
    cdef int call(self, object callback, tuple arguments) except -1
    cdef int tell_error(self, int status, tuple remote) except -1
