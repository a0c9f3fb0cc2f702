"""The documentation says what is true: examples run, links lead somewhere, and nothing public is left out."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from document_block import Block, blocks_of
from places import DOCS, ROOT, SUPPORT

import uvnet
import uvnet.tls
from uvnet.server.listening import _LISTEN_OPTIONS, SERVER_OPTIONS
from uvnet.socket.options import CONNECT_OPTIONS, SOCKET_OPTIONS

README = ROOT / "README.md"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
LINKED = [*PAGES, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "bench" / "README.md"]
RUNNER = SUPPORT / "document_block.py"
PACKAGE_PARENT = Path(uvnet.__file__).parent.parent
LIMIT = 60  # seconds for one example

PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name) for module in (uvnet, uvnet.tls) for name in module.__all__
}
CLASSES = {name: found for name, found in PUBLIC.items() if isinstance(found, type)}
OPTIONS = SOCKET_OPTIONS | CONNECT_OPTIONS | SERVER_OPTIONS | _LISTEN_OPTIONS
SPOKEN = {
    "__aenter__",
    "__aexit__",
    "__aiter__",
    "__contains__",
}  # special methods that are documented


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _blocks() -> Iterator[pytest.param]:
    for page in PAGES:
        for block in blocks_of(page.read_text()):
            yield pytest.param(page, block, id=f"{_name(page)}:{block.line}")


@pytest.mark.parametrize(("page", "block"), list(_blocks()))
def test_example(page: Path, block: Block, tmp_path: Path) -> None:
    if block.not_run:
        pytest.skip(block.not_run)
    search = os.pathsep.join(filter(None, [str(PACKAGE_PARENT), os.environ.get("PYTHONPATH")]))
    process = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(RUNNER), str(page), str(block.line)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": search},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    # Whatever the loop reports goes there, too.
    assert process.stderr == ""
    assert process.returncode == 0


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_code_fits_beside_the_contents(page: Path) -> None:
    """Where a page is shown in columns, longer lines would have to be scrolled."""
    for block in blocks_of(page.read_text()):
        assert [line for line in block.code.splitlines() if len(line) > 78] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_python_block_is_seen(page: Path) -> None:
    assert len(list(blocks_of(page.read_text()))) == page.read_text().count("```python")


def _anchors(page: Path) -> set[str]:
    """What headings can be linked to, as GitHub and MyST name them."""
    text = re.sub(r"^```[\s\S]*?^```$", "", page.read_text(), flags=re.MULTILINE)
    titles = re.findall(r"^#{1,6} (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _without_code(page: Path) -> str:
    text = re.sub(r"^```(?!\{)[\s\S]*?^```$|`[^`\n]*`", "", page.read_text(), flags=re.MULTILINE)
    return re.sub(r"<!--[\s\S]*?-->", "", text)


def _links(page: Path) -> list[str]:
    """Where links and pictures lead, those with a label too."""
    text = _without_code(page)
    return re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"^\[[^\]]+\]: (\S+)$", text, re.MULTILINE)


def _file_behind(address: str) -> Path | None:
    """The file of the project that an absolute link shows; None for what is not the project's."""
    (source,) = re.findall(r'^Source = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    raw = source.replace("//github.com/", "//raw.githubusercontent.com/")
    for shown in (f"{source}/blob/main/", f"{source}/tree/main/", f"{raw}/main/"):
        if address.startswith(shown):
            found = ROOT / address.removeprefix(shown)
            assert found.is_dir() == ("/tree/" in shown), f"{address} is of another kind"
            return found
    assert not address.startswith(raw) and not re.match(rf"{source}/(?!issues$)", address), f"{address} shows no file"
    return None


@pytest.mark.parametrize("page", LINKED, ids=_name)
def test_links_lead_somewhere(page: Path) -> None:
    """Within the project, that is, whether they are relative or lead to where it is published."""
    for target in _links(page):
        place, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target):
            found = _file_behind(place)
            if found is None:
                continue
        else:
            found = page.parent / place if place else page
        assert found.exists(), target
        if anchor:
            assert anchor in _anchors(found), target


