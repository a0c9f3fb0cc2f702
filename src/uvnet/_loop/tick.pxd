from uvnet._loop.record cimport LoopRecord, tick_function

cdef void enter(LoopRecord record) noexcept
cdef void leave(LoopRecord record) noexcept
cdef int later(LoopRecord record, tick_function run, object target, object argument, int step) except -1
cdef void drain(LoopRecord record) noexcept
cdef void drop_ticks(LoopRecord record) noexcept
cdef void report(LoopRecord record, object error, str message, object source, object connection=*) noexcept
cdef void report_unheard(LoopRecord record, object error, object source) noexcept
