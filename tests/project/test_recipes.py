"""The recipes for tests do what they say, under the plugins that they are for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from document_block import blocks_of
from places import DOCS

import uvnet

RECIPES = (DOCS / "recipes.md").read_text()


PLUGINS = {
    "pytest-asyncio": ("pytest_asyncio", ["-p", "no:anyio", "-o", "asyncio_default_fixture_loop_scope=function"]),
    "anyio": ("anyio", ["-p", "no:asyncio"]),
}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_recipe_for_tests(tmp_path: Path, plugin: str) -> None:
    module, options = PLUGINS[plugin]
    pytest.importorskip(module, reason=f"{plugin} is not installed; `make docs` installs it")
    section = re.search(rf"^## Tests with {plugin}\n([\s\S]*?)(?=^## |\Z)", RECIPES, re.MULTILINE)
    assert section is not None
    *configuration, test = [block.code for block in blocks_of(section[1])]
    for code in configuration:
        (tmp_path / "conftest.py").write_text(code)
    (tmp_path / "test_recipe.py").write_text(test)
    # The loop must be a uvloop, or uvnet would not work.
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *options, "test_recipe.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(uvnet.__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert re.search(r"\b1 passed\b", result.stdout)


def test_every_block_that_is_not_run_is_run_here() -> None:
    assert [block.not_run for block in blocks_of(RECIPES) if block.not_run] == [
        "tests/project/test_recipes.py runs it by pytest"
    ] * 3