@pytest.mark.parametrize("page", LINKED, ids=_name)
def test_labels_of_links_are_those_there_are(page: Path) -> None:
    text = _without_code(page)
    used = re.findall(r"\]\[([^\]]+)\]", text)
    assert set(used) == set(re.findall(r"^\[([^\]]+)\]: ", text, re.MULTILINE))


def test_readme_can_be_read_elsewhere() -> None:
    """A package index shows it without the files beside it."""
    assert [target for target in _links(README) if not target.startswith("https://")] == []


def test_addresses_of_the_project_lead_somewhere() -> None:
    metadata = (ROOT / "pyproject.toml").read_text()
    shown = [_file_behind(address) for address in re.findall(r'= "(https:[^"]*/blob/[^"]*)"$', metadata, re.MULTILINE)]
    assert shown
    assert all(found is not None and found.is_file() for found in shown)


def test_readme_shows_the_chart_where_there_is_one() -> None:
    shown = [_file_behind(target) for target in _links(README)]
    assert (DOCS / "benchmarks.svg" in shown) == (DOCS / "benchmarks.svg").exists()


def test_the_command_that_drew_the_chart(tmp_path: Path) -> None:
    """As the README prints it, with its braces and stars, for a shell that knows them."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    (command,) = re.findall(r"`(python -m bench\.chart .*)`", README.read_text())
    assert command.endswith(" -o docs/benchmarks.svg")
    chart = tmp_path / "chart.svg"
    command = command.replace("python", shlex.quote(sys.executable), 1)
    command = command.replace("docs/benchmarks.svg", shlex.quote(str(chart)))
    subprocess.run([bash, "-c", command], cwd=ROOT, check=True, timeout=LIMIT)
    assert chart.read_text() == (DOCS / "benchmarks.svg").read_text()


def test_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) < 150


@pytest.mark.parametrize("option", sorted(OPTIONS))
def test_options_are_in_from_node_to_python(option: str) -> None:
    page = (DOCS / "node-to-python.md").read_text()
    assert re.search(rf"`[^`\n]*\b{option}\b[^`\n]*`", page)


def _public_names() -> Iterator[str]:
    """NAME, and CLASS.MEMBER for whatever a class has of its own or from a class that is not public."""
    yield from PUBLIC
    for kind_name, kind in CLASSES.items():
        if issubclass(kind, tuple | dict):
            continue  # the docstring of the class names the fields
        for base in kind.__mro__:
            others = [other for other in CLASSES.values() if other is not kind and other in kind.__mro__]
            if not base.__module__.startswith("uvnet") or any(issubclass(other, base) for other in others):
                continue
            for name in vars(base):
                if not name.startswith("_") or name in SPOKEN:
                    yield f"{kind_name}.{name}"


def _documented(text: str) -> set[str]:
    """The names that directives of the reference document, classes with all their members where they say so."""
    names = {
        f"uvnet.{name.removeprefix('uvnet.')}"
        for name in re.findall(r"^\.\. \w+:: ([\w.]+)", text, re.MULTILINE)
    }
    for name in re.findall(
        r"^\.\. autoclass:: uvnet\.(\w+).*\n(?:   :.*\n)*?   :members:", text, re.MULTILINE
    ):
        kind = getattr(uvnet, name)
        names |= {f"uvnet.{name}.{member}" for member in dir(kind)}
    return names


def test_the_cython_example_is_true(tmp_path: Path) -> None:
    """With what is installed; tests/addresses/test_blocklist_sockaddr.py compiles and runs such a module."""
    pytest.importorskip("Cython", reason="Cython is not installed")
    (example,) = re.findall(r"^```cython\n([\s\S]*?)^```$", (DOCS / "reference.md").read_text(), re.MULTILINE)
    assert [line for line in example.splitlines() if len(line) > 78] == []
    (tmp_path / "example.pyx").write_text(example)
    command = [sys.executable, "-m", "cython", "-3", f"-I{PACKAGE_PARENT}", "example.pyx"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=LIMIT)


def test_every_public_name_is_in_the_reference() -> None:
    documented = _documented((DOCS / "reference.md").read_text())
    assert set(_public_names()) - documented == set()


@pytest.mark.parametrize("name", sorted({*_public_names()}))
def test_docstrings_tell_what_of_node_it_is(name: str) -> None:
    """Or what of asyncio, or that it is neither's."""
    if f".. attribute:: {name.removeprefix('uvnet.')}\n" in (DOCS / "reference.md").read_text():
        return  # what cannot have a docstring is described there
    found: object = uvnet
    for part in name.split(".")[1:]:
        found = getattr(found, part)
    assert re.search(r"Node: |asyncio: |This\s+is\s+not\s+in\s+Node", found.__doc__ or "")


