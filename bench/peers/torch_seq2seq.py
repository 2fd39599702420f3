# SPDX-License-Identifier: MIT
"""The example's model in PyTorch: bidirectional GRU encoder, additive attention, GRU decoder.

Computes the same function of the same weights as gradus::Seq2Seq (Bahdanau et al. 2015), as fast as eager PyTorch
allows: nn.GRU for the encoder, keys projected once, output layer once for all steps. The decoder's loop exists in
three forms, and the fastest one on this machine is compared.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Batch:
    """Source and shifted target [B, T], and the target itself; all rows have the same length."""

    source: Tensor
    target_in: Tensor
    target_out: Tensor


class AdditiveAttention(nn.Module):
    """score = v^T tanh(W_a q + U_a k)."""

    def __init__(self, query_size: int, key_size: int, size: int) -> None:
        super().__init__()
        self.query_proj = nn.Linear(query_size, size, bias=False)
        self.key_proj = nn.Linear(key_size, size, bias=False)
        self.v = nn.Parameter(torch.empty(size))

    def forward(self, query: Tensor, keys: Tensor) -> Tensor:
        """Weights [B, 1, Tk] of a query [B, Q] over keys that key_proj made."""
        scores = torch.tanh(keys + self.query_proj(query).unsqueeze(1)) @ self.v
        return torch.softmax(scores, dim=1).unsqueeze(1)


class Seq2Seq(nn.Module):
    """Parameter names are those of gradus, except in the decoder's cell (see `load`)."""

    def __init__(self, vocabulary: int, embedding: int = 32, hidden: int = 64) -> None:
        super().__init__()
        self.hidden = hidden
        self.embedding = embedding
        self.source_embedding = nn.Embedding(vocabulary, embedding)
        self.target_embedding = nn.Embedding(vocabulary, embedding)
        self.encoder = nn.GRU(embedding, hidden, batch_first=True, bidirectional=True)
        self.bridge = nn.Linear(hidden, hidden)
        self.attention = AdditiveAttention(hidden, 2 * hidden, hidden)
        self.decoder = nn.GRUCell(embedding + 2 * hidden, hidden)
        self.output = nn.Linear(3 * hidden + embedding, vocabulary)
        self.decode: Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]] = self.decode_cell

    def forward(self, source: Tensor, target_in: Tensor) -> Tensor:
        """Logits [B, T, vocabulary]."""
        memory, last = self.encoder(self.source_embedding(source))
        embedded = self.target_embedding(target_in)
        states, contexts = self.decode(embedded, memory, torch.tanh(self.bridge(last[1])))
        return self.output(torch.cat((states, contexts, embedded), dim=2))

    def decode_cell(self, embedded: Tensor, memory: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """nn.GRUCell on the concatenated symbol and context."""
        keys = self.attention.key_proj(memory)
        states, contexts = [], []
        for symbol in embedded.unbind(1):
            context = torch.bmm(self.attention(h, keys), memory).squeeze(1)
            h = self.decoder(torch.cat((symbol, context), dim=1), h)
            states.append(h)
            contexts.append(context)
        return torch.stack(states, 1), torch.stack(contexts, 1)

    def decode_gates(self, embedded: Tensor, memory: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """The cell written out; the symbols' share of its gates is projected once for all steps."""
        keys = self.attention.key_proj(memory)
        of_symbol, of_context = self.decoder.weight_ih.split((self.embedding, 2 * self.hidden), dim=1)
        of_context = of_context.t()
        states, contexts = [], []
        for gates in F.linear(embedded, of_symbol, self.decoder.bias_ih).unbind(1):
            context = torch.bmm(self.attention(h, keys), memory).squeeze(1)
            h = self.cell(torch.addmm(gates, context, of_context), h)
            states.append(h)
            contexts.append(context)
        return torch.stack(states, 1), torch.stack(contexts, 1)

    def decode_folded(self, embedded: Tensor, memory: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Like decode_gates, with the memory's share of the gates projected once too. Contexts come after the loop."""
        keys = self.attention.key_proj(memory)
        of_symbol, of_context = self.decoder.weight_ih.split((self.embedding, 2 * self.hidden), dim=1)
        memory_gates = F.linear(memory, of_context)
        states, weights = [], []
        for gates in F.linear(embedded, of_symbol, self.decoder.bias_ih).unsqueeze(2).unbind(1):
            weights.append(self.attention(h, keys))
            h = self.cell(torch.baddbmm(gates, weights[-1], memory_gates).squeeze(1), h)
            states.append(h)
        return torch.stack(states, 1), torch.bmm(torch.cat(weights, 1), memory)

    def cell(self, gates: Tensor, h: Tensor) -> Tensor:
        """One step of the GRU from the input's share of its gates, in as few operations as possible."""
        cell = self.decoder
        of_h = torch.addmm(cell.bias_hh, h, cell.weight_hh.t())
        sizes = (2 * self.hidden, self.hidden)
        x_rz, x_n = gates.split(sizes, dim=1)
        h_rz, h_n = of_h.split(sizes, dim=1)
        r, z = torch.sigmoid(x_rz + h_rz).chunk(2, dim=1)
        n = torch.tanh(torch.addcmul(x_n, r, h_n))
        return torch.lerp(n, h, z)

    def load(self, weights: dict[str, Tensor]) -> None:
        """Takes the weights of a gradus::Seq2Seq."""
        self.load_state_dict({own_name(name): value for name, value in weights.items()})


DECODERS = ("cell", "gates", "folded")


def own_name(name: str) -> str:
    """The name in this file for a parameter of gradus."""
    return name.removesuffix("_l0") if name.startswith("decoder.") else name


def make_model(weights: dict[str, Tensor], decoder: str) -> Seq2Seq:
    """A model with these weights and this form (one of DECODERS) of the decoder's loop."""
    vocabulary, embedding = weights["source_embedding.weight"].shape
    model = Seq2Seq(vocabulary, embedding, weights["bridge.bias"].numel())
    model.load(weights)
    model.decode = getattr(model, f"decode_{decoder}")
    return model


def loss_of(model: Seq2Seq, batch: Batch) -> Tensor:
    """Mean cross-entropy over all symbols of the target."""
    logits = model(batch.source, batch.target_in)
    return F.cross_entropy(logits.flatten(0, 1), batch.target_out.flatten())


class Trainer:
    """Trains like the example: clipping at norm 1 and Adam (fused) with a rate that rises over 100 steps."""

    PEAK_RATE = 4e-3
    WARMUP = 100

    def __init__(self, model: Seq2Seq) -> None:
        self.model = model
        self.parameters = list(model.parameters())
        self.optimizer = torch.optim.Adam(self.parameters, lr=self.PEAK_RATE, fused=True)
        self.steps = 0

    def step(self, batch: Batch) -> Tensor:
        """One training step; returns the loss before it."""
        self.steps += 1
        self.optimizer.param_groups[0]["lr"] = self.PEAK_RATE * min(1.0, self.steps / self.WARMUP)
        self.optimizer.zero_grad()
        loss = loss_of(self.model, batch)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        return loss
