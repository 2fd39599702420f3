# SPDX-License-Identifier: MIT
"""Trains the character language model of examples/char_lm in gradus and PyTorch in turn; started by
scripts/peers char_lm.

Two LSTM layers of 256, embedding 64, 65 symbols, dropout 0.1, batch 32, 64 steps of truncated backpropagation through
time, clipping and AdamW. Nothing is timed unless both sides, from the same weights and without dropout, give the same
losses over the first training steps.
"""

import sys
import tempfile
from pathlib import Path

from compare import HERE, Peer, Setup, Times, describe, option_parser, parse_arguments, print_versions

TOLERANCE = 1e-5
SYMBOLS_IN_STEP = 32 * 64


def alternate(setup: Setup, torch_side: str) -> Times:
    """Checks that both sides get the same losses, then trains on each in turn. `torch_side` is the script of PyTorch."""
    times = Times([], [])
    pinned, file, threads = setup.pinned(), str(setup.file), str(setup.threads)
    with Peer([*pinned, str(setup.worker), "serve", file, threads]) as ours:
        ours.answer()
        with Peer([*pinned, sys.executable, str(HERE / torch_side), file, threads]) as theirs:
            error = theirs.ask("check")["error"]
            print(f"agreement, losses of the first steps: {error:.1e}", flush=True)
            if not error <= TOLERANCE:
                raise SystemExit(f"the two sides disagree: a relative error is above {TOLERANCE}; nothing was timed")
            for peer in (ours, theirs):
                peer.ask(str(setup.seconds))
            for _ in range(setup.rounds):
                times.gradus.append(ours.ask(str(setup.seconds))["seconds"])
                times.torch.append(theirs.ask(str(setup.seconds))["seconds"])
    return times


def run(program: str, description: str | None, torch_side: str) -> None:
    parser = option_parser(f"scripts/peers {program}", description, rounds=9)
    parser.set_defaults(seconds=1.0)
    arguments = parse_arguments(parser)
    if arguments.worker is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup.of(arguments, Path(folder) / f"{program}.safetensors")
        print_versions(setup)
        times = alternate(setup, torch_side)
    low, high = times.ratio_range()
    print(f"\nmedian (middle half) of {setup.rounds} rounds of {setup.seconds} s in turn")
    for name, seconds in (("gradus", times.gradus), ("PyTorch", times.torch)):
        speeds = sorted(SYMBOLS_IN_STEP / value for value in seconds)
        print(f"{name:<10}{describe(speeds, 1.0, 0)} characters/s, {describe(seconds, 1e3, 2)} ms a step")
    print(f"ratio     {times.ratio():.2f} ({low:.2f} to {high:.2f}): PyTorch's time over gradus's")


if __name__ == "__main__":
    run("char_lm", __doc__, "torch_char_lm.py")
