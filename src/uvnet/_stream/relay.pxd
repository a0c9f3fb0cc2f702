from uvnet._loop.handle cimport HandleBlock
from uvnet._stream.kernel_pipe cimport KernelPipe, PipePool
from uvnet._stream.low_water cimport LowWaterMark
from uvnet._stream.stream cimport Stream
from uvnet._uv.table cimport uv_loop_t

cdef struct RelayWrite

# From one stream to another; it lives from start_relay() to stop_relay().
cdef struct Relay:
    HandleBlock *source
    HandleBlock *sink
    uv_loop_t *uv_loop
    PipePool *pool
    RelayWrite *waiting      # what libuv has of it for the sink, or NULL; then the source is not read
    KernelPipe pipe          # reader -1 outside of callbacks, unless data waits in it
    LowWaterMark low_water   # of the source
    bint splices             # data comes so fast that it goes through a kernel pipe
    int full_reads           # in a row: reads that filled the buffer
    int small_moves          # in a row: moves that would have been cheaper as copies
    bint copies_only         # splice(2) does not work between these two

cdef bint start_relay(Stream source, Stream sink) except -1
cdef tuple stop_relay(Stream source)
cdef void drop_relay(Stream source) noexcept
cdef bint relay_is_waiting(HandleBlock *sink) noexcept
cdef size_t relay_level(HandleBlock *sink) noexcept
