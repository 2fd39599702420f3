# SPDX-License-Identifier: MIT
"""Runs attention and training steps of transformers in gradus and PyTorch in turn; started by scripts/peers attention.

Nothing is timed unless both sides give the same outputs and gradients. Of PyTorch's plain operations and its
scaled_dot_product_attention, the faster one counts. Memory is by how much one run, or three training steps, raises the
peak of resident memory in a process of its own, outputs and gradients included.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from compare import HERE, Peer, Setup, Times, describe, option_parser, parse_arguments, print_versions

TOLERANCE = 1e-4
WIDTHS = (70, 36, 46, 24, 17)


def row(*cells: str) -> str:
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


class Comparison:
    """One workload on both sides."""

    def __init__(self, setup: Setup, number: int, name: str) -> None:
        self.setup, self.name = setup, name
        self.gradus = [*setup.pinned(), str(setup.worker)]
        self.numbers = [str(number), str(setup.threads)]
        self.is_model = name.startswith("training step")
        self.ways = ("fused",) if self.is_model else ("ops",) if name.startswith("additive") else ("ops", "fused")

    def torch(self, what: str, way: str) -> list[str]:
        script = str(HERE / "torch_attention.py")
        file, threads = str(self.setup.file), str(self.setup.threads)
        return [*self.setup.pinned(), sys.executable, script, what, file, threads, way]

    def ask(self, command: list[str], answer: str) -> float:
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return float(json.loads(output)[answer])

    def check(self) -> None:
        for way in self.ways:
            error = self.ask(self.torch("check", way), "error")
            if not error <= TOLERANCE:
                raise SystemExit(f"the two sides disagree in {self.name}: {error:.1e}; it was not timed")

    def run(self) -> None:
        with Peer([*self.gradus, "serve", *self.numbers, str(self.setup.file)]) as ours:
            ours.answer()
            self.check()
            times = {way: self.alternate(ours, way) for way in self.ways}
        way = min(times, key=lambda name: sum(times[name].torch))
        low, high = times[way].ratio_range()
        ours_bytes = self.ask([*self.gradus, "memory", *self.numbers], "bytes")
        theirs_bytes = self.ask(self.torch("memory", way), "bytes")
        print(
            row(
                self.name,
                describe(times[way].gradus, 1e3, 3),
                describe(times[way].torch, 1e3, 3) + f", {way}",
                f"{times[way].ratio():.2f} ({low:.2f} to {high:.2f})",
                f"{ours_bytes / 1e6:.1f} of {theirs_bytes / 1e6:.1f}",
            ),
            flush=True,
        )

    def alternate(self, ours: Peer, way: str) -> Times:
        times = Times([], [])
        seconds = str(self.setup.seconds)
        with Peer(self.torch("serve", way)) as theirs:
            theirs.answer()
            for peer in (ours, theirs):
                peer.ask("0")
            for _ in range(self.setup.rounds):
                times.gradus.append(ours.ask(seconds)["seconds"])
                times.torch.append(theirs.ask(seconds)["seconds"])
        return times


def main() -> None:
    parser = option_parser("scripts/peers attention", __doc__, rounds=7)
    parser.add_argument("--only", default="", help="only the workloads whose names hold this text")
    arguments = parse_arguments(parser)
    if arguments.worker is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup.of(arguments, Path(folder) / "attention.safetensors")
        print_versions(setup)
        print(f"\nms, median (middle half) of {setup.rounds} rounds in turn; ratio: PyTorch's time over gradus's")
        print(row("batch, heads, length, width", "gradus", "PyTorch, its faster way", "ratio", "peak memory, MB"))
        names = json.loads(subprocess.run([setup.worker, "names"], check=True, capture_output=True, text=True).stdout)
        for number, name in enumerate(names):
            if arguments.only in name:
                Comparison(setup, number, name).run()


if __name__ == "__main__":
    main()
