"""include/uvnet/uv_abi.h against every real uv.h found: prototypes, types, constants, sizes.

A real header is looked for in UVNET_UV_INCLUDE (a directory) and in the usual places.  It need not
be of the libuv in use, because libuv freezes its ABI within version 1; so what the header says about
sizes is also compared with what the libuv inside uvloop answers.  Optional functions that an older
uv.h lacks are left out of its check, see `missing_optional`.
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
from places import INCLUDE

ABI_HEADER = INCLUDE / "uvnet" / "uv_abi.h"
PLACES = [
    "/usr/include",
    "/usr/include/node",
    "/usr/local/include",
    "/usr/local/include/node",
    "/opt/homebrew/include",
    "/opt/homebrew/include/node",
]
REAL = [place for place in map(Path, PLACES) if (place / "uv.h").is_file()]
if "UVNET_UV_INCLUDE" in os.environ:
    # Whoever names a directory wants to hear that there is no uv.h in it.
    REAL.insert(0, Path(os.environ["UVNET_UV_INCLUDE"]))
COMPILER = shutil.which(os.environ.get("CC", "cc"))
# Python.h defines _GNU_SOURCE wherever the header is used otherwise.
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror"]
NEWEST_FUNCTION = 1 << 16 | 52 << 8  # uv_tcp_keepalive_ex, as uv_version() counts

# Whose size: the constant of libuv, the type.
HANDLES = {
    "TCP": "uv_tcp_t",
    "NAMED_PIPE": "uv_pipe_t",
    "TIMER": "uv_timer_t",
    "PREPARE": "uv_prepare_t",
    "CHECK": "uv_check_t",
    "POLL": "uv_poll_t",
}
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
    assert (real / "uv.h").is_file(), f"no uv.h in {real}"
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
    assert len(callbacks) == text.count("(*uv_"), "a callback that this test does not know"
    for result, name, parameters in callbacks:
        lines += [
            f"typedef {result} (*own_{name}){parameters};",
            f"SAME((({name})0), own_{name}, {name});",
        ]
    for plain, name in re.findall(r"typedef (?!struct)([\w ]+) (uv_\w+);", text):
        if name.endswith(("_type", "_option")):
            # An enum in the real header: of some integer type with the size of int.
            lines.append(f'_Static_assert(sizeof({name}) == sizeof({plain}), "{name}");')
        else:
            lines.append(f"SAME((({name})0), {plain}, {name});")
    opaque = re.findall(r"typedef struct uv_\w+_s \{ void \*data; \} (uv_\w+);", text)
    assert {*opaque} == {"uv_handle_t", "uv_stream_t", "uv_req_t"} | {
        *HANDLES.values(),
        *REQUESTS.values(),
    }, "a type whose size this test does not compare"
    for name in opaque:
        lines.append(f'_Static_assert(offsetof({name}, data) == 0, "{name}.data");')
        lines.append(f"SAME((({name} *)0)->data, void *, {name}_data);")
    return "\n".join(lines)


def check_program(abi: Path, left_out: set[str]) -> str:
    """C source that compiles where our header and the real one agree, and prints sizes when run."""
    prototypes = "\n".join(
        f"SAME(&uv_{name}, __typeof__(((uvnet_uv_functions *)0)->{name}), uv_{name});"
        for name in functions(abi)
        if name not in left_out
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
_Static_assert(
    offsetof(uv_stream_t, write_queue_size) == UVNET_UV_WRITE_QUEUE_SIZE_OFFSET, "write_queue_size"
);
SAME(((uv_stream_t *)0)->write_queue_size, size_t, uv_stream_t_write_queue_size);

{prototypes}

int main(void)
{{
    printf("{{");
{sizes}
    printf("\\"version\\": [%d, %d]}}", UV_VERSION_MAJOR, UV_VERSION_MINOR);
    return 0;
}}
"""


def check(real: Path, abi: Path) -> subprocess.CompletedProcess[str]:
    """Compile the check program, nothing more."""
    source = check_program(abi, missing_optional(real))
    return compiler(*against(real, abi), "-Wno-unused-function", "-fsyntax-only", source=source)


def run_program(real: Path, directory: Path) -> dict[str, list[int]]:
    """What the check program prints when it is built with a real header."""
    program = directory / "sizes"
    source = check_program(INCLUDE, missing_optional(real))
    built = compiler(*against(real), "-Wno-unused-function", "-o", program, source=source)
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
    compiled = check(real, INCLUDE)
    assert compiled.returncode == 0, compiled.stderr


def test_every_function_exists() -> None:
    """A misspelt optional name would be missing from every header, and from every libuv."""
    library = loaded_libuv()
    if library.uv_version() < NEWEST_FUNCTION:
        pytest.skip("the libuv in use lacks the newest of the optional functions")
    assert [name for name in functions() if not hasattr(library, f"uv_{name}")] == []


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
        ("tcp_nodelay, int, (uv_tcp_t *, int)", "tcp_nodelay, int, (uv_tcp_t *, long)", "nodelay"),
        ("X(REQUIRED, now, uint64_t,", "X(REQUIRED, now, int,", "now"),
        ("X(REQUIRED, poll_stop,", "X(REQUIRED, poll_halt,", "poll_halt"),
        ("UV_TCP, 12)", "UV_TCP, 11)", "UVNET_UV_TCP"),
        ("UV_EOF, -4095)", "UV_EOF, -4094)", "UVNET_UV_EOF"),
        ("(*uv_connect_cb)(uv_connect_t *", "(*uv_connect_cb)(uv_write_t *", "uv_connect_cb"),
        ("typedef int uv_os_fd_t;", "typedef long uv_os_fd_t;", "uv_os_fd_t"),
        ("(12 * sizeof(void *))", "(11 * sizeof(void *))", "write_queue_size"),
    ],
)  # fmt: skip
def test_the_check_can_fail(tmp_path: Path, right: str, wrong: str, complaint: str) -> None:
    text = ABI_HEADER.read_text()
    assert text.count(right) == 1
    changed = tmp_path / "uvnet" / "uv_abi.h"
    changed.parent.mkdir()
    changed.write_text(text.replace(right, wrong))
    compiled = check(REAL[0], tmp_path)
    assert compiled.returncode != 0
    assert complaint in compiled.stderr
