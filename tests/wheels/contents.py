"""What a wheel holds: stubs, the public .pxd files and the typed marker; no C source, no symbols, and no libuv.

    python tests/wheels/contents.py dist/*.whl

tests/project/test_wheel.py asks the same of the installed package.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2] / "src"
EXTENSION = "uvnet/_extension"
SHIPPED = (".py", ".pyi", ".typed")
# What other extension modules may use.
PUBLIC_PXD = {"uvnet/__init__.pxd", "uvnet/addresses/blocking.pxd"}


def expected() -> set[str]:
    """The files that a wheel takes over from the source tree, as paths below the package's parent."""
    return {
        str(path.relative_to(SOURCE))
        for path in (SOURCE / "uvnet").rglob("*")
        if path.suffix in SHIPPED
    } | PUBLIC_PXD


def modules() -> set[str]:
    """The full names of the modules in Cython that the source tree has."""
    return {".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in (SOURCE / "uvnet").rglob("*.pyx")}


def problems(root: Path) -> Iterator[str]:
    """What is wrong with the package `uvnet` in the directory `root`, one sentence each."""
    files = {
        path.relative_to(root)
        for path in (root / "uvnet").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    texts = {str(path) for path in files if path.suffix != ".so"}
    for name in sorted(expected() - texts):
        yield f"{name} is missing"
    for name in sorted(texts - expected()):
        yield f"{name} should not be there"
    extensions = {str(path).split(".")[0]: root / path for path in files if path.suffix == ".so"}
    for name in sorted({EXTENSION} ^ set(extensions)):
        yield f"{name} is an extension module in one of source and wheel only"
    if EXTENSION in extensions:
        # It has a table of their names.
        content = extensions[EXTENSION].read_bytes()
        for name in sorted(modules() - {EXTENSION.replace("/", ".")}):
            if name.encode() + b"\0" not in content:
                yield f"{name} is not in the extension module"
    for name, path in sorted(extensions.items()):
        for found in uses_of_libuv(path):
            yield f"{name} is linked against libuv: {found}"


def uses_of_libuv(extension: Path) -> list[str]:
    """Libraries and undefined symbols of an extension module that belong to libuv."""
    if sys.platform == "darwin":
        tools = [["otool", "-L", str(extension)], ["nm", "-u", str(extension)]]
    else:
        tools = [["readelf", "--wide", "--dynamic", "--dyn-syms", str(extension)]]
    found = []
    for command in tools:
        if shutil.which(command[0]) is None:
            raise FileNotFoundError(f"{command[0]} is needed (Debian package binutils)")
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found += re.findall(r"libuv\S*|\b_?uv_\w+", output.replace(str(extension), ""))
    return sorted(set(found))


def has_symbols(extension: Path) -> bool:
    """Whether a debugger would find more in an extension module than what it needs to be loaded (ELF only)."""
    if sys.platform == "darwin":
        return False
    command = ["readelf", "--wide", "--sections", str(extension)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.search(r" \.(symtab|debug_\w+) ", output) is not None


def main(wheels: list[str]) -> int:
    failed = not wheels
    for wheel in wheels:
        with tempfile.TemporaryDirectory() as directory:
            zipfile.ZipFile(wheel).extractall(directory)
            found = list(problems(Path(directory)))
            extensions = sorted(Path(directory).rglob("*.so"))
            found += [f"{extension.name} is not stripped" for extension in extensions if has_symbols(extension)]
        for problem in found:
            print(f"{Path(wheel).name}: {problem}")
        if not found:
            print(f"{Path(wheel).name}: contents as they should be")
        failed = failed or bool(found)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
