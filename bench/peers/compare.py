# SPDX-License-Identifier: MIT
"""Runs gradus and PyTorch in turn on the same work and prints both times; started by scripts/peers.

First PyTorch computes, from our weights and our batch, the loss and every gradient: nothing is timed unless they agree.
Then both sides, each a process of its own pinned to the same core, are timed round by round, one after the other.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

HERE = Path(__file__).resolve().parent
TOLERANCE = 1e-4
BUSY = 0.5
DECODERS = ("cell", "gates", "folded")
CHAIN = {
    "forward_unrecorded": "op on 16 floats, not recorded",
    "forward": "op on 16 floats, recorded",
    "forward_backward": "op on 16 floats, recorded and backward",
    "create_graph": "the same with create_graph",
}
OPS_IN_CHAIN = 100
TOKENS_IN_STEP = 640


class Peer:
    """A process that answers each line with one line of JSON."""

    def __init__(self, command: list[str]) -> None:
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def ask(self, request: str) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write(request + "\n")
        return self.answer(request)

    def answer(self, request: str = "") -> dict[str, Any]:
        assert self.process.stdout
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"a peer ended instead of answering '{request}'")
        result: dict[str, Any] = json.loads(answer)
        return result

    def __enter__(self) -> "Peer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


@dataclass(frozen=True)
class Setup:
    """How each side starts: the command, the cores and the time."""

    worker: Path
    file: Path
    threads: int
    rounds: int
    seconds: float
    cores: list[int]

    @classmethod
    def of(cls, arguments: argparse.Namespace, file: Path) -> "Setup":
        """`file` is what both sides read."""
        return cls(
            worker=arguments.worker,
            file=file,
            threads=arguments.threads,
            rounds=arguments.rounds,
            seconds=arguments.seconds,
            cores=allowed_cores(arguments.threads),
        )

    def pinned(self) -> list[str]:
        if not shutil.which("taskset") or not self.cores:
            return []
        return ["taskset", "-c", ",".join(str(core) for core in self.cores)]

    def gradus(self) -> Peer:
        return Peer([*self.pinned(), str(self.worker), "serve", str(self.file), str(self.threads)])

    def torch(self) -> Peer:
        script = str(HERE / "torch_peer.py")
        return Peer([*self.pinned(), sys.executable, script, str(self.file), str(self.threads)])


@dataclass(frozen=True)
class Times:
    """The seconds of each round, with the two sides in turn."""

    gradus: list[float]
    torch: list[float]

    def ratio(self) -> float:
        return statistics.median(self.torch) / statistics.median(self.gradus)

    def ratio_range(self) -> tuple[float, float]:
        """The middle half of the ratios of the single rounds."""
        return quartiles(torch / gradus for gradus, torch in zip(self.gradus, self.torch, strict=True))


def quartiles(values: Iterable[float]) -> tuple[float, float]:
    ordered = list(values)
    if len(ordered) < 2:
        return ordered[0], ordered[0]
    first, _, last = statistics.quantiles(ordered, n=4, method="inclusive")
    return first, last


def check_agreement(setup: Setup) -> None:
    """Ends the program unless PyTorch gets the same loss, gradients, first steps and op chain."""
    worst = 0.0
    with setup.torch() as torch:
        for decoder in DECODERS:
            errors = torch.ask(f"check:{decoder}")
            worst = max(worst, errors["loss"], errors["gradient"], errors["steps"])
            print(
                f"agreement, decoder as '{decoder}': loss {errors['loss']:.1e}, worst of {errors['parameters']} "
                f"gradients {errors['gradient']:.1e} ({errors['parameter']}), losses of the first steps "
                f"{errors['steps']:.1e}"
            )
        error = torch.ask("check_chain")["error"]
        print(f"agreement, op chain with both gradients: {error:.1e}")
        small = torch.ask("check_small")["error"]
        print(f"agreement, first losses of the small network, batched products: {small:.1e}")
    if not max(worst, error, small) <= TOLERANCE:
        raise SystemExit(f"the two sides disagree: a relative error is above {TOLERANCE}; nothing was timed")


def compare_recurrent(setup: Setup) -> None:
    """Recurrent layers, forward and backward by the input and all parameters; each is checked before it is timed."""
    with setup.gradus() as gradus, setup.torch() as torch:
        for number, name in gradus.ask("recurrent").items():
            error = torch.ask(f"check_recurrent:{number}:{name}")["error"]
            if not error <= TOLERANCE:
                raise SystemExit(f"the two sides disagree in {name}: {error:.1e}; it was not timed")
            what = f"recurrent:{number}"
            report(f"{name}, ms", alternate(setup, gradus, torch, what, what), 1e3, 3)


def choose_decoder(setup: Setup) -> str:
    """The form of the decoder's loop that is fastest in PyTorch on this machine."""
    with setup.torch() as torch:
        for decoder in DECODERS:
            torch.ask(f"train:{decoder} {setup.seconds}")
        times = {
            decoder: min(torch.ask(f"train:{decoder} {setup.seconds}")["seconds"] for _ in range(3))
            for decoder in DECODERS
        }
    print("PyTorch's decoder loop, ms a step: " + ", ".join(f"{k} {v * 1e3:.2f}" for k, v in times.items()))
    return min(times, key=lambda decoder: times[decoder])


