#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run_nakdimon.py convert FILE | compare PROGRAM FOLDER TEXT [COUNT]: the Keras model of the package nakdimon in
gradus.

`convert` writes it as .safetensors, with Keras's names. `compare` lets the program nakdimon of gradus and the package's
own `predict`, with its model in Keras, add marks to the first COUNT lines (200) of TEXT that have a Hebrew letter and
at most 250 symbols. All answers must be equal. Needs keras, jax, h5py, safetensors, and nakdimon without its
dependencies: TensorFlow, which it only uses to load the model, is replaced by Keras 3, which cannot read that file by
itself.
"""

import json
import os
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

os.environ.setdefault("KERAS_BACKEND", "jax")

import h5py
import keras
import numpy as np
from answers import compare_answers
from safetensors.numpy import save_file

LONGEST = 250


def package():
    """The modules dataset, hebrew and predict of the package."""
    tensorflow = mock.MagicMock()
    tensorflow.Module = object
    with mock.patch.dict(sys.modules, {"tensorflow": tensorflow}):
        from nakdimon import dataset, hebrew, predict
        return dataset, hebrew, predict


def build_model(layers: dict[str, dict]) -> keras.Model:
    """The network, with the settings of its layers by name."""
    def both_directions(name: str):
        settings = layers[name]
        inner = settings["layer"]["config"]
        names = ("name", "units", "activation", "recurrent_activation", "use_bias", "return_sequences")
        lstm = keras.layers.LSTM(**{key: inner[key] for key in names})
        return keras.layers.Bidirectional(lstm, merge_mode=settings["merge_mode"], name=name)

    def dense(name: str):
        settings = layers[name]
        return keras.layers.Dense(settings["units"], settings["activation"], settings["use_bias"], name=name)

    letters = keras.Input((None,))
    settings = layers["embedding"]
    x = keras.layers.Embedding(settings["input_dim"], settings["output_dim"], mask_zero=settings["mask_zero"],
                               name="embedding")(letters)
    x = dense("dense")(both_directions("bidirectional_1")(both_directions("bidirectional")(x)))
    return keras.Model(letters, [dense(name)(x) for name in ("N", "D", "S")])


def package_model() -> keras.Model:
    path = Path(find_spec("nakdimon").submodule_search_locations[0]) / "Nakdimon.h5"
    with h5py.File(path) as file:
        config = json.loads(file.attrs["model_config"])["config"]
        model = build_model({layer["name"]: layer["config"] for layer in config["layers"]})
        groups = file["model_weights"]
        for layer in model.layers:
            group = groups.get(layer.name)
            if group is not None and layer.weights:
                layer.set_weights([group[name][()] for name in group.attrs["weight_names"]])
    return model


def save_model(model: keras.Model, path: Path, more: dict[str, str] | None = None) -> None:
    dataset, hebrew, _ = package()
    tensors = {weight.path: np.ascontiguousarray(keras.ops.convert_to_numpy(weight)) for weight in model.weights}
    number_of = dataset.letters_table.char_indices
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    known = [c for c in every if hebrew.normalize(c) != "O"]
    tensors["letter numbers"] = np.array([number_of[hebrew.normalize(c)] for c in known] + [number_of["O"]])
    metadata = {"letters": "".join(known), **(more or {})}
    for name in ("dagesh", "sin", "niqqud"):
        metadata[name] = "".join(getattr(dataset, f"{name}_table").chars[1:])
        metadata[f"letters with {name}"] = "".join(c for c in every if getattr(hebrew, f"can_{name}")(c))
    save_file(tensors, path, metadata)


def read_lines(path: Path, count: int) -> list[str]:
    _, hebrew, _ = package()
    lines = [hebrew.remove_niqqud(line).strip() for line in path.read_text(encoding="utf-8").splitlines()]
    fit = [line for line in lines if len(line) <= LONGEST and any(map(hebrew.is_hebrew_letter, line))]
    return fit[:count]


def compare(program: Path, folder: Path, lines: list[str]) -> bool:
    model = package_model()
    path = folder / "nakdimon.safetensors"
    save_model(model, path)
    _, _, predict = package()
    model.predict = partial(model.predict, verbose=0)
    return compare_answers(program, path, lines, "nakdimon in Keras",
                           lambda line: predict.predict(line, model, LONGEST + 2))


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "convert":
        save_model(package_model(), Path(sys.argv[2]))
    elif len(sys.argv) in (5, 6) and sys.argv[1] == "compare":
        program, folder, path = (Path(argument) for argument in sys.argv[2:5])
        count = int(sys.argv[5]) if len(sys.argv) == 6 else 200
        sys.exit(0 if compare(program, folder, read_lines(path, count)) else 1)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
