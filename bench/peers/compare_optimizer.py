# SPDX-License-Identifier: MIT
"""Runs steps of AdamW in gradus and PyTorch (fused) in turn; started by scripts/peers optimizer.

100 parameters of 64 x 64, and four of 2048 x 2048, in f32, from the same numbers. Nothing is timed unless both sides
give the same mean and mean square after three steps.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from compare import HERE, Peer, Setup, Times, describe, option_parser, parse_arguments, print_versions

TOLERANCE = 1e-6


def ask(command: list[str]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return answer


def compare(setup: Setup, number: str, name: str) -> None:
    count, size = name.split(" of ")[0], name.split(" x ")[1]
    threads = str(setup.threads)
    ours = [*setup.pinned(), str(setup.worker)]
    theirs = [*setup.pinned(), sys.executable, str(HERE / "torch_optimizer.py")]
    own, other = ask([*ours, "check", number, threads]), ask([*theirs, "check", count, size, threads])
    error = max(abs(own[key] - other[key]) for key in ("mean", "square"))
    if not error <= TOLERANCE:
        raise SystemExit(f"the two sides disagree in {name}: {error:.1e}; it was not timed")
    times = Times([], [])
    with Peer([*ours, "serve", number, threads]) as gradus, Peer([*theirs, "serve", count, size, threads]) as torch:
        for peer in (gradus, torch):
            peer.answer()
            peer.ask("0.1")
        for _ in range(setup.rounds):
            times.gradus.append(gradus.ask(str(setup.seconds))["seconds"])
            times.torch.append(torch.ask(str(setup.seconds))["seconds"])
    low, high = times.ratio_range()
    ratio = f"{times.ratio():.2f} ({low:.2f} to {high:.2f})"
    print(f"{name:<20}{describe(times.gradus, 1e3, 3):<30}{describe(times.torch, 1e3, 3):<30}{ratio}", flush=True)


def main() -> None:
    arguments = parse_arguments(option_parser("scripts/peers optimizer", __doc__, rounds=9))
    if arguments.worker is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup.of(arguments, Path(folder) / "unused")
        print_versions(setup)
        print(f"\nms a step of AdamW, median (middle half) of {setup.rounds} rounds in turn")
        print(f"{'':<20}{'gradus':<30}{'PyTorch':<30}ratio")
        for number, name in ask([str(setup.worker), "names"]).items():
            compare(setup, number, name)


if __name__ == "__main__":
    main()
