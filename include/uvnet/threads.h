/* Threads: what has to be done where the interpreter has no global lock (GIL), and costs nothing where it has one.
 *
 * docs/internals.md, "Threads", says which state is whose.
 */
#ifndef UVNET_THREADS_H
#define UVNET_THREADS_H

#include <Python.h>

#ifdef Py_GIL_DISABLED
#define UVNET_FREE_THREADED 1
/* Relaxed: the numbers are only looked at, and nothing else is known by them. */
#define uvnet_add_to(counter, change) __atomic_fetch_add(&(counter), (change), __ATOMIC_RELAXED)
#else
#define UVNET_FREE_THREADED 0
#define uvnet_add_to(counter, change) ((counter) += (change))
#endif
/* The same for what loops count while they do not hold the GIL. */
#define uvnet_add_without_gil(counter, change) __atomic_fetch_add(&(counter), (change), __ATOMIC_RELAXED)

/* Whether nobody but the caller, who has one reference, knows the object: it may be changed in place. */
static inline int uvnet_is_unshared(PyObject *object)
{
#if !defined(Py_GIL_DISABLED)
    return Py_REFCNT(object) == 1;
#else
    int unshared;
#if PY_VERSION_HEX >= 0x030E0000
    unshared = PyUnstable_Object_IsUniquelyReferenced(object);
#else
    /* Another thread counts its references in ob_ref_shared, which is not 0 any more once one has. */
    unshared = _Py_IsOwnedByCurrentThread(object)
        && __atomic_load_n(&object->ob_ref_local, __ATOMIC_RELAXED) == 1
        && __atomic_load_n(&object->ob_ref_shared, __ATOMIC_RELAXED) == 0;
#endif
    /* What another thread has read in the object, before it let go of it, it reads before anything is written here:
     * letting go is a release, and this the acquire that belongs to it. On x86 neither is an instruction. */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return unshared;
#endif
}

/* What a dictionary has for a key, or NULL, with or without an exception; to be given back by uvnet_found(). With a GIL
 * it is borrowed, which spares the emitter of an event two changes of a count. */
static inline PyObject *uvnet_look_up(PyObject *dictionary, PyObject *key)
{
#if UVNET_FREE_THREADED
    PyObject *found = NULL;
    PyDict_GetItemRef(dictionary, key, &found);
    return found;
#else
    return PyDict_GetItemWithError(dictionary, key);
#endif
}

static inline void uvnet_found(PyObject *found)
{
#if UVNET_FREE_THREADED
    Py_DECREF(found);
#else
    (void)found;
#endif
}

/* What was made before is whole for every thread that sees what is stored after. */
static inline void uvnet_publish(void)
{
#if UVNET_FREE_THREADED
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

typedef PyObject *(*uvnet_get_attribute)(PyObject *, PyObject *);
typedef int (*uvnet_set_attribute)(PyObject *, PyObject *, PyObject *);

/* Without a GIL attributes of the objects of a class, and so its methods, are got and set by these functions; classes
 * that are derived from it afterwards inherit them. */
static inline void uvnet_guard_attributes(PyTypeObject *type, uvnet_get_attribute get, uvnet_set_attribute set)
{
#if UVNET_FREE_THREADED
    type->tp_getattro = get;
    type->tp_setattro = set;
    PyType_Modified(type);
#else
    (void)type, (void)get, (void)set;
#endif
}

#endif
