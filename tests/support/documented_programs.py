"""The whole programs in README.md and docs/ as files, for a type checker: prints their names.

    mypy --check-untyped-defs $(python tests/support/documented_programs.py DIRECTORY)
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from document_block import blocks_of
from places import DOCS, ROOT


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.py"):
        old.unlink()
    for page in (ROOT / "README.md", *sorted(DOCS.rglob("*.md"))):
        for block in blocks_of(page.read_text()):
            if re.search(r"^import uvnet$", block.code, re.MULTILINE) and not block.not_run:
                file = directory / f"{page.stem.replace('-', '_')}_{block.line}.py"
                file.write_text(block.code)
                print(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
