"""The extension modules only; everything else about the project is in pyproject.toml.

All are one file, which src/uvnet/_extension.pyx finds them in.

Switches, by environment variable:
  UVNET_DEBUG=1      assertions on, Cython's own checks on, no optimisation
  UVNET_SANITIZE=1   AddressSanitizer and UndefinedBehaviorSanitizer
  UVNET_COVERAGE=1   line tracing for coverage.py
  UVNET_ANNOTATE=1   an HTML page beside each .pyx that shows where Python is called
"""

import gc
import gzip
import os
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from Cython import __version__ as cython
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist
from setuptools.errors import CCompilerError

sys.path.insert(0, str(Path(__file__).parent / "docs"))
from stub_docstrings import with_docstrings  # noqa: E402

SOURCE = Path("src")
SWITCHES = {
    name: os.environ.get(f"UVNET_{name}", "0") not in ("", "0")
    for name in ("DEBUG", "SANITIZE", "COVERAGE", "ANNOTATE")
}
DEBUG, SANITIZE, COVERAGE, ANNOTATE = SWITCHES.values()
OPTIMISE = not (DEBUG or SANITIZE)
# Neither C nor object files tell which switches made them, so every combination has its own.
BUILD = "build/" + ("-".join(name.lower() for name, on in SWITCHES.items() if on) or "release")

# A source distribution has the date of what it was made from, and what is built from it has that date too.
if Path("PKG-INFO").exists():
    os.environ.setdefault("SOURCE_DATE_EPOCH", str(int(Path("PKG-INFO").stat().st_mtime)))

# What every message, datagram or event passes, and what is asked in loops. docs/internals.md has what it is worth.
OFTEN = {
    "_accept.crc32c",
    *(f"_loop.{name}" for name in ("gil", "prepare", "record", "tick")),
    *(f"_stream.{name}" for name in ("file_sink", "relay", "stream", "write_request", "writer")),
    *(f"_tls.{name}" for name in ("engine", "records", "secure_stream", "secure_stream_events")),
    *(f"_udp.{name}" for name in ("datagram", "sender")),
    *(f"addresses.{name}" for name in ("blocklist", "coverage", "ip", "rules")),
    *(f"events.{name}" for name in ("emitter", "loop_emitter")),
    *(f"socket.{name}" for name in ("connection", "connection_events")),
    *(f"streams.{name}" for name in ("flowing", "lines", "readable", "receiving", "separating", "writable")),
    *(f"transports.{name}" for name in ("base_transport", "transport", "transport_events", "write_transport")),
}

compile_flags = ["-std=gnu11", "-Wall", "-Wno-unused-function", "-fvisibility=hidden"]
link_flags: list[str] = []
macros: list[tuple[str, str | None]] = []
if DEBUG:
    compile_flags += ["-O0", "-g3", "-UNDEBUG"]
    macros += [("UVNET_DEBUG", "1")]
else:
    # Size for code that runs once for a connection; little for instrumented code, whose reports would be harder to read.
    compile_flags += ["-O1", "-g1"] if SANITIZE else ["-Os", "-g0"]
    if not SANITIZE:
        # Also what the interpreter was built with has -g; users download neither symbols nor lines.
        link_flags += ["-Wl,-S,-x"] if os.uname().sysname == "Darwin" else ["-Wl,-s"]
    if os.uname().sysname == "Linux":
        # A message crosses into libpython, libuv and libc some twenty times.
        compile_flags += ["-fno-plt"]
if SANITIZE:
    sanitizers = "-fsanitize=address,undefined"
    compile_flags += [sanitizers, "-fno-omit-frame-pointer"]
    link_flags += [sanitizers]
if COVERAGE:
    macros += [("CYTHON_TRACE", "1")]

directives = {
    "language_level": 3,
    # Plain built-in methods: a call costs a third of that of a method object that is made to look like
    # a Python function, and clinic signatures keep inspect.signature() working.
    "binding": False,
    "embedsignature": True,
    "embedsignature.format": "clinic",
    # Python then says itself that an object with C fields cannot be pickled or copied, by the name of its class.
    "auto_pickle": False,
    "boundscheck": DEBUG,
    "wraparound": False,
    "initializedcheck": DEBUG,
    "nonecheck": DEBUG,
    "cdivision": True,
    # docs/internals.md, "Threads", says why that is so.
    "freethreading_compatible": True,
    "linetrace": COVERAGE,
}


def translated(path: Path) -> Extension:
    """What Cython is told of one .pyx file."""
    return Extension(".".join(path.relative_to(SOURCE).with_suffix("").parts), [str(path)])


def initializer(module: str) -> str:
    """The function that a module begins with: Cython names it by the last part alone, and two rooms have an `emitter`."""
    return "PyInit_" + module.replace(".", "__")


def write_table(path: Path, modules: list[str]) -> None:
    """Write what src/uvnet/_extension.pyx has of the other modules; not anew where it is the same."""
    text = "".join(
        [
            "#include <Python.h>\n",
            *(f"PyObject *{initializer(module)}(void);\n" for module in modules),
            "struct uvnet_module { const char *name; PyObject *(*definition)(void); };\n",
            "static const struct uvnet_module uvnet_modules[] = {\n",
            *(f'    {{"{module}", {initializer(module)}}},\n' for module in modules),
            "};\n",
            f"enum {{ UVNET_MODULES = {len(modules)} }};\n",
        ]
    )
    if not path.exists() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def translated_otherwise() -> bool:
    """Whether C files are older than this one or of another Cython: cythonize() compares them with their sources alone."""
    changed = Path(__file__).stat().st_mtime
    for path in Path(BUILD, "cython").rglob("*.c"):
        with path.open() as lines:
            if path.stat().st_mtime < changed or f" Cython {cython} " not in next(lines, ""):
                return True
    return False