def alternate(setup: Setup, gradus: Peer, torch: Peer, ours: str, theirs: str) -> Times:
    times = Times([], [])
    gradus.ask(f"{ours} {setup.seconds}")
    torch.ask(f"{theirs} {setup.seconds}")
    for _ in range(setup.rounds):
        times.gradus.append(gradus.ask(f"{ours} {setup.seconds}")["seconds"])
        times.torch.append(torch.ask(f"{theirs} {setup.seconds}")["seconds"])
    return times


def describe(seconds: list[float], scale: float, digits: int) -> str:
    low, high = quartiles(seconds)
    middle = statistics.median(seconds)
    return f"{middle * scale:.{digits}f} ({low * scale:.{digits}f} to {high * scale:.{digits}f})"


def row(cells: Iterable[str]) -> str:
    widths = (44, 28, 30, 0)
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def report(name: str, times: Times, scale: float, digits: int) -> None:
    low, high = times.ratio_range()
    print(
        row(
            (
                name,
                describe(times.gradus, scale, digits),
                describe(times.torch, scale, digits),
                f"{times.ratio():.2f} ({low:.2f} to {high:.2f})",
            )
        ),
        flush=True,
    )


def compare(setup: Setup) -> None:
    decoder = choose_decoder(setup)
    print(f"\nmedian (middle half) of {setup.rounds} rounds in turn; ratio: PyTorch's time over gradus's")
    print(row(("", "gradus", "PyTorch", "ratio")))
    with setup.gradus() as gradus, setup.torch() as torch:
        for what, name in CHAIN.items():
            times = alternate(setup, gradus, torch, what, what)
            report(f"{name}, ns", times, 1e9 / OPS_IN_CHAIN, 1)
        for kind in ("plain", "fused"):
            times = alternate(setup, gradus, torch, "network", f"network:{kind}")
            report(f"step of a 2-16-16-1 network, Adam {kind}, us", times, 1e6, 2)
        times = alternate(setup, gradus, torch, "bmm", "bmm")
        report("1,024 products of 20 x 16 x 20, us", times, 1e6, 1)
    compare_recurrent(setup)
    # In separate processes, so that the memory is that of training alone.
    with setup.gradus() as gradus, setup.torch() as torch:
        times = alternate(setup, gradus, torch, "train", f"train:{decoder}")
        report("training step, ms", times, 1e3, 3)
        memory = [peer.ask("memory")["peak_kilobytes"] * 1024 / 1e6 for peer in (gradus, torch)]
    speeds = [TOKENS_IN_STEP / statistics.median(side) for side in (times.gradus, times.torch)]
    print(row(("training, tokens/s", *(f"{speed:,.0f}" for speed in speeds), "")))
    cells = (*(f"{megabytes:.1f}" for megabytes in memory), f"{memory[1] / memory[0]:.1f}")
    print(row(("peak resident memory of training, MB", *cells)))


def allowed_cores(count: int) -> list[int]:
    """The last cores that this process may use, because interrupts mostly run on the first ones."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    return sorted(os.sched_getaffinity(0))[-count:]


def option_parser(program: str, description: str | None, rounds: int) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=description, allow_abbrev=False)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)  # without it, only the options are checked
    parser.add_argument("--threads", type=int, default=1, help="threads (and cores) of each side (1)")
    parser.add_argument("--rounds", type=int, default=rounds, help=f"rounds of each measurement ({rounds})")
    parser.add_argument("--seconds", type=float, default=0.3, help="seconds of each side in a round (0.3)")
    return parser


def parse_arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    arguments = parser.parse_args()
    if arguments.threads < 1 or arguments.rounds < 1 or not 0 <= arguments.seconds <= 60:
        parser.error("expected --threads and --rounds of 1 or more, and --seconds from 0 to 60")
    return arguments


def print_versions(setup: Setup) -> None:
    code = "import torch; print(torch.__version__)"
    version = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    python = ".".join(str(part) for part in sys.version_info[:3])
    cores = ", ".join(str(core) for core in setup.cores) if setup.pinned() else "not pinned"
    print(f"PyTorch {version.strip()}, Python {python}, threads: {setup.threads}, cores: {cores}", flush=True)
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"the machine is busy (load {load:.1f}): times are too long, and ratios uncertain", flush=True)


def main() -> None:
    arguments = parse_arguments(option_parser("scripts/peers", __doc__, rounds=15))
    if arguments.worker is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup.of(arguments, Path(folder) / "peers.safetensors")
        print_versions(setup)
        subprocess.run([str(setup.worker), "write", str(setup.file)], check=True)
        check_agreement(setup)
        compare(setup)


if __name__ == "__main__":
    main()
