from uvnet._loop.handle cimport Handle
from uvnet._loop.record cimport GilHold, LoopRecord, PyThread_get_thread_ident

cdef extern from "Python.h" nogil:
    ctypedef int PyGILState_STATE
    PyGILState_STATE PyGILState_Ensure()
    void PyGILState_Release(PyGILState_STATE state)

cdef class Check(Handle):
    pass

cdef inline void hold_gil(GilHold *hold) noexcept nogil:
    """Take the GIL and keep it until the check phase.  Only for callbacks of the poll phase."""
    if not hold.held:
        hold.state = <int>PyGILState_Ensure()
        hold.held = True
        # A loop may be made in one thread and run in another.
        hold.thread_id = PyThread_get_thread_ident()

cdef Check open_check(LoopRecord record)
