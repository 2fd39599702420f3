# SPDX-License-Identifier: MIT
"""The PyTorch side of `scripts/peers attention`. FILE comes from attention_peer.

torch_attention.py check FILE THREADS WAY          {"error": ..}: the worst error against the results in FILE
torch_attention.py memory FILE THREADS WAY         {"bytes": ..}: by how much a run (of training steps: three) raises
                                                   the peak of resident memory
torch_attention.py serve FILE THREADS WAY          answers {}, and then each line on stdin, a number of seconds:
                                                   repeats the work for that long -> {"seconds": seconds a time}

WAY is "ops" (plain operations) or "fused" (scaled_dot_product_attention); training steps have one way, "fused".
"""

import json
import math
import re
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from safetensors_file import below, read_safetensors

KINDS = ("plain", "causal", "dropout", "padded", "bias", "additive")
Tensors = dict[str, Tensor]


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, relative to the largest number. Infinite when a number is not finite."""
    error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    return error if math.isfinite(error) else math.inf


class Attention:
    """Attention with the gradients of all inputs."""

    def __init__(self, tensors: Tensors, way: str) -> None:
        self.kind = KINDS[int(tensors["kind"])]
        self.fused = way == "fused"
        self.inputs = {name: tensors[name].requires_grad_() for name in ("q", "k", "v", "bias", "w") if name in tensors}
        self.cotangent = tensors["cotangent"]
        self.results = below(tensors, "result.")
        self.dropout = 0.1 if self.kind == "dropout" else 0.0
        self.keep: Tensor | None = None
        length = self.inputs["k"].shape[-2]
        if self.kind == "causal":
            self.keep = torch.ones(length, length, dtype=torch.bool).tril()
        if "lengths" in tensors:
            self.keep = (torch.arange(length) < tensors["lengths"][:, None])[:, None, None, :]

    def forward(self) -> Tensor:
        q, k, v = (self.inputs[name] for name in "qkv")
        if self.kind == "additive":
            scores = torch.tanh(q[:, :, None] + k[:, None]) @ self.inputs["w"]
            return scores.softmax(-1) @ v
        bias = self.inputs.get("bias")
        if self.fused and self.kind == "causal":
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)
        if self.fused:
            return F.scaled_dot_product_attention(
                q, k, v, attn_mask=self.keep if bias is None else bias[None], dropout_p=self.dropout
            )
        scores = (q @ k.transpose(-1, -2)) * (q.shape[-1] ** -0.5)
        if bias is not None:
            scores = scores + bias
        if self.keep is not None:
            scores = scores.masked_fill(~self.keep, -math.inf)
        weights = scores.softmax(-1)
        return (F.dropout(weights, self.dropout) if self.dropout else weights) @ v

    def run(self) -> tuple[Tensor, ...]:
        y = self.forward()
        return (*torch.autograd.grad(y, tuple(self.inputs.values()), self.cotangent), y)

    def additive_in_f64(self) -> tuple[Tensor, ...]:
        """Additive attention item by item, for little memory. In f32, PyTorch's dw of 8 x 1024 x 1024 scores is off by
        1e-4."""
        inputs, cotangent = self.inputs, self.cotangent
        items = []
        for b in range(len(cotangent)):
            self.inputs = {
                name: (x if name == "w" else x[b : b + 1]).detach().double().requires_grad_()
                for name, x in inputs.items()
            }
            self.cotangent = cotangent[b : b + 1].double()
            items.append(self.run())
        self.inputs, self.cotangent = inputs, cotangent
        dq, dk, dv, dw, y = zip(*items, strict=True)
        return torch.cat(dq), torch.cat(dk), torch.cat(dv), sum(dw), torch.cat(y)

    def error(self) -> float:
        dropout, self.dropout = self.dropout, 0.0
        values = self.additive_in_f64() if self.kind == "additive" else self.run()
        self.dropout = dropout
        names = [*(f"d{name}" for name in self.inputs), "y"]
        return max(relative_error(x.detach(), self.results[name]) for x, name in zip(values, names, strict=True))


class Model(nn.Module):
    """The transformers of gradus with the same parameter names."""

    def __init__(self, tensors: Tensors) -> None:
        super().__init__()
        seq2seq, layers, width, heads, vocab = (int(x) for x in tensors["sizes"])
        self.seq2seq, self.width = bool(seq2seq), width
        options = {"d_model": width, "nhead": heads, "dim_feedforward": 4 * width, "dropout": 0.0, "batch_first": True}
        length = tensors["input"].shape[1]
        names = ("source_input", "target_input") if seq2seq else ("input",)
        for name in names:
            setattr(self, name, nn.ModuleDict({"embedding": nn.Embedding(vocab, width)}))
        if seq2seq:
            self.transformer = nn.Transformer(num_encoder_layers=layers, num_decoder_layers=layers, **options)
        else:
            layer = nn.TransformerEncoderLayer(norm_first=True, **options)
            self.decoder = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.output = nn.Linear(width, vocab)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(length), persistent=False)
        position, pair = torch.arange(length)[:, None], torch.arange(0, width, 2)
        angle = position * torch.exp(pair * (-math.log(10000.0) / width))
        table = torch.stack((angle.sin(), angle.cos()), 2).reshape(length, width)
        self.register_buffer("positions", table, persistent=False)

    def embed(self, name: str, symbols: Tensor) -> Tensor:
        return getattr(self, name)["embedding"](symbols) * math.sqrt(self.width) + self.positions

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        if not self.seq2seq:
            return self.output(self.decoder(self.embed("input", target), mask=self.mask, is_causal=True))
        x, y = self.embed("source_input", source), self.embed("target_input", target)
        return self.output(self.transformer(x, y, tgt_mask=self.mask, tgt_is_causal=True))


class TrainingStep:
    """Forward, cross-entropy, backward and a fused Adam."""

    def __init__(self, tensors: Tensors, _: str) -> None:
        self.tensors = tensors
        self.model = Model(tensors)
        self.model.load_state_dict(below(tensors, "weights."))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=True)

    def run(self) -> Tensor:
        self.optimizer.zero_grad()
        logits = self.model(self.tensors["source"], self.tensors["input"])
        loss = F.cross_entropy(logits.flatten(0, 1), self.tensors["target"].flatten())
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def error(self) -> float:
        return max(relative_error(self.run(), self.tensors[f"result.loss{i}"]) for i in range(3))


def made(tensors: Tensors, way: str) -> Attention | TrainingStep:
    return TrainingStep(tensors, way) if "sizes" in tensors else Attention(tensors, way)


def kilobytes(field: str) -> int:
    found = re.search(rf"{field}:\s*(\d+)", Path("/proc/self/status").read_text())
    assert found, f"/proc/self/status holds no {field}"
    return int(found.group(1))


def memory(work: Callable[[], object], runs: int) -> int:
    # What the first work of a process allocates for good does not count.
    x = torch.rand(2, 2, 8, 8, requires_grad=True)
    torch.autograd.grad(F.scaled_dot_product_attention(x, x, x).sum() + (x @ x).softmax(-1).sum(), x)
    Path("/proc/self/clear_refs").write_text("5")
    before = kilobytes("VmRSS")
    for _ in range(runs):
        kept = work()
    assert kept is not None
    return 1024 * (kilobytes("VmHWM") - before)


def serve(work: Callable[[], object]) -> None:
    print("{}", flush=True)
    for line in sys.stdin:
        begin, done, passed = perf_counter(), 0, 0.0
        while done == 0 or passed < float(line):
            work()
            done += 1
            passed = perf_counter() - begin
        print(json.dumps({"seconds": passed / done}), flush=True)


def main() -> None:
    what, path, threads, way = sys.argv[1:]
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    work = made(read_safetensors(Path(path)), way)
    if what == "check":
        print(json.dumps({"error": work.error()}))
    elif what == "memory":
        print(json.dumps({"bytes": memory(work.run, 3 if isinstance(work, TrainingStep) else 1)}))
    else:
        serve(work.run)


if __name__ == "__main__":
    main()
