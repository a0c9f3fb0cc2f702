"""The lowest versions of what uvnet is built with and runs on that pyproject.toml allows, as constraints for pip.

    python tests/support/lowest.py      prints "uvloop==0.22.1" and its like, for `make LOWEST=1`
"""

from __future__ import annotations

import re

from places import ROOT

# [build-system] requires, [project] dependencies and [project.optional-dependencies]; not the tools of tests.
LISTS = {"build-system": "requires", "project": "dependencies", "project.optional-dependencies": None}


def lowest(text: str) -> list[str]:
    """The constraints, from the text of a pyproject.toml.  CPython 3.10 has no tomllib, so this reads by lines."""
    found = []
    for table, body in re.findall(r"^\[([^]]+)\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL):
        for key, value in re.findall(r"^([\w-]+) = \[(.*?)\]$", body, re.MULTILINE | re.DOTALL):
            if table in LISTS and LISTS[table] in (None, key):
                found += re.findall(r'"([\w-]+)(?:\[[\w,]+\])?>=([\w.]+)', value)
    return sorted(f"{name}=={version}" for name, version in found)


if __name__ == "__main__":
    print("\n".join(lowest((ROOT / "pyproject.toml").read_text())))
