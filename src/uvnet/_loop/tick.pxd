from uvnet._loop.record cimport LoopRecord, PyThread_get_thread_ident, tick_function

cdef int later(LoopRecord record, tick_function run, object target, object argument, int step) except -1
cdef void drain(LoopRecord record) noexcept
cdef void drop_ticks(LoopRecord record) noexcept
cdef void report(LoopRecord record, object error, str message, object source, object connection=*) noexcept
cdef void report_unheard(LoopRecord record, object error, object source) noexcept

cdef inline void enter(LoopRecord record) noexcept:
    record.depth += 1
    # A loop may be made in one thread and run in another; where libuv calls us is where it runs.
    record.hold.thread_id = PyThread_get_thread_ident()

cdef inline void leave(LoopRecord record) noexcept:
    if record.depth == 1 and (record.tick_count or record.first_gathering is not NULL):
        drain(record)
    record.depth -= 1
