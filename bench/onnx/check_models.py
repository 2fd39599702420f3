#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check_models.py FOLDER: checks and runs the ONNX files that onnx_models wrote there.

Each file must pass onnx.checker (with its inference of shapes), and its outputs in onnxruntime must be those of gradus,
for the inputs of the example and for others: equal integers and bools, and floats within 1e-5 of the largest number of
the output or of 1, whichever is greater.
Needs numpy, safetensors, onnx and onnxruntime.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

TOLERANCE = 1e-5


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """The largest difference, by the largest number of ours or 1. Infinite where they do not compare."""
    if ours.shape != theirs.shape or ours.dtype != theirs.dtype:
        return np.inf
    if ours.dtype.kind != "f":
        return 0.0 if np.array_equal(ours, theirs) else np.inf
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    if same.all():
        return 0.0
    if not np.isfinite(ours[~same]).all() or not np.isfinite(theirs[~same]).all():
        return np.inf
    scale = max(1.0, float(np.max(np.abs(ours[np.isfinite(ours)]))))
    return float(np.max(np.abs(ours[~same].astype(np.float64) - theirs[~same]))) / scale


def run(file: Path) -> float:
    example = load_file(file.with_suffix(".safetensors"))
    onnx.checker.check_model(onnx.load(file), full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_outputs()]
    found = 0.0
    for prefix in ("", "other "):
        inputs = {one.name: example[f"{prefix}in.{one.name}"] for one in session.get_inputs()}
        for name, value in zip(names, session.run(names, inputs)):
            found = max(found, difference(example[f"{prefix}out.{name}"], np.asarray(value)))
    return found


def main(folder: Path) -> int:
    worst = {"models": (0.0, "none"), "ops": (0.0, "none")}
    failures = []
    files = sorted(folder.glob("*.onnx"))
    for file in files:
        kind = "ops" if file.name.startswith("op_") else "models"
        try:
            found = run(file)
        except Exception as error:  # what the checker and the runtime throw has no common class
            failures.append(f"{file.stem}: {str(error).splitlines()[0]}")
            continue
        if kind == "models":
            print(f"{file.stem:32} {found:.1e}")
        worst[kind] = max(worst[kind], (found, file.stem))
        if not found <= TOLERANCE:
            failures.append(f"{file.stem}: the outputs differ by {found:.1e}")
    for kind, (found, name) in worst.items():
        print(f"largest difference of {kind}: {found:.1e} ({name})")
    for failure in failures:
        print(f"FAILED {failure}")
    print(f"{len(files) - len(failures)} of {len(files)} files agree")
    return 1 if failures or not files else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
