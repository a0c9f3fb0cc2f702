# What a socket does on a later tick, in the order of the classes that do it: see LoopEmitter._later().

cdef enum:
    # Readable
    STEP_CALL                # a function and its arguments, for policy in plain Python
    STEP_END
    STEP_FILL                # something was put back: go on reading
    # Flowing
    STEP_RESUME
    STEP_READABLE
    STEP_READ_MORE
    STEP_UPDATE_LISTENING
    # Writable
    STEP_WRITTEN             # one write of a gathered request, in its place in the tick queue
    STEP_AFTER_WRITE         # a request that was complete at once
    STEP_WRITE_FAILED
    STEP_CALL_BACK           # a callback and its error
    # Duplex
    STEP_FAIL_BUFFERED
    STEP_FINISH
    STEP_FINISH_IF_POSSIBLE
    STEP_ERROR
    STEP_ERROR_AWAITED       # the same, of which coroutines hear
    STEP_END_AFTER_PEER
    # Connection
    STEP_CLOSE
    STEP_CLOSE_WITH_ERROR
