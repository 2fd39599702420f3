# SPDX-License-Identifier: MIT
"""The PyTorch side of scripts/peers optimizer: torch_optimizer.py (check | serve) COUNT SIZE THREADS.

Steps of AdamW(fused=True) with its default options on COUNT parameters of [SIZE, SIZE]. check prints {"mean": ..,
"square": ..} of all numbers after three steps; serve answers each number of seconds on stdin with the seconds a step
took.
"""

import json
import sys
from time import perf_counter

import torch
from torch import Tensor


def mixed(count: int, size: int, factor: int) -> Tensor:
    bits = (torch.arange(count * size * size) * factor) & 0xFFFFFFFF
    return (bits.double() / 4294967296.0 - 0.5).float().reshape(count, size, size)


def main() -> None:
    what = sys.argv[1]
    count, size, threads = (int(argument) for argument in sys.argv[2:])
    torch.set_num_threads(threads)
    parameters = [value.clone().requires_grad_() for value in mixed(count, size, 2654435761)]
    for parameter, gradient in zip(parameters, mixed(count, size, 2246822519), strict=True):
        parameter.grad = gradient.clone()
    optimizer = torch.optim.AdamW(parameters, fused=True)
    if what == "check":
        for _ in range(3):
            optimizer.step()
        values = torch.stack([parameter.detach() for parameter in parameters]).double()
        print(json.dumps({"mean": values.mean().item(), "square": values.square().mean().item()}), flush=True)
        return
    optimizer.step()
    print("{}", flush=True)
    for line in sys.stdin:
        begin, steps, passed = perf_counter(), 0, 0.0
        while steps == 0 or passed < float(line):
            optimizer.step()
            steps += 1
            passed = perf_counter() - begin
        print(json.dumps({"seconds": passed / steps}), flush=True)


if __name__ == "__main__":
    main()
