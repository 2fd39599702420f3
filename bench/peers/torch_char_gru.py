# SPDX-License-Identifier: MIT
"""The PyTorch side of scripts/peers char_gru: torch_char_gru.py FILE THREADS, where FILE comes from `char_gru_peer
serve`.

Answers each request line on stdin with one line of JSON:
  check        {"error": ..}: the largest relative error of the losses of the first steps
  <seconds>    trains for that long -> {"seconds": seconds a step}
"""

import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safetensors_file import below, read_safetensors
from training_server import serve_training


class CharGru(nn.Module):
    """The model of char_gru_peer.cpp: its parameters have the same names."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        super().__init__()
        symbols, embedding = weights["embedding.weight"].shape
        dense, hidden = weights["dense.weight"].shape
        self.embedding = nn.Embedding(symbols, embedding)
        self.gru = nn.GRU(embedding, hidden, batch_first=True)
        self.dense = nn.Linear(hidden, dense)
        self.output = nn.Linear(dense, symbols)
        self.load_state_dict(weights)

    def forward(self, symbols: Tensor) -> Tensor:
        logits: Tensor = self.output(self.dense(self.gru(self.embedding(symbols))[0]))
        return logits


class Training:
    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.text = tensors["text"]
        self.model = CharGru(below(tensors, "weights."))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=True)
        self.at = 0

    def step(self) -> float:
        """One training step; returns the loss before it."""
        batch = self.text[self.at]
        self.at = (self.at + 1) % len(self.text)
        loss = F.cross_entropy(self.model(batch[:, :-1]).flatten(0, 1), batch[:, 1:].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def check(tensors: dict[str, Tensor]) -> float:
    training = Training(tensors)
    ours = below(tensors, "losses.")
    errors = [abs(training.step() / ours[str(i)].item() - 1) for i in range(len(ours))]
    return max(errors) if all(math.isfinite(error) for error in errors) else math.inf


def main() -> None:
    path, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    tensors = read_safetensors(Path(path))
    training = Training(tensors)
    serve_training(lambda: check(tensors), training.step)


if __name__ == "__main__":
    main()
