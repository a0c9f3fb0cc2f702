"""include/uvnet/uv_abi.h against every real uv.h found: prototypes, callback types, constants, sizes.

A real header is looked for in UVNET_UV_INCLUDE (a directory) and in the usual places.  It need not be of
the libuv in use, because libuv freezes its ABI within version 1; so what the header says about sizes is
also compared with what the libuv inside uvloop answers.  Optional functions that an older uv.h lacks are
left out of its check, see `missing_optional`.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import uvloop.loop

INCLUDE = Path(__file__).resolve().parent.parent / "include"
ABI_HEADER = INCLUDE / "uvnet" / "uv_abi.h"
PLACES = [
    *filter(None, [os.environ.get("UVNET_UV_INCLUDE")]),
    "/usr/include",
    "/usr/include/node",
    "/usr/local/include",
    "/usr/local/include/node",
    "/opt/homebrew/include",
    "/opt/homebrew/include/node",
]
REAL = [place for place in map(Path, PLACES) if (place / "uv.h").is_file()]
COMPILER = shutil.which(os.environ.get("CC", "cc"))
# Python.h defines _GNU_SOURCE wherever the header is used otherwise.
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"]

# Whose size: the constant of libuv, the type.
HANDLES = {"TCP": "uv_tcp_t", "NAMED_PIPE": "uv_pipe_t", "TIMER": "uv_timer_t", "PREPARE": "uv_prepare_t"}
REQUESTS = {
    "CONNECT": "uv_connect_t",
    "WRITE": "uv_write_t",
    "SHUTDOWN": "uv_shutdown_t",
    "GETADDRINFO": "uv_getaddrinfo_t",
}

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler (Debian package gcc)")
needs_header = pytest.mark.skipif(not REAL, reason="no uv.h (Debian package libuv1-dev)")


@pytest.fixture(params=REAL or [None], ids=str)
def real(request: pytest.FixtureRequest) -> Path:
    """A directory with a real uv.h."""
    assert isinstance(request.param, Path)
    return request.param


def compiler(*arguments: str | Path, source: str) -> subprocess.CompletedProcess[str]:
    """Run the C compiler on `source`."""
    assert COMPILER is not None
    return subprocess.run(
        [COMPILER, *FLAGS, *map(str, arguments), "-x", "c", "-"],
        input=source,
        capture_output=True,
        text=True,
        timeout=60,
    )


def against(real: Path, abi: Path = INCLUDE) -> list[str]:
    """Compiler arguments that put our header together with the real one."""
    return ["-DUVNET_UV_ABI_CHECK", f"-I{abi}", f"-isystem{real}"]


def functions(abi: Path = INCLUDE) -> dict[str, str]:
    """Each name in the list of functions, without "uv_", and REQUIRED or OPTIONAL."""
    listed = compiler(
        "-E", "-P", f"-I{abi}",
        source="#include <uvnet/uv_abi.h>\n"
        "#define LIST(requirement, name, result, parameters) @ requirement name @\n"
        "UVNET_UV_FUNCTIONS(LIST)\n",
    )  # fmt: skip
    assert listed.returncode == 0, listed.stderr
    return {name: need for need, name in re.findall(r"@ (\w+) (\w+) @", listed.stdout)}


def missing_optional(real: Path) -> set[str]:
    """The optional functions that the real header does not declare."""
    preprocessed = compiler("-E", f"-isystem{real}", source="#include <uv.h>\n")
    assert preprocessed.returncode == 0, preprocessed.stderr
    declared = set(re.findall(r"\buv_(\w+)\s*\(", preprocessed.stdout))
    return {
        name for name, need in functions().items() if need == "OPTIONAL" and name not in declared
    }


def own_types(text: str) -> str:
    """Assertions that the types our header writes down itself are those of the real header."""
    lines = []
    callbacks = re.findall(r"typedef ([\w ]+?)\s*\(\*(uv_\w+)\)(\([^;]*\));", text)
    assert len(callbacks) == text.count("(*uv_"), "a callback type that this test does not understand"
    for result, name, parameters in callbacks:
        lines += [
            f"typedef {result} (*own_{name}){parameters};",
            f"SAME((({name})0), own_{name}, {name});",
        ]
    for plain, name in re.findall(r"typedef (int) (uv_\w+);", text):
        if name.endswith("_type"):
            # An enum in the real header: of some integer type with the size of int.
            lines.append(f'_Static_assert(sizeof({name}) == sizeof({plain}), "{name}");')
        else:
            lines.append(f"SAME((({name})0), {plain}, {name});")
    opaque = re.findall(r"typedef struct uv_\w+_s \{ void \*data; \} (uv_\w+);", text)
    assert {*HANDLES.values(), *REQUESTS.values()} <= {*opaque}
    for name in opaque:
        lines.append(f'_Static_assert(offsetof({name}, data) == 0, "{name}.data");')
        lines.append(f"SAME((({name} *)0)->data, void *, {name}_data);")
    return "\n".join(lines)


def check_program(abi: Path, left_out: set[str]) -> str:
    """C source that compiles where our header and the real one agree, and prints what only running tells."""
    assignments = "\n".join(
        f"    table->{name} = &uv_{name};" for name in functions(abi) if name not in left_out
    )
    sizes = "\n".join(
        f'    printf("\\"{constant}\\": [%d, %zu], ", UVNET_UV_{constant}, sizeof({type_}));'
        for constant, type_ in {**HANDLES, **REQUESTS}.items()
    )
    return f"""
