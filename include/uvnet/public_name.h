/* The name by which a class is known: "uvnet.Socket", wherever its module lies.
 *
 * Tracebacks, repr(), pickles and documentation show __module__, which a type that was made in C takes from its
 * tp_name, and one that was made from a PyType_Spec from its dictionary.  Python code can change neither.
 */
#ifndef UVNET_PUBLIC_NAME_H
#define UVNET_PUBLIC_NAME_H

#include <Python.h>

/* `name` is a literal, as it must outlive the type: a dot, and the class's own name behind it.  0, or -1 with an
 * exception. */
static int uvnet_public_name(PyTypeObject *type, const char *name)
{
    PyObject *module;
    int status;
    if (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
        type->tp_name = name;
        return 0;
    }
    module = PyUnicode_FromStringAndSize(name, strrchr(name, '.') - name);
    if (module == NULL)
        return -1;
    status = PyDict_SetItemString(type->tp_dict, "__module__", module);
    Py_DECREF(module);
    PyType_Modified(type);
    return status;
}

#endif
