# SPDX-License-Identifier: MIT
"""What the comparisons of models trained elsewhere share."""

import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


def children_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def compare_answers(program: Path, model: Path, lines: list[str], package: str, answer: Callable[[str], str]) -> bool:
    """Gives the lines to the program of gradus and to `answer`, and prints what differs and both processor times."""
    start = children_seconds()
    run = subprocess.run([program, model], input="".join(f"{line}\n" for line in lines), text=True, encoding="utf-8",
                         check=True, stdout=subprocess.PIPE)
    ours = run.stdout.split("\n")[:-1]
    seconds = children_seconds() - start
    start = time.process_time()
    theirs = [answer(line) for line in lines]
    their_seconds = time.process_time() - start
    wrong = [(line, a, b) for line, a, b in zip(lines, ours, theirs, strict=True) if a != b]
    for line, a, b in wrong[:10]:
        print(f"{line}\n  gradus {a}\n  {package} {b}")
    print(f"{len(lines) - len(wrong)} of {len(lines)} lines are alike; processor time of gradus {seconds:.2f} s, with "
          f"its start, of {package} {their_seconds:.2f} s")
    return not wrong
