# What include/uvnet/threads.h has for extension modules.

from cpython.object cimport PyObject

cdef extern from "uvnet/threads.h" nogil:
    bint FREE_THREADED "UVNET_FREE_THREADED"
    void add_to "uvnet_add_to" (Py_ssize_t counter, Py_ssize_t change)
    void add_without_gil "uvnet_add_without_gil" (Py_ssize_t counter, Py_ssize_t change)

cdef extern from "uvnet/threads.h":
    bint is_unshared "uvnet_is_unshared" (PyObject *object)
    PyObject *look_up "uvnet_look_up" (dict dictionary, object key) except? NULL
    void found_is_taken "uvnet_found" (PyObject *found)
    void publish "uvnet_publish" ()
    ctypedef object (*get_attribute)(object, object)
    ctypedef int (*set_attribute)(object, object, PyObject *) except -1
    void guard_attributes "uvnet_guard_attributes" (type cls, get_attribute get, set_attribute set)
    int set_generic "PyObject_GenericSetAttr" (object, object, PyObject *) except -1
    object get_generic "PyObject_GenericGetAttr" (object, object)

# dict.get() where other threads may change the dictionary: what Cython makes of that takes its reference too late.
cdef inline object stored(dict dictionary, object key):
    cdef PyObject *found = look_up(dictionary, key)
    if found is NULL:
        return None
    value = <object>found
    found_is_taken(found)
    return value
