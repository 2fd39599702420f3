# SPDX-License-Identifier: MIT
"""Runs recurrent layers in gradus, PyTorch and, where it is installed, JAX in turn: forward and backward by the input
and all parameters; started by `scripts/peers recurrent`. Nothing is timed unless all give the same outputs and
gradients. JAX runs a compiled lax.scan with the fastest of five unrollings.
"""

import importlib.util
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from compare import (
    HERE,
    TOLERANCE,
    Peer,
    Setup,
    describe,
    option_parser,
    parse_arguments,
    print_versions,
    quartiles,
)

WIDTHS = (26, 32, 36, 26, 44, 22)


def row(*cells: str) -> str:
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS, strict=False)).rstrip()


def jax_peer(setup: Setup) -> Peer | None:
    if importlib.util.find_spec("jax") is None:
        return None
    file = str(setup.file) + ".recurrent"
    return Peer([*setup.pinned(), sys.executable, str(HERE / "jax_peer.py"), file, str(setup.threads)])


def require_agreement(peer: str, name: str, error: float) -> None:
    if not error <= TOLERANCE:
        raise SystemExit(f"gradus and {peer} disagree in {name}: {error:.1e}; it was not timed")


def ratio(theirs: list[float], ours: list[float]) -> str:
    low, high = quartiles(x / y for x, y in zip(theirs, ours, strict=True))
    return f"{statistics.median(theirs) / statistics.median(ours):.2f} ({low:.2f} to {high:.2f})"


def compare(setup: Setup, only: str) -> None:
    with Peer([*setup.pinned(), str(setup.worker), "serve", str(setup.file), str(setup.threads)]) as gradus:
        names = {number: name for number, name in gradus.ask("recurrent").items() if only in name}
    for number, name in names.items():
        peers = {"gradus": setup.gradus(), "PyTorch": setup.torch()}
        require_agreement("PyTorch", name, peers["PyTorch"].ask(f"check_recurrent:{number}:{name}")["error"])
        jax = jax_peer(setup)
        unrolled = ""
        if jax is not None:
            answer = jax.ask(f"check:{number}:{name}")
            require_agreement("JAX", name, answer["error"])
            peers["JAX"], unrolled = jax, f", unroll {answer['unroll']}"
        request = f"recurrent:{number} {setup.seconds}"
        times: dict[str, list[float]] = {peer: [] for peer in peers}
        for round_number in range(setup.rounds + 1):  # the first round only warms up
            for peer, process in peers.items():
                seconds = process.ask(request)["seconds"]
                if round_number > 0:
                    times[peer].append(seconds)
        for process in peers.values():
            process.__exit__(None, None, None)
        cells = [name, describe(times["gradus"], 1e3, 3)]
        cells += [describe(times["PyTorch"], 1e3, 3), ratio(times["PyTorch"], times["gradus"])]
        if "JAX" in times:
            cells += [describe(times["JAX"], 1e3, 3) + unrolled, ratio(times["JAX"], times["gradus"])]
        print(row(*cells), flush=True)


def main() -> None:
    parser = option_parser("scripts/peers recurrent", __doc__, rounds=7)
    parser.add_argument("--only", default="", help="only the layers whose names hold this text")
    arguments = parse_arguments(parser)
    if arguments.worker is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup.of(arguments, Path(folder) / "peers.safetensors")
        print_versions(setup)
        subprocess.run([str(setup.worker), "write", str(setup.file)], check=True)
        print(f"\nms, median (middle half) of {setup.rounds} rounds in turn; ratios: the peer's time over gradus's")
        print(row("", "gradus", "PyTorch", "ratio", "JAX", "ratio"))
        compare(setup, arguments.only)


if __name__ == "__main__":
    main()
