# What a stream tells its owner.

from uvnet._loop.handle cimport Handle
from uvnet._stream.write_request cimport WriteRequest

# Called with the GIL between enter() and leave(); an exception is reported.
cdef struct StreamEvents:
    # nread > 0: so many bytes, in `chunk` (None with own_buffer).  nread < 0: UV_EOF or an error.
    int (*on_read)(object owner, bytes chunk, ssize_t nread) except -1
    # Of a stream that asks: where the next read goes.  on_read follows without a chunk; 0: there was nothing to read.
    int (*on_wanted)(object owner, char **base, size_t *size) except -1
    # What was gathered has been handed over; request.state says how far it got.
    int (*on_sent)(object owner, WriteRequest request) except -1
    # A request that had to wait is done.
    int (*on_written)(object owner, WriteRequest request) except -1
    # Of a SecureStream: the handshake is over (None), or TLS cannot go on (an exception).
    int (*on_secured)(object owner, object error) except -1
    # Of a SecureStream that tells of tickets: something came, of which a part may be one.
    int (*on_ticket)(object owner) except -1
    int (*on_shutdown)(object owner, Handle stream, int status) except -1
    int (*on_connected)(object owner, Handle stream, int status) except -1
    # A relay from here is over: UV_EOF or an error came.  A relay to here is over: it cannot be written to.
    int (*on_relay_ended)(object owner, ssize_t nread) except -1
    int (*on_relay_lost)(object owner) except -1
    # Somebody else has closed the descriptor; the handle closes right after it.
    int (*on_lost)(object owner, Handle stream) except -1
    # How many bytes the owner has queued, with those that the stream has, or 0 where it keeps none.  It is asked that
    # outside of enter() and leave(), and makes no object.
    size_t (*queued)(object owner) noexcept
    # One of the above raised: user code did.
    int (*on_failed)(object owner, Handle stream, object error) except -1

cdef StreamEvents nothing_told
