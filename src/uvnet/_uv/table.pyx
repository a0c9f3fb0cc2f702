"""The libuv functions that uvloop carries, resolved once when this module is imported.

Owns the table `uv` and the way from a uvloop loop to its `uv_loop_t *`; knows nothing of handles.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer

import os
import re

import uvloop
import uvloop.loop

cdef extern from "<dlfcn.h>" nogil:
    char *dlerror()


def _resolve(path: str) -> None:
    """Fill the table from the shared object at `path`, which must already be loaded.

    Raises ImportError, naming the missing function, when it carries no usable libuv.
    """
    cdef uvnet_uv_functions found
    cdef bytes encoded = os.fsencode(path)
    cdef void *library = uvnet_uv_open(encoded)
    cdef const char *missing
    version = getattr(uvloop, "__version__", "unknown")
    if library is NULL:
        reason = dlerror()
        raise ImportError(
            f"uvnet: cannot reach the libuv inside uvloop {version} at {path}: "
            f"{reason.decode(errors='replace')}"
        )
    missing = uvnet_uv_resolve(library, &found)
    if missing is not NULL:
        raise ImportError(
            f"uvnet: the libuv inside uvloop {version} has no function {missing.decode()}; "
            "install a newer uvloop"
        )
    global uv
    uv = found


def _check_version(version: str) -> None:
    """Raise ImportError for a uvloop that is older than what uvnet is made for; it may seem to work."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found and (int(found[1]), int(found[2])) < LOWEST:
        raise ImportError(
            f"uvnet needs uvloop {'.'.join(map(str, LOWEST))} or newer, and this is {version}: pip install -U uvloop"
        )


# As pyproject.toml says.
LOWEST = (0, 22)
_check_version(uvloop.__version__)
_resolve(uvloop.loop.__file__)


cdef uv_loop_t *loop_pointer(object loop) except NULL:
    # uvloop's libuv_get_loop_t_ptr() casts its argument unchecked.
    if not isinstance(loop, uvloop.loop.Loop):
        raise RuntimeError(
            f"uvnet needs a uvloop event loop, not {type(loop).__module__}.{type(loop).__qualname__}: "
            "run the program with uvnet.run(main()), uvloop.run(main()) or "
            "asyncio.Runner(loop_factory=uvloop.new_event_loop)"
        )
    return <uv_loop_t *>PyCapsule_GetPointer(uvloop.loop.libuv_get_loop_t_ptr(loop), NULL)


def libuv_version() -> str:
    """The version of the libuv in use, such as "1.52.1"."""
    return uv.version_string().decode()