class BuildExtension(build_ext):
    """build_ext that compiles the parts of the extension module at the same time, and only those that have changed."""

    def build_extension(self, ext: Extension) -> None:
        flags = list(ext.extra_compile_args)
        if OPTIMISE and self.can_optimise_when_linking():
            # What Cython repeats in each module is there once then, which is a third of all.
            flags.append("-flto=auto")
            ext.extra_link_args.append("-flto=auto")
        Path(self.build_temp).mkdir(parents=True, exist_ok=True)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            objects = list(pool.map(lambda part: self.compiled(part, ext, flags), PARTS))
        self.compiler.link_shared_object(
            objects, self.get_ext_fullpath(ext.name), libraries=self.get_libraries(ext),
            export_symbols=self.get_export_symbols(ext), extra_postargs=ext.extra_link_args, build_temp=self.build_temp,
        )  # fmt: skip

    def compiled(self, part: Extension, ext: Extension, flags: list[str]) -> str:
        """The object file of one module."""
        name: str
        (name,) = self.compiler.object_filenames(part.sources, output_dir=self.build_temp)
        newest = max(Path(path).stat().st_mtime for path in (*part.sources, *ext.depends))
        if not self.force and Path(name).exists() and Path(name).stat().st_mtime > newest:
            return name
        macros = list(ext.define_macros)
        if part.name != ext.name:
            own = "PyInit_" + part.name.rpartition(".")[2]
            macros += [("CYTHON_NO_PYINIT_EXPORT", "1"), (own, initializer(part.name))]
        if part.name.removeprefix("uvnet.") in OFTEN and OPTIMISE:
            # The last one counts.
            flags = [*flags, "-O3"]
        self.compiler.compile(part.sources, self.build_temp, macros, ext.include_dirs, extra_postargs=flags)
        return name

    def can_optimise_when_linking(self) -> bool:
        """Whether the compiler and the linker can do that together."""
        with tempfile.TemporaryDirectory() as directory:
            source = Path(directory, "empty.c")
            source.write_text("int uvnet_empty;\n")
            try:
                objects = self.compiler.compile([str(source)], directory, extra_postargs=["-flto=auto", "-Werror"])
                self.compiler.link_shared_object(objects, f"{directory}/empty.so", extra_postargs=["-flto=auto"])
            except CCompilerError:
                print("without -flto: the compiler and the linker cannot do that together")
                return False
            return True


class BuildPython(build_py):
    """build_py that writes docstrings into stubs, and removes what an earlier build left of modules that are gone."""

    def run(self) -> None:
        super().run()
        stubs = {
            str(stub.relative_to(SOURCE)): (stub.read_text(), stub.with_suffix(".pyx").read_text())
            for stub in SOURCE.rglob("*.pyi")
        }
        for name, text in with_docstrings(stubs).items():
            Path(self.build_lib, name).write_text(text)
        wanted = {*self.get_outputs(include_bytecode=False), *self.get_finalized_command("build_ext").get_outputs()}
        for path in Path(self.build_lib).rglob("*"):
            if path.is_file() and str(path) not in wanted:
                path.unlink()


class SourceDistribution(sdist):
    """sdist whose bytes depend on the files and on SOURCE_DATE_EPOCH alone, where that is set."""

    def make_archive(self, base_name, format, root_dir=None, base_dir=None, owner=None, group=None) -> str:  # type: ignore[no-untyped-def]
        if "SOURCE_DATE_EPOCH" not in os.environ or format != "gztar" or root_dir is not None:
            return super().make_archive(base_name, format, root_dir, base_dir, owner, group)
        date = int(os.environ["SOURCE_DATE_EPOCH"])

        def dated(member: tarfile.TarInfo) -> tarfile.TarInfo:
            member.mtime = date
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            return member

        path = f"{base_name}.tar.gz"
        # With a name the header of gzip would have it.
        with (
            open(path, "wb") as file,
            gzip.GzipFile("", "wb", mtime=date, fileobj=file) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
        ):
            archive.add(base_dir, filter=dated)  # in the order of names
        return path


# What Cython makes of a module is garbage all at once, when it is written: a third of the time went into looking for it
# before. Each process of Cython's has 0.6 GB in the end.
gc.disable()
PARTS = cythonize(
    [translated(path) for path in sorted(SOURCE.rglob("*.pyx"))],
    include_path=[str(SOURCE)],
    compiler_directives=directives,
    annotate=ANNOTATE,
    force=translated_otherwise(),
    build_dir=f"{BUILD}/cython",
    nthreads=os.cpu_count() or 1,
)
gc.enable()
TABLE = Path(BUILD, "include", "uvnet_modules.h")
WHOLE = "uvnet._extension"
write_table(TABLE, [part.name for part in PARTS if part.name != WHOLE])

setup(
    ext_modules=[
        Extension(
            WHOLE,
            [source for part in PARTS for source in part.sources],
            include_dirs=["include", str(TABLE.parent)],
            define_macros=macros,
            extra_compile_args=compile_flags,
            extra_link_args=link_flags,
            libraries=["dl"] if os.uname().sysname == "Linux" else [],
            depends=["setup.py", str(TABLE), *(str(header) for header in sorted(Path("include").rglob("*.h")))],
        )
    ],
    cmdclass={"build_ext": BuildExtension, "build_py": BuildPython, "sdist": SourceDistribution},
    options={"build": {"build_base": BUILD}},
)
