"""What `make release-check` would find: each of its checks can fail.  Building is left to it."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from places import ROOT
from wheels import release

NAMED = ["pyproject.toml", "README.md", "CHANGELOG.md", "src/uvnet/__init__.py"]


def _copy(place: Path) -> Path:
    for name in NAMED:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text((ROOT / name).read_text())
    return place


def _wheel(path: Path, *names: str, size: int = 0) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), b"x" * size)
    return path


def _sdist(path: Path, *names: str, content: bytes = b"", date: int = 0) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(f"uvnet-1/{name}")
            member.size, member.mtime = len(content), date
            archive.addfile(member, io.BytesIO(content))
    return path


def test_the_version_is_the_same_everywhere() -> None:
    assert list(release.version_problems(ROOT)) == []


@pytest.mark.parametrize("name", NAMED)
def test_another_version_is_seen(name: str, tmp_path: Path) -> None:
    place = _copy(tmp_path)
    file = place / name
    file.write_text(file.read_text().replace(release.version(ROOT), "1.0.0rc9"))
    assert list(release.version_problems(place))


def test_an_empty_section_of_the_changelog_is_seen(tmp_path: Path) -> None:
    place = _copy(tmp_path)
    (place / "CHANGELOG.md").write_text(f"## [{release.version(ROOT)}]\n\n## [0.1.0]\n\n- Something.\n")
    (problem,) = release.version_problems(place)
    assert "is empty" in problem


def test_a_status_that_does_not_fit_is_seen(tmp_path: Path) -> None:
    place = _copy(tmp_path)
    file = place / "pyproject.toml"
    file.write_text(re.sub(r"Development Status :: [^\"]*", "Development Status :: 5 - Production/Stable", file.read_text()))
    (problem,) = release.version_problems(place)
    assert "does not fit" in problem


def test_a_source_distribution_is_the_tree(tmp_path: Path) -> None:
    tracked = [".gitignore", ".github/workflows/tests.yml", "setup.py", "src/uvnet/py.typed"]
    same = _sdist(tmp_path / "same.tar.gz", "setup.py", "src/uvnet/py.typed", "PKG-INFO", "src/uvnet.egg-info/SOURCES.txt")
    assert list(release.tree_problems(same, tracked)) == []
    other = _sdist(tmp_path / "other.tar.gz", "setup.py", "notes.txt")
    assert list(release.tree_problems(other, tracked)) == [
        "src/uvnet/py.typed is not in the source distribution",
        "notes.txt is in the source distribution, and git does not know of it",
    ]


def test_what_is_not_ours_is_seen_in_a_wheel(tmp_path: Path) -> None:
    ours = ["uvnet/__init__.py", "uvnet-1.dist-info/METADATA", "uvnet-1.dist-info/licenses/LICENSE"]
    assert list(release.wheel_problems(_wheel(tmp_path / "ours.whl", *ours))) == []
    foreign = _wheel(tmp_path / "foreign.whl", *ours, "uvnet.libs/libuv.so.1", "tests/a.py", "uvnet-1.dist-info/x")
    assert list(release.wheel_problems(foreign)) == [
        "tests/a.py is not ours",
        "uvnet-1.dist-info/x is not ours",
        "uvnet.libs/libuv.so.1 is not ours",
    ]


def test_a_large_wheel_is_seen(tmp_path: Path) -> None:
    (problem,) = release.wheel_problems(_wheel(tmp_path / "large.whl", "uvnet/a.so", size=release.LARGEST))
    assert "more than" in problem


def test_builds_that_differ_are_seen(tmp_path: Path) -> None:
    first = _wheel(tmp_path / "first.whl", "uvnet/a.so", "uvnet/b.so", size=1)
    assert list(release.difference_problems(first, _wheel(tmp_path / "same.whl", "uvnet/a.so", "uvnet/b.so", size=1))) == []
    (problem,) = release.difference_problems(first, _wheel(tmp_path / "less.whl", "uvnet/a.so", size=1))
    assert problem.endswith("uvnet/b.so")
    (problem,) = release.difference_problems(first, _wheel(tmp_path / "order.whl", "uvnet/b.so", "uvnet/a.so", size=1))
    assert "order" in problem
    early = _sdist(tmp_path / "early.tar.gz", "setup.py")
    (problem,) = release.difference_problems(early, _sdist(tmp_path / "late.tar.gz", "setup.py", date=1))
    assert "times" in problem
    (problem,) = release.difference_problems(early, _sdist(tmp_path / "else.tar.gz", "setup.py", content=b"1"))
    assert problem.endswith("setup.py")


def test_what_auditwheel_says_is_understood(capsys: pytest.CaptureFixture[str]) -> None:
    fits = 'uvnet.whl is consistent with the following platform tag:\n"manylinux_2_17_x86_64".'
    assert list(release.audit_problems(fits)) == []
    assert "manylinux_2_17_x86_64" in capsys.readouterr().out
    assert list(release.audit_problems('uvnet.whl is consistent with the following platform tag:\n"linux_x86_64".'))


def test_a_tool_that_complains_is_heard() -> None:
    (problem,) = release.tool_problems("sh", "-c", "echo what is wrong; exit 1")
    assert "what is wrong" in problem


def test_the_list_of_materials(tmp_path: Path) -> None:
    pytest.importorskip("cyclonedx", reason="cyclonedx-python-lib is not installed; `make release-check` installs it")
    wheel = _wheel(tmp_path / "uvnet-1-cp310-cp310-linux_x86_64.whl", "uvnet/a.so", "uvnet-1.dist-info/RECORD")
    text = release.bill_of_materials(wheel)
    assert text == release.bill_of_materials(wheel)
    assert [component["name"] for component in json.loads(text)["components"]] == ["uvnet/a.so"]


def test_source_distributions_have_the_same_bytes(tmp_path: Path) -> None:
    """Of the same files, whatever their times and modes and the hour of the build."""
    packed = []
    script = (
        "import sys; sys.argv = ['setup.py', '--name']\n"
        f"import runpy, os; os.chdir({str(ROOT)!r})\n"
        "import Cython.Build; Cython.Build.cythonize = lambda *words, **settings: []\n"
        "found = runpy.run_path('setup.py')['SourceDistribution']\n"
        "from setuptools import Distribution\n"
        "os.chdir(os.environ['PLACE'])\n"
        "found(Distribution()).make_archive('made', 'gztar', base_dir='uvnet-1')\n"
    )
    for number, date in enumerate((1_000_000_000, 1_100_000_000)):
        place = tmp_path / f"{'long' * number}er"
        (place / "uvnet-1").mkdir(parents=True)
        for name in ("b", "a") if number else ("a", "b"):
            file = place / "uvnet-1" / name
            file.write_text(name)
            file.chmod(0o664 if number else 0o600)
            os.utime(file, (date, date))
        release.run(sys.executable, "-c", script, SOURCE_DATE_EPOCH="1200000000", PLACE=str(place))
        packed.append((place / "made.tar.gz").read_bytes())
    assert packed[0] == packed[1]


def test_the_release_workflow_has_no_secret() -> None:
    """It proves by OIDC who it is; the environment decides who may let it."""
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text() if (ROOT / ".github").exists() else ""
    if not text:
        pytest.skip("a source distribution has no workflows")
    assert "secrets." not in text and "password" not in text
    assert "environment:" in text and "id-token: write" in text and "attestations: true" in text