#include <stddef.h>
#include <stdio.h>
#include <uvnet/uv_abi.h>

#define SAME(value, type, name) \\
    _Static_assert(_Generic((value), type: 1, default: 0), #name " is not " #type)

#define CONSTANT(name, uv_name, value) _Static_assert((int)(name) == (int)(uv_name), #name);
UVNET_UV_CONSTANTS(CONSTANT)

{own_types((abi / "uvnet" / "uv_abi.h").read_text())}

SAME(((uv_buf_t *)0)->base, char *, uv_buf_t_base);
SAME(((uv_buf_t *)0)->len, size_t, uv_buf_t_len);
_Static_assert(offsetof(uv_buf_t, base) == 0, "uv_buf_t.base");
_Static_assert(offsetof(uv_buf_t, len) == sizeof(char *), "uv_buf_t.len");
_Static_assert(sizeof(uv_buf_t) == sizeof(char *) + sizeof(size_t), "uv_buf_t");

/* Compiled, never linked: a libuv to link with need not be there. */
#ifdef PROTOTYPES
void fill(uvnet_uv_functions *table);
void fill(uvnet_uv_functions *table)
{{
{assignments}
}}
#else
int main(void)
{{
    printf("{{");
{sizes}
    printf("\\"version\\": [%d, %d]}}", UV_VERSION_MAJOR, UV_VERSION_MINOR);
    return 0;
}}
#endif
"""


def compile_prototypes(
    real: Path, abi: Path, left_out: set[str]
) -> subprocess.CompletedProcess[str]:
    return compiler(
        *against(real, abi), "-DPROTOTYPES", "-fsyntax-only", source=check_program(abi, left_out)
    )


def run_program(real: Path, directory: Path) -> dict[str, list[int]]:
    """What the check program prints when it is built with a real header."""
    program = directory / "sizes"
    built = compiler(*against(real), "-o", program, source=check_program(INCLUDE, set()))
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([program], capture_output=True, text=True, timeout=60, check=True)
    printed: dict[str, list[int]] = json.loads(ran.stdout)
    return printed


def loaded_libuv() -> ctypes.CDLL:
    """The libuv inside uvloop, which must be loaded already."""
    library = ctypes.CDLL(uvloop.loop.__file__, mode=os.RTLD_NOW | os.RTLD_NOLOAD)
    library.uv_handle_size.restype = library.uv_req_size.restype = ctypes.c_size_t
    return library


def test_header_compiles_alone() -> None:
    compiled = compiler(
        f"-I{INCLUDE}", "-Wno-unused-function", "-fsyntax-only",
        source="#include <uvnet/uv_abi.h>\nuvnet_uv_functions table;\n",
    )  # fmt: skip
    assert compiled.returncode == 0, compiled.stderr


@needs_header
def test_prototypes_types_and_constants_agree(real: Path) -> None:
    compiled = compile_prototypes(real, INCLUDE, missing_optional(real))
    assert compiled.returncode == 0, compiled.stderr


@needs_header
def test_optional_functions_are_only_left_out_of_older_headers(real: Path, tmp_path: Path) -> None:
    """Otherwise a misspelt optional name would never be noticed."""
    library = loaded_libuv()
    in_use = [(number := library.uv_version()) >> 16, number >> 8 & 0xFF]
    if run_program(real, tmp_path)["version"] >= in_use:
        assert not missing_optional(real)
    for name in missing_optional(real):
        library.uv_version()
        assert hasattr(library, f"uv_{name}") or in_use < [1, 52], name


@needs_header
def test_sizes_agree_with_the_loaded_libuv(real: Path, tmp_path: Path) -> None:
    sizes = run_program(real, tmp_path)
    library = loaded_libuv()
    if sizes["version"][0] != library.uv_version() >> 16:
        pytest.skip(f"{real}/uv.h is of libuv {sizes['version'][0]}, which has another ABI")
    for constant in HANDLES:
        number, size = sizes[constant]
        assert library.uv_handle_size(number) == size, constant
    for constant in REQUESTS:
        number, size = sizes[constant]
        assert library.uv_req_size(number) == size, constant


@needs_header
@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ("tcp_nodelay, int, (uv_tcp_t *, int)", "tcp_nodelay, int, (uv_tcp_t *, long)", "tcp_nodelay"),
        ("X(REQUIRED, now, uint64_t,", "X(REQUIRED, now, int,", "now"),
        ("X(REQUIRED, accept,", "X(REQUIRED, accept_all,", "accept_all"),
        ("UV_TCP, 12)", "UV_TCP, 11)", "UVNET_UV_TCP"),
        ("UV_EOF, -4095)", "UV_EOF, -4094)", "UVNET_UV_EOF"),
        ("(*uv_connect_cb)(uv_connect_t *", "(*uv_connect_cb)(uv_write_t *", "uv_connect_cb"),
        ("typedef int uv_file;", "typedef int uv_file; typedef int uv_buf_t;", "uv_buf_t"),
    ],
)  # fmt: skip
def test_the_check_can_fail(tmp_path: Path, right: str, wrong: str, complaint: str) -> None:
    text = ABI_HEADER.read_text()
    assert text.count(right) == 1
    changed = tmp_path / "uvnet" / "uv_abi.h"
    changed.parent.mkdir()
    changed.write_text(text.replace(right, wrong))
    real = REAL[0]
    compiled = compile_prototypes(real, tmp_path, missing_optional(real))
    assert compiled.returncode != 0
    assert complaint in compiled.stderr
