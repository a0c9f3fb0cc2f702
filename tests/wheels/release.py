"""Everything of a release that can be done without publishing it: `make release-check`.

    python tests/wheels/release.py          with the dependency group `release` installed

Builds source distribution and wheel twice, in folders of different names, from what git knows of, compares the bytes,
and looks at the first pair.  What passed is left in dist/, with a list of what is in the wheel (CycloneDX) beside it.
tests/project/test_release.py sees that each check can fail.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SMOKE = Path(__file__).with_name("smoke.py")
OUTPUT = PROJECT / "dist"
LARGEST = 1_500_000  # bytes of a wheel
LIMIT = 900  # seconds for one program
# What git knows of and a source distribution is not to have, and the other way round.
NOT_SHIPPED = (".github/", ".gitignore")
MADE = ("PKG-INFO", "setup.cfg", "src/uvnet.egg-info/")
# What setuptools writes beside the package.
METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt"}


def version(root: Path) -> str:
    """The version as pyproject.toml has it, which is where it is decided."""
    (found,) = re.findall(r'^version = "(.+)"$', (root / "pyproject.toml").read_text(), re.MULTILINE)
    return str(found)


def version_problems(root: Path) -> Iterator[str]:
    """Where another version is named, and whether the changelog and the classifiers fit it."""
    wanted = version(root)
    (own,) = re.findall(r'^__version__ = "(.+)"$', (root / "src/uvnet/__init__.py").read_text(), re.MULTILINE)
    if own != wanted:
        yield f"uvnet.__version__ is {own}, and pyproject.toml says {wanted}"
    if f"This is version {wanted}," not in (root / "README.md").read_text():
        yield f"README.md does not say that this is version {wanted}"
    section = re.search(rf"^## \[{re.escape(wanted)}\][^\n]*\n(.*?)(?=^## |\Z)", (root / "CHANGELOG.md").read_text(), re.M | re.S)
    if section is None:
        yield f"CHANGELOG.md has no section of {wanted}"
    elif not re.search(r"^- ", section[1], re.MULTILINE):
        yield f"the section of {wanted} in CHANGELOG.md is empty"
    stable = "Development Status :: 5 - Production/Stable" in (root / "pyproject.toml").read_text()
    if stable != bool(re.fullmatch(r"[1-9]\d*\.\d+\.\d+", wanted)):
        yield f"the classifier of the development status does not fit {wanted}"


def tree_problems(sdist: Path, tracked: Iterable[str]) -> Iterator[str]:
    """In what a source distribution is not what git knows of."""
    with tarfile.open(sdist) as archive:
        members = [member for member in archive.getmembers() if not member.isdir()]
    shipped = {member.name.partition("/")[2] for member in members}
    wanted = {name for name in tracked if not name.startswith(NOT_SHIPPED)}
    for name in sorted(wanted - shipped):
        yield f"{name} is not in the source distribution"
    for name in sorted(name for name in shipped - wanted if not name.startswith(MADE)):
        yield f"{name} is in the source distribution, and git does not know of it"


def foreign_problems(names: Iterable[str]) -> Iterator[str]:
    """What in a wheel is neither of the package nor written by setuptools; contents.py looks into the package."""
    for name in sorted(names):
        place, _, rest = name.partition("/")
        if place == "uvnet" or (re.fullmatch(r"uvnet-[^/]+\.dist-info", place) and rest in METADATA):
            continue
        yield f"{name} is not ours"


def wheel_problems(wheel: Path) -> Iterator[str]:
    size = wheel.stat().st_size
    if size > LARGEST:
        yield f"the wheel has {size} bytes, more than {LARGEST}"
    with zipfile.ZipFile(wheel) as archive:
        yield from foreign_problems(name for name in archive.namelist() if not name.endswith("/"))


def difference_problems(first: Path, second: Path) -> Iterator[str]:
    """Which files of two archives differ, or that only the archives themselves do."""
    if first.read_bytes() == second.read_bytes():
        return
    one, other = members(first), members(second)
    differing = sorted(name for name in {*one, *other} if one.get(name) != other.get(name))
    for name in differing or ["times, modes or order of its files"]:
        yield f"{first.name} is not reproducible: {name}"


def members(archive: Path) -> dict[str, bytes]:
    """The contents of a wheel or a source distribution."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(archive) as sdist:
        found = {member.name: sdist.extractfile(member) for member in sdist.getmembers() if member.isfile()}
        return {name: content.read() for name, content in found.items() if content is not None}


def audit_problems(shown: str) -> Iterator[str]:
    """What `auditwheel show` says against a wheel: libraries that the systems it is for do not have."""
    tags = re.findall(r'"((?:many|musl)linux_\d+_\d+_\w+)"', shown)
    if not tags:
        yield "auditwheel finds no tag for the wheel: " + " ".join(shown.split())
    else:
        print(f"    auditwheel: {tags[0]}")


