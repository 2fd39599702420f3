# SPDX-License-Identifier: MIT
"""The PyTorch side of scripts/peers char_lm: torch_char_lm.py FILE THREADS, where FILE comes from `char_lm_peer serve`.

Answers each request line on stdin with one line of JSON:
  check        {"error": ..}: the largest relative error of the losses of the first steps, without dropout
  <seconds>    trains for that long, with dropout -> {"seconds": seconds a step}
"""

import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safetensors_file import below, read_safetensors
from training_server import serve_training

DROPOUT = 0.1


class CharLm(nn.Module):
    """The model of examples/char_lm: its parameters have the same names."""

    def __init__(self, weights: dict[str, Tensor], dropout: float) -> None:
        super().__init__()
        vocab, embedding = weights["embedding.weight"].shape
        hidden = weights["recurrent.weight_hh_l0"].shape[1]
        layers = sum(name.startswith("recurrent.weight_ih_l") for name in weights)
        self.embedding = nn.Embedding(vocab, embedding)
        self.recurrent = nn.LSTM(embedding, hidden, layers, batch_first=True, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, vocab)
        self.load_state_dict(weights)

    def forward(self, symbols: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        read, state = self.recurrent(self.embedding(symbols), state)
        return self.output(self.dropout(read)), state


class Trainer:
    """Trains like the example: rows side by side, the state carried on, clipping, AdamW (fused), a warm-up."""

    def __init__(self, tensors: dict[str, Tensor], dropout: float) -> None:
        begin, count, length, unroll, warmup, rate, decay, clip = tensors["options"].tolist()
        self.begin, self.count, self.length, self.unroll = int(begin), int(count), int(length), int(unroll)
        self.warmup, self.rate, self.clip = warmup, rate, clip
        first = self.begin
        text = tensors["text"][first : first + self.count * self.length + 1]
        self.input = text[:-1].reshape(self.count, self.length)
        self.target = text[1:].reshape(self.count, self.length)
        self.model = CharLm(below(tensors, "weights."), dropout)
        self.parameters = list(self.model.parameters())
        self.optimizer = torch.optim.AdamW(self.parameters, lr=rate, weight_decay=decay, fused=True)
        self.state: tuple[Tensor, Tensor] | None = None
        self.at = 0
        self.steps = 0

    def step(self) -> float:
        """One training step; returns the loss before it."""
        if self.at + self.unroll > self.length:
            self.at, self.state = 0, None
        self.steps += 1
        self.optimizer.param_groups[0]["lr"] = self.rate * min(1.0, self.steps / self.warmup)
        now = slice(self.at, self.at + self.unroll)
        logits, state = self.model(self.input[:, now], self.state)
        loss = F.cross_entropy(logits.flatten(0, 1), self.target[:, now].flatten())
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.clip)
        self.optimizer.step()
        self.state = (state[0].detach(), state[1].detach())
        self.at += self.unroll
        return loss.item()


def check(tensors: dict[str, Tensor]) -> float:
    trainer = Trainer(tensors, 0.0)
    ours = below(tensors, "losses.")
    errors = [abs(trainer.step() / ours[str(i)].item() - 1) for i in range(len(ours))]
    return max(errors) if all(math.isfinite(error) for error in errors) else math.inf


def main() -> None:
    path, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    tensors = read_safetensors(Path(path))
    trainer = Trainer(tensors, DROPOUT)
    serve_training(lambda: check(tensors), trainer.step)


if __name__ == "__main__":
    main()
