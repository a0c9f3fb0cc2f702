cdef extern from *:
    """
    static PyObject *uvnet_call_with(PyObject *function, PyObject *first, PyObject *second)
    {
        PyObject *arguments[2] = {first, second};
        return PyObject_Vectorcall(function, arguments, second == NULL ? 1 : 2, NULL);
    }
    """
    object call_with "uvnet_call_with" (object function, object first, object second)
    object call_with_alone "uvnet_call_with" (object function, object first, void *nothing)
    object PyObject_CallNoArgs(object callable)
    object PyObject_CallOneArg(object callable, object argument)

cdef class OwnMethod:
    cdef object function                 # takes the emitter before the arguments
    cdef bint builtin                    # it is a method of an extension type

    cdef object bound(self, object owner)

cdef object without_owner(object listener, object owner)

cdef inline object with_owner(object stored, object owner):
    """The listener that without_owner() was given, or its equal."""
    return (<OwnMethod>stored).bound(owner) if type(stored) is OwnMethod else stored

cdef inline object call_stored(object stored, object owner):
    if type(stored) is OwnMethod:
        return call_with_alone((<OwnMethod>stored).function, owner, NULL)
    return PyObject_CallNoArgs(stored)

cdef inline object call_stored_with(object stored, object owner, object argument):
    if type(stored) is OwnMethod:
        return call_with((<OwnMethod>stored).function, owner, argument)
    return PyObject_CallOneArg(stored, argument)