def _stubs() -> Any:
    """The extension of Sphinx that reads types from stubs; it needs no Sphinx itself."""
    specification = importlib.util.spec_from_file_location("stubs", DOCS / "stubs.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_reference_has_types() -> None:
    stubs = _stubs()
    for name in _public_names():
        owner, _, member = name.rpartition(".")
        if name in PUBLIC:
            continue
        if callable(getattr(PUBLIC[owner], member)):
            assert stubs.signatures_of(name), name
        else:
            assert stubs.type_of(name), name
    assert stubs.type_of("uvnet.Socket.local_port") == "int | None"
    assert stubs.signatures_of("uvnet.SocketAddress.parse") == ["(text: str) -> SocketAddress | None"]
    assert stubs.signatures_of("uvnet.Socket.end")[-1] == "(chunk: Callable[[Any], object]) -> Socket"


def test_documentation_builds_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="Sphinx is not installed; `make docs` installs it")
    pytest.importorskip("furo", reason="furo is not installed; `make docs` installs it")
    pytest.importorskip(
        "myst_parser", reason="myst-parser is not installed; `make docs` installs it"
    )
    places = ["-d", str(tmp_path / "doctrees"), str(DOCS), str(tmp_path / "html")]
    process = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", *places],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert process.stderr == ""
    assert process.returncode == 0
    inventory = (tmp_path / "html" / "objects.inv").read_bytes().split(b"\n", 4)[4]
    listed = {line.split(" ")[0] for line in zlib.decompress(inventory).decode().splitlines()}
    assert set(_public_names()) - listed == set()
    reference = re.sub(r"<[^>]+>", "", (tmp_path / "html" / "reference.html").read_text())
    assert "read_exactly(count: int)" in reference


def _shown_commands() -> list[str]:
    """Lines in blocks of shell commands, without their comments."""
    blocks = [
        block
        for page in LINKED
        for block in re.findall(r"^```\n([\s\S]*?)^```$", page.read_text(), re.MULTILINE)
    ]
    return [line.split("#")[0].strip() for block in blocks for line in block.splitlines()]


def test_shown_subcommands_have_the_shown_options() -> None:
    shown: dict[str, set[str]] = {}
    for command in _shown_commands():
        if found := re.match(r"(?:python -m )?uvnet (bench|cat|echo|info|proxy|serve|top)\b(.*)", command):
            shown.setdefault(found[1], set()).update(re.findall(r"(?<=\s)--?[a-z-]+", found[2]))
        else:
            assert not command.startswith("python -m uvnet "), command
    assert set(shown) == {"bench", "cat", "echo", "info", "proxy", "serve", "top"}
    for subcommand, options in shown.items():
        help_text = subprocess.run(
            [sys.executable, "-m", "uvnet", subcommand, "--help"],
            env={**os.environ, "PYTHONPATH": str(PACKAGE_PARENT)},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=True,
        ).stdout
        assert options <= set(re.findall(r"(?<!\w)--?[a-z-]+", help_text)), subcommand


def test_shown_targets_are_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = "\n".join(page.read_text() for page in LINKED)
    shown = set(re.findall(r"`make ([a-z-]+)`", text))
    shown |= {command.split()[1] for command in _shown_commands() if command.startswith("make ")}
    # Settings stand before the target.
    shown = {target for target in shown if "=" not in target}
    assert shown
    assert shown <= targets
