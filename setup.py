"""Extension modules only; everything else about the project is in pyproject.toml.

Switches, by environment variable:
  UVNET_DEBUG=1      assertions on, Cython's own checks on, no optimisation
  UVNET_SANITIZE=1   AddressSanitizer and UndefinedBehaviorSanitizer
  UVNET_COVERAGE=1   line tracing for coverage.py
  UVNET_ANNOTATE=1   an HTML page beside each .pyx that shows where Python is called
"""

import gzip
import os
import sys
import tarfile
from pathlib import Path

from Cython import __version__ as cython
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

sys.path.insert(0, str(Path(__file__).parent / "docs"))
from stub_docstrings import with_docstrings  # noqa: E402

SOURCE = Path("src")
SWITCHES = {
    name: os.environ.get(f"UVNET_{name}", "0") not in ("", "0")
    for name in ("DEBUG", "SANITIZE", "COVERAGE", "ANNOTATE")
}
DEBUG, SANITIZE, COVERAGE, ANNOTATE = SWITCHES.values()
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
    # More takes the compiler twice as long: of code that runs once for a connection, and of instrumented code, whose
    # reports would be harder to read.
    compile_flags += ["-O1", "-g1" if SANITIZE else "-g0"]
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


def extension(path: Path) -> Extension:
    """The extension module made from one .pyx file."""
    name = ".".join(path.relative_to(SOURCE).with_suffix("").parts)
    often = name.removeprefix("uvnet.") in OFTEN and not DEBUG and not SANITIZE
    return Extension(
        name,
        [str(path)],
        include_dirs=["include"],
        define_macros=macros,
        # The last one counts.
        extra_compile_args=[*compile_flags, *(["-O3"] if often else [])],
        extra_link_args=link_flags,
        libraries=["dl"] if os.uname().sysname == "Linux" else [],
        depends=["setup.py", *(str(header) for header in sorted(Path("include").rglob("*.h")))],
    )


def translated_otherwise() -> bool:
    """Whether C files are older than this one or of another Cython: cythonize() compares them with their sources alone."""
    changed = Path(__file__).stat().st_mtime
    for path in Path(BUILD, "cython").rglob("*.c"):
        with path.open() as lines:
            if path.stat().st_mtime < changed or f" Cython {cython} " not in next(lines, ""):
                return True
    return False


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


setup(
    ext_modules=cythonize(
        [extension(path) for path in sorted(SOURCE.rglob("*.pyx"))],
        include_path=[str(SOURCE)],
        compiler_directives=directives,
        annotate=ANNOTATE,
        force=translated_otherwise(),
        build_dir=f"{BUILD}/cython",
        nthreads=os.cpu_count() or 1,
    ),
    cmdclass={"build_py": BuildPython, "sdist": SourceDistribution},
    options={"build": {"build_base": BUILD}, "build_ext": {"parallel": os.cpu_count()}},
)
