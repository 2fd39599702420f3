# SPDX-License-Identifier: MIT
"""The PyTorch side of scripts/peers: answers each request line on stdin with one line of JSON.

torch_peer.py FILE THREADS, where FILE comes from `gradus_peer write`. Requests:

  check:<decoder>      {"loss": .., "gradient": .., "parameter": .., "steps": ..}: errors against the file
  check_chain          {"error": ..}
  check_small          {"error": ..}: the small network's first losses, the batched products
  check_recurrent:<number>:<name>  {"error": ..}: a recurrent layer's output and gradients
  <what> <seconds>     repeats <what> for that long -> {"seconds": seconds a time, "count": how often}
  memory               {"peak_kilobytes": ..}

<what> is train:<decoder>, network:<plain or fused>, bmm, forward_unrecorded, forward, forward_backward, create_graph or
recurrent:<number>.
"""

import json
import math
import re
import sys
from collections.abc import Callable
from itertools import count, cycle
from pathlib import Path
from time import perf_counter

import torch
from torch import Tensor

from safetensors_file import below, read_safetensors
from torch_recurrent import RecurrentLayer
from torch_seq2seq import Batch, Trainer, loss_of, make_model, own_name
from torch_small import SmallTrainer, batched_product

CHAIN_OPS = 100

Answer = dict[str, float | int | str]


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference, relative to the largest number. Infinite when a number is not finite."""
    error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    return error if math.isfinite(error) else math.inf


def read_batches(tensors: dict[str, Tensor]) -> list[Batch]:
    batches: list[Batch] = []
    for i in count():
        fields = below(tensors, f"batches.{i}.")
        if not fields:
            return batches
        assert (fields.pop("lengths") == fields["source"].shape[1]).all(), "rows must have one length"
        batches.append(Batch(**fields))
    raise AssertionError("unreachable")


def run_chain(x: Tensor, w: Tensor) -> Tensor:
    y = x
    for i in range(CHAIN_OPS):
        if i % 3 == 0:
            y = y + w
        elif i % 3 == 1:
            y = y * w
        else:
            y = torch.tanh(y)
    return y


class Peer:
    """The data for the requests. Models are built at the first request."""

    def __init__(self, path: Path) -> None:
        self.tensors = tensors = read_safetensors(path)
        self.recurrent = path.with_name(path.name + ".recurrent")  # read when it is asked for, because it is large
        self.weights = below(tensors, "weights.")
        self.batches = read_batches(tensors)
        self.steps: dict[str, Callable[[], object]] = {}
        self.x = tensors["chain.x"].clone().requires_grad_()
        self.w = tensors["chain.w"].clone().requires_grad_()
        self.cotangent = tensors["chain.cotangent"]

    def check_training(self, decoder: str) -> Answer:
        """Compares loss, every gradient and some whole steps with those of gradus."""
        model = make_model(self.weights, decoder)
        loss = loss_of(model, self.batches[0])
        loss.backward()
        gradients = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        errors = {
            name: relative_error(gradients.pop(own_name(name)), ours)
            for name, ours in below(self.tensors, "gradients.").items()
        }
        assert not gradients, f"no gradient of ours for {sorted(gradients)}"
        worst = max(errors, key=lambda name: errors[name])
        return {
            "loss": relative_error(loss.detach(), self.tensors["loss"]),
            "gradient": errors[worst],
            "parameter": worst,
            "parameters": len(errors),
            "steps": self.check_steps(decoder),
        }

    def check_steps(self, decoder: str) -> float:
        trainer = Trainer(make_model(self.weights, decoder))
        ours = below(self.tensors, "losses.")
        errors = [relative_error(trainer.step(self.batches[i]).detach(), ours[str(i)]) for i in range(len(ours))]
        return max(errors)

    def check_chain(self) -> Answer:
        y = run_chain(self.x, self.w)
        dx, dw = torch.autograd.grad(y, (self.x, self.w), self.cotangent)
        pairs = {"y": y.detach(), "dx": dx, "dw": dw}
        return {"error": max(relative_error(value, self.tensors[f"chain.{name}"]) for name, value in pairs.items())}

    def check_small(self) -> Answer:
        trainer = self.small_trainer("plain")
        ours = below(self.tensors, "network_losses.")
        errors = [relative_error(trainer.step().detach(), ours[str(i)]) for i in range(len(ours))]
        product = torch.bmm(self.tensors["bmm.a"], self.tensors["bmm.b"])
        return {"error": max(*errors, relative_error(product, self.tensors["bmm.c"]))}

    def check_recurrent(self, number: str, name: str) -> Answer:
        tensors = below(read_safetensors(self.recurrent), f"recurrent.{number}.")
        layer = RecurrentLayer(name, tensors)
        self.steps[f"recurrent:{number}"] = layer.run
        return {"error": max(relative_error(value, tensors[key]) for key, value in layer.results().items())}

    def small_trainer(self, kind: str) -> SmallTrainer:
        return SmallTrainer(below(self.tensors, "network."), fused=kind == "fused")

    def training_step(self, decoder: str) -> Callable[[], object]:
        trainer = Trainer(make_model(self.weights, decoder))
        batches = cycle(self.batches)
        return lambda: trainer.step(next(batches))

    def chain_forward_unrecorded(self) -> None:
        with torch.inference_mode():
            run_chain(self.x, self.w)

    def chain_forward(self) -> None:
        run_chain(self.x, self.w)

    def chain_gradient(self, *, create_graph: bool) -> None:
        y = run_chain(self.x, self.w)
        torch.autograd.grad(y, (self.x, self.w), self.cotangent, create_graph=create_graph)

    def work(self, what: str) -> Callable[[], object]:
        """The function to time. The same name gives the same function, so that training continues."""
        if what not in self.steps:
            self.steps[what] = self.make_work(what)
        return self.steps[what]

    def make_work(self, what: str) -> Callable[[], object]:
        if what.startswith("train:"):
            return self.training_step(what.removeprefix("train:"))
        if what.startswith("network:"):
            return self.small_trainer(what.removeprefix("network:")).step
        return {
            "bmm": batched_product(self.tensors["bmm.a"], self.tensors["bmm.b"]),
            "forward_unrecorded": self.chain_forward_unrecorded,
            "forward": self.chain_forward,
            "forward_backward": lambda: self.chain_gradient(create_graph=False),
            "create_graph": lambda: self.chain_gradient(create_graph=True),
        }[what]

    def answer(self, request: str) -> Answer:
        if request == "memory":
            return {"peak_kilobytes": peak_kilobytes()}
        if request == "check_chain":
            return self.check_chain()
        if request == "check_small":
            return self.check_small()
        if request.startswith("check_recurrent:"):
            return self.check_recurrent(*request.split(":")[1:])
        if request.startswith("check:"):
            return self.check_training(request.removeprefix("check:"))
        what, seconds = request.split()
        return repeat_for(float(seconds), self.work(what))


def repeat_for(seconds: float, work: Callable[[], object]) -> Answer:
    begin = perf_counter()
    for done in count(1):
        work()
        passed = perf_counter() - begin
        if passed >= seconds:
            return {"seconds": passed / done, "count": done}
    raise AssertionError("unreachable")


def peak_kilobytes() -> int:
    """The largest resident size of this process so far, according to Linux."""
    found = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    assert found, "/proc/self/status holds no VmHWM"
    return int(found.group(1))


def main() -> None:
    path, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    peer = Peer(Path(path))
    for line in sys.stdin:
        print(json.dumps(peer.answer(line.strip())), flush=True)


if __name__ == "__main__":
    main()
