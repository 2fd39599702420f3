# SPDX-License-Identifier: MIT
"""The JAX side of `scripts/peers recurrent`: recurrent layers as compiled `lax.scan`, forward and backward by the input
and all parameters. Answers each request line on stdin with one line of JSON.

jax_peer.py FILE THREADS, where FILE is the `.recurrent` that `gradus_peer write` makes. Requests:

  check:<number>:<name>      {"error": .., "unroll": ..}: error of output and gradients, the fastest unrolling of the scan
  recurrent:<number> <seconds>   repeats it for that long -> {"seconds": seconds a time}

The arrays are time-major, and the products of the inputs of all steps are one product before the scan.
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

FILE, THREADS = Path(sys.argv[1]), int(sys.argv[2])
if THREADS == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax  # noqa: E402  (it reads XLA_FLAGS when it is imported)
import jax.numpy as jnp  # noqa: E402
from jax import lax  # noqa: E402
from safetensors_file import below, read_safetensors  # noqa: E402

Arrays = dict[str, Any]


def rnn_step(h: Any, gates: Any, w: Any, b: Any) -> Any:
    return jnp.tanh(gates + h @ w.T + b)


def gru_step(h: Any, gates: Any, w: Any, b: Any) -> Any:
    xr, xz, xn = jnp.split(gates, 3, -1)
    hr, hz, hn = jnp.split(h @ w.T + b, 3, -1)
    z = jax.nn.sigmoid(xz + hz)
    n = jnp.tanh(xn + jax.nn.sigmoid(xr + hr) * hn)
    return (1 - z) * n + z * h


def lstm_step(state: Any, gates: Any, w: Any, b: Any) -> Any:
    h, c = state
    i, f, g, o = jnp.split(gates + h @ w.T + b, 4, -1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


STEPS = {"rnn": rnn_step, "gru": gru_step, "lstm": lstm_step}


def run_layer(cell: str, unroll: int, x: Any, weights: Arrays, layer: int) -> Any:
    w_ih, w_hh, b_ih, b_hh = (weights[f"{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    zeros = jnp.zeros((x.shape[1], w_hh.shape[1]), x.dtype)

    def step(state: Any, gates: Any) -> Any:
        state = STEPS[cell](state, gates, w_hh, b_hh)
        return state, state[0] if cell == "lstm" else state

    _, y = lax.scan(step, (zeros, zeros) if cell == "lstm" else zeros, x @ w_ih.T + b_ih, unroll=unroll)
    return y


class Layers:
    """All layers of one shape with the fastest unrolling of its scan."""

    def __init__(self, name: str, tensors: Arrays) -> None:
        self.cell = name.split()[0]
        arrays = {key: jnp.asarray(value.numpy()) for key, value in tensors.items()}
        self.results = arrays
        self.weights = below(arrays, "weights.")
        self.x, self.cotangent = (jnp.swapaxes(arrays[key], 0, 1) for key in ("x", "cotangent"))
        steps = self.x.shape[0]
        runs = {unroll: self.compiled(unroll) for unroll in sorted({1, 2, 5, 10, steps})}
        times = {unroll: min(self.timed(run) for _ in range(3)) for unroll, run in runs.items()}
        self.unroll = min(times, key=lambda unroll: times[unroll])
        self.call = runs[self.unroll]

    def compiled(self, unroll: int) -> Callable[..., Any]:
        layers = sum(key.startswith("weight_ih_l") for key in self.weights)

        def forward(x: Any, weights: Arrays) -> Any:
            for layer in range(layers):
                x = run_layer(self.cell, unroll, x, weights, layer)
            return x

        def forward_and_backward(x: Any, weights: Arrays, cotangent: Any) -> Any:
            y, vjp = jax.vjp(forward, x, weights)
            return y, *vjp(cotangent)

        run = jax.jit(forward_and_backward)
        jax.block_until_ready(run(self.x, self.weights, self.cotangent))
        return run

    def timed(self, run: Callable[..., Any]) -> float:
        begin = perf_counter()
        jax.block_until_ready(run(self.x, self.weights, self.cotangent))
        return perf_counter() - begin

    def run(self) -> None:
        jax.block_until_ready(self.call(self.x, self.weights, self.cotangent))

    def error(self) -> float:
        y, dx, gradients = self.call(self.x, self.weights, self.cotangent)
        found = {"y": jnp.swapaxes(y, 0, 1), "gradients.x": jnp.swapaxes(dx, 0, 1)}
        found.update({f"gradients.{name}": value for name, value in gradients.items()})
        errors = [jnp.abs(v - self.results[key]).max() / jnp.abs(self.results[key]).max() for key, v in found.items()]
        return float(jnp.stack(errors).max())


def repeat_for(seconds: float, work: Callable[[], None]) -> float:
    begin, count, passed = perf_counter(), 0, 0.0
    while count == 0 or passed < seconds:
        work()
        count += 1
        passed = perf_counter() - begin
    return passed / count


def main() -> None:
    tensors = read_safetensors(FILE)
    made: dict[str, Layers] = {}
    for line in sys.stdin:
        what = line.strip()
        if what.startswith("check:"):
            _, number, name = what.split(":")
            made = {number: Layers(name, below(tensors, f"recurrent.{number}."))}
            answer: Arrays = {"error": made[number].error(), "unroll": made[number].unroll}
        else:
            request, seconds = what.split()
            answer = {"seconds": repeat_for(float(seconds), made[request.removeprefix("recurrent:")].run)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
