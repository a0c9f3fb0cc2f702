"""Shows scenarios on Node and on uvnet: `python -m oracle TEXT`, for those with TEXT in their name."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from oracle.catalogue import SERVER_CASES, SOCKET_CASES, TLS_CASES
from oracle.node import MISSING, play_all
from oracle.play import play
from oracle.traces import compare, sides


def main(text: str) -> int:
    if MISSING:
        print(MISSING)
        return 2
    chosen = [case for case in [*SOCKET_CASES, *SERVER_CASES, *TLS_CASES] if text in case.name]
    different = 0
    with tempfile.TemporaryDirectory() as name:
        on_node = play_all(chosen, Path(name))
        for index, case in enumerate(chosen):
            directory = Path(name) / f"uvnet{index}"
            directory.mkdir()
            node, uvnet = on_node[case.name], play(case, directory)
            problems = compare(case, node, uvnet)
            different += bool(problems)
            if len(chosen) > 1 and not problems:
                continue
            print(
                f"\n=== {case.name} (rule {case.scenario.rule}): {'DIFFERENT' if problems else 'same'}"
            )
            for problem in problems or [""]:
                print(problem)
            if len(chosen) == 1:
                for who, played in (("Node", node), ("uvnet", uvnet)):
                    for group, entries in sides(played, case.scenario.together).items():
                        print(f"--- {who}: {group}")
                        for entry in entries:
                            print(json.dumps(entry))
    print(f"\n{len(chosen)} scenarios, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(" ".join(sys.argv[1:])))
