"""OwnMethod: a listener that is a method of its own emitter, as in socket.on("data", socket.write).

A bound method holds its object.  Kept by that object it would be a cycle for each connection, and all that a
connection was made of would wait for the garbage collector.  So the emitter keeps the function alone, and gives
itself to it at each call.
"""

from types import MethodDescriptorType, MethodType

from cpython.object cimport PyObject

cdef extern from "Python.h":
    bint PyMethod_Check(object listener)
    PyObject *PyMethod_GET_SELF(object method)
    PyObject *PyMethod_GET_FUNCTION(object method)
    bint PyCFunction_CheckExact(object listener)
    PyObject *PyCFunction_GET_SELF(object builtin)
    void *PyCFunction_GET_FUNCTION(object builtin)

cdef object _Descriptor = MethodDescriptorType
cdef dict _builtin = {}                  # C function -> OwnMethod: a method is looked for in its class once


cdef class OwnMethod:
    """What an emitter keeps of its own method."""

    cdef object bound(self, object owner):
        """The method, equal to the one that it was made of."""
        return self.function.__get__(owner) if self.builtin else MethodType(self.function, owner)


cdef OwnMethod _new(object function, bint builtin):
    cdef OwnMethod self = OwnMethod.__new__(OwnMethod)
    self.function = function
    self.builtin = builtin
    return self


cdef object without_owner(object listener, object owner):
    """What `owner` is to keep of a listener: an OwnMethod, or the listener."""
    if PyMethod_Check(listener):
        if PyMethod_GET_SELF(listener) == <PyObject *>owner:
            return _new(<object>PyMethod_GET_FUNCTION(listener), False)
    elif PyCFunction_CheckExact(listener) and PyCFunction_GET_SELF(listener) == <PyObject *>owner:
        place = <size_t>PyCFunction_GET_FUNCTION(listener)
        found = _builtin.get(place)
        if found is not None:
            return found
        # A subclass may have another one by that name.
        for kind in type(owner).__mro__:
            function = kind.__dict__.get(listener.__name__)
            if type(function) is _Descriptor and function.__get__(owner) == listener:
                return _builtin.setdefault(place, _new(function, True))
    return listener
