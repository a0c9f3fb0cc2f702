"""The command line of `python -m uvnet`: which subcommands there are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from uvnet._cli.bench import add_bench
from uvnet._cli.cat import add_cat
from uvnet._cli.echo import add_echo
from uvnet._cli.endpoint import GRAMMAR
from uvnet._cli.info import add_info
from uvnet._cli.program import add_version, guarded
from uvnet._cli.proxy import add_proxy
from uvnet._cli.serve import add_serve
from uvnet._cli.top import add_top

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the subcommand; returns its exit code.  argparse exits with 2 where the arguments are wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m uvnet" if sys.argv[0].endswith("__main__.py") else None,
        description="TCP and Unix sockets from the command line. `COMMAND --help` tells more.",
        epilog=GRAMMAR,
    )
    add_version(parser)
    subcommands = parser.add_subparsers(metavar="COMMAND", required=True)
    for add in (add_echo, add_cat, add_proxy, add_serve, add_top, add_bench, add_info):
        add(subcommands)

    def start() -> int:
        parsed = parser.parse_args(arguments)
        code: int = parsed.start(parsed)
        return code

    return guarded(start)