def bill_of_materials(wheel: Path) -> str:
    """What a wheel holds, as CycloneDX: uvnet, made of the files that are in it, and what it asks pip to install."""
    from cyclonedx.model import HashAlgorithm, HashType
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import LicenseExpression
    from cyclonedx.output.json import JsonV1Dot6
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator
    from packageurl import PackageURL

    name, number = wheel.name.split("-")[:2]
    files = [
        Component(
            type=ComponentType.FILE,
            name=path,
            bom_ref=path,
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=hashlib.sha256(content).hexdigest())],
        )
        for path, content in sorted(members(wheel).items())
        if not path.endswith(("/", "/RECORD"))
    ]
    package = Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=number,
        bom_ref=f"{name}-{number}",
        purl=PackageURL("pypi", None, name, number),
        licenses=[LicenseExpression("MIT")],
    )
    bom = Bom(components=files)
    bom.metadata.component = package
    bom.register_dependency(package, files)
    text = json.loads(JsonV1Dot6(bom).output_as_string())
    # Neither a random number nor the time: the same wheel has the same list.
    text.pop("serialNumber", None)
    text["metadata"].pop("timestamp", None)
    written = json.dumps(text, indent=2, sort_keys=True) + "\n"
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(written)
    if wrong is not None:
        raise ValueError(f"the list of materials is not valid: {wrong}")
    return written


def run(*command: str | Path, cwd: Path = PROJECT, **environment: str) -> str:
    """What a program prints; its complaint is raised where it fails."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}:\n{done.stdout}{done.stderr}")
    return done.stdout


def tracked_files() -> list[str]:
    return [name for name in run("git", "ls-files", "-z").split("\0") if name]


def copy(place: Path, tracked: Iterable[str]) -> Path:
    for name in tracked:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, place / name)
    return place


def build(place: Path, date: str) -> tuple[Path, Path]:
    """Source distribution and, out of that, wheel, of the copy of the project in the folder `place`."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", place / "dist", cwd=place, SOURCE_DATE_EPOCH=date)
    (sdist,), (wheel,) = (place / "dist").glob("*.tar.gz"), (place / "dist").glob("*.whl")
    return sdist, wheel


def tool_problems(*command: str | Path) -> Iterator[str]:
    try:
        run(*command)
    except RuntimeError as error:
        yield str(error)


def installed_problems(wheel: Path, place: Path) -> Iterator[str]:
    """What is wrong with the wheel where nothing else is installed but what it asks for."""
    run(sys.executable, "-m", "venv", place)
    python = place / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "--only-binary", "uvloop", wheel)
    yield from tool_problems(python, "-I", SMOKE)


def main() -> int:
    failed = False

    def check(what: str, problems: Callable[[], Iterator[str]]) -> None:
        nonlocal failed
        print(f"==> {what}", flush=True)
        for problem in problems():
            failed = True
            print(f"    PROBLEM: {problem}", flush=True)

    with tempfile.TemporaryDirectory(prefix="uvnet-release-") as name:
        place = Path(name)
        check("one version, and the changelog has it", lambda: version_problems(PROJECT))
        tracked, date = tracked_files(), run("git", "log", "-1", "--format=%ct").strip()
        places = [copy(place / folder, tracked) for folder in ("one", "another-folder")]
        print("==> two builds", flush=True)
        (sdist, wheel), (again_sdist, again_wheel) = [build(folder, date) for folder in places]
        check("the source distribution is reproducible", lambda: difference_problems(sdist, again_sdist))
        check("the wheel is reproducible", lambda: difference_problems(wheel, again_wheel))
        check("the source distribution is the tree", lambda: tree_problems(sdist, tracked))
        check("the wheel holds only ours", lambda: wheel_problems(wheel))
        contents = Path(__file__).with_name("contents.py")
        check("the package in the wheel is whole", lambda: tool_problems(sys.executable, contents, wheel))
        tool = Path(sys.executable).parent
        check("twine", lambda: tool_problems(tool / "twine", "check", "--strict", sdist, wheel))
        check("check-wheel-contents", lambda: tool_problems(tool / "check-wheel-contents", wheel))
        if sys.platform == "linux":
            check("auditwheel", lambda: audit_problems(run(tool / "auditwheel", "show", wheel)))
        check("it installs and works", lambda: installed_problems(wheel, place / "clean"))
        if not failed:
            OUTPUT.mkdir(exist_ok=True)
            for old in OUTPUT.glob("uvnet-*"):
                old.unlink()
            for made in (sdist, wheel):
                shutil.copy2(made, OUTPUT)
            (OUTPUT / f"{wheel.stem}.cdx.json").write_text(bill_of_materials(wheel))
            print(f"{wheel.name}, {wheel.stat().st_size} bytes, and {sdist.name} are in {OUTPUT.name}/, ready")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
