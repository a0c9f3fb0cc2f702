"""The extension modules of uvnet are one file, and this is how Python finds them in it.

Each of them repeats what Cython needs everywhere, which one file has once. Importing looks for `PyInit_` and the last
part of a name in a file of that name, so what is in a file with others needs a finder of its own.
PEP 451; PEP 489.
"""

import sys
from importlib.machinery import ModuleSpec

from cpython.object cimport PyObject

# Written by setup.py: what there is.
cdef extern from "uvnet_modules.h":
    struct ModuleEntry "uvnet_module":
        const char *name
        PyObject *(*definition)() except NULL
    const ModuleEntry entries "uvnet_modules" []
    enum:
        COUNT "UVNET_MODULES"

cdef extern from "Python.h":
    ctypedef struct PyModuleDef:
        pass
    object PyModule_FromDefAndSpec(PyModuleDef *definition, object spec)
    int PyModule_ExecDef(object module, PyModuleDef *definition) except -1

cdef dict _numbers = {entries[index].name.decode(): index for index in range(COUNT)}

# Their full names.
MODULES = tuple(_numbers)


cdef PyModuleDef *_definition(str name) except NULL:
    return <PyModuleDef *>entries[<int>_numbers[name]].definition()


class _Modules:
    """Finds them, makes them and runs them; for sys.meta_path."""

    def find_spec(self, name, path=None, target=None):
        if name not in _numbers:
            return None
        spec = ModuleSpec(name, self, origin=__file__)
        spec.has_location = True
        return spec

    def create_module(self, spec):
        return PyModule_FromDefAndSpec(_definition(spec.name), spec)

    def exec_module(self, module):
        PyModule_ExecDef(module, _definition(module.__spec__.name))


# Behind the others: most imports are not of these.
sys.meta_path.append(_Modules())
