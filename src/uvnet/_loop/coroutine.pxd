cdef extern from *:
    """
    static int uvnet_may_be_awaited(PyObject *object)
    {
        PyAsyncMethods *methods = Py_TYPE(object)->tp_as_async;
        return methods != NULL && methods->am_await != NULL;
    }
    """
    bint uvnet_may_be_awaited(object value)

cdef bint is_real_coroutine(object result) except -1
cdef inline bint is_coroutine(object result) except -1:
    """What a callback has returned is to be given to start_coroutine()."""
    return uvnet_may_be_awaited(result) and is_real_coroutine(result)

cdef int start_coroutine(object loop, object coroutine, object owner, object failed) except -1
cdef list running_coroutines()
