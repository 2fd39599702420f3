# SPDX-License-Identifier: MIT
"""The small workloads in PyTorch: a 2-16-16-1 network trained one example at a time, and small batched products."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LAYERS = {"first": 0, "second": 2, "third": 4}


class SmallTrainer:
    """nn.Sequential, squared error and Adam, with PyTorch's option `fused`."""

    def __init__(self, tensors: dict[str, Tensor], *, fused: bool) -> None:
        self.model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
        with torch.no_grad():
            for name, index in LAYERS.items():
                layer = self.model[index]
                assert isinstance(layer, nn.Linear)
                layer.weight.copy_(tensors[f"{name}.weight"])
                layer.bias.copy_(tensors[f"{name}.bias"])
        self.examples = list(zip(tensors["inputs"].unbind(0), tensors["targets"].unbind(0), strict=True))
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, fused=fused)
        self.steps = 0

    def step(self) -> Tensor:
        """One full step; returns the loss before it."""
        x, target = self.examples[self.steps % len(self.examples)]
        self.steps += 1
        loss = F.mse_loss(self.model(x), target)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss


def batched_product(a: Tensor, b: Tensor) -> Callable[[], object]:
    """A call of bmm into existing memory."""
    out = torch.bmm(a, b)
    return lambda: torch.bmm(a, b, out=out)
