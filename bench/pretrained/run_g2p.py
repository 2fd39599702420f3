#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run_g2p.py convert FILE | compare PROGRAM FOLDER WORDS [COUNT]: the model of the package g2p-en in gradus.

`convert` writes it as .safetensors. `compare` lets the program g2p of gradus and the package's own `predict` pronounce
COUNT words (10,000), evenly spread over the first column of WORDS, a file such as cmudict.dict. All answers must be
equal. Needs numpy, safetensors and g2p-en without its dependencies: what is not installed of them is only needed for
whole sentences, and replaced by empty modules.
"""

import sys
from pathlib import Path
from unittest import mock

import numpy as np
from answers import compare_answers
from safetensors.numpy import save_file

NAMES = {"enc_emb": "letter_embedding.weight", "dec_emb": "phoneme_embedding.weight",
         "fc_w": "output.weight", "fc_b": "output.bias"}
for ours, theirs in (("encoder", "enc"), ("decoder", "dec")):
    for kind, short in (("weight", "w"), ("bias", "b")):
        for side in ("ih", "hh"):
            NAMES[f"{theirs}_{short}_{side}"] = f"{ours}.{kind}_{side}_l0"


def package_model():
    """An object of the package's class G2p, without dictionaries."""
    parts = ("nltk", "nltk.corpus", "nltk.tokenize", "inflect")
    with mock.patch.dict(sys.modules, {name: mock.MagicMock() for name in parts}):
        from g2p_en.g2p import G2p
        return G2p()


def save_model(model, path: Path, metadata: dict[str, str] | None = None) -> None:
    tensors = {ours: np.asarray(getattr(model, theirs)) for theirs, ours in NAMES.items()}
    save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, path,
              {"letters": " ".join(model.graphemes), "phonemes": " ".join(model.phonemes), **(metadata or {})})


def read_words(path: Path, count: int) -> list[str]:
    words = [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.split()]
    count = min(count, len(words))
    return [words[i * len(words) // count] for i in range(count)]


def compare(program: Path, folder: Path, words: list[str]) -> bool:
    model = package_model()
    path = folder / "g2p.safetensors"
    save_model(model, path)
    return compare_answers(program, path, words, "g2p-en", lambda word: " ".join(model.predict(word)))


def main() -> None:
    if len(sys.argv) == 3 and sys.argv[1] == "convert":
        save_model(package_model(), Path(sys.argv[2]))
    elif len(sys.argv) in (5, 6) and sys.argv[1] == "compare":
        program, folder, path = (Path(argument) for argument in sys.argv[2:5])
        count = int(sys.argv[5]) if len(sys.argv) == 6 else 10_000
        sys.exit(0 if compare(program, folder, read_words(path, count)) else 1)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
