# SPDX-License-Identifier: MIT
"""Writes elementwise.txt: functions of one, two or three numbers at extreme inputs, in f32 and f64.

    cd tests/autograd/battery/extremes && python3 elementwise.py > elementwise.txt        (needs mpmath)

A line: function, dtype, inputs | value, first, second and third derivatives by input (f; f_a f_b; f_aa f_ab f_bb; ...).
A field: the number; `number~scale` where rounding the inputs matters more than rounding the number; `?` where there
is no limit. The tests need only the table.
"""
import itertools

import mpmath as mp

import jets as j
from truth import field, input_text, limits, rounded

HALF = mp.mpf(1) / 2


def piecewise(choose):
    """choose(value, jet) picks the branch for the value."""
    return lambda x: choose(x.value, x)


def gelu_tanh(x):
    u = mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x * x * x)
    return x * j.sigmoid(2 * u)


def extreme(a, b, larger):
    if a.value == b.value:
        return (a + b) * HALF
    return a if (a.value > b.value) == larger else b


def pow_of(a, b):
    """a^b. For a below 0 it takes whole exponents, as constants."""
    if a.value > 0:
        return j.exp(b * j.log(a))
    if mp.isint(b.value) and abs(b.value) < 1e6:
        if a.value == 0 and b.value < 0:
            raise ZeroDivisionError
        return j.power(a, b.value)
    raise ZeroDivisionError if a.value == 0 else j.Undefined


def only_above(bound, f):
    """f where x > bound. At a bound of 0, the limit from above."""

    def of(x):
        if x.value < bound or x.value == bound != 0:
            raise j.Undefined
        if x.value == 0 == bound:
            raise ZeroDivisionError
        return f(x)

    return of


def huber(x, t):
    d = x - t
    return d * d * HALF if abs(d.value) <= 1 else (d if d.value > 0 else -d) - HALF


def magnitude(x):
    return x * int(mp.sign(x.value))


def kl_div(x, t):
    return j.jet(0) if t.value == 0 else t * (j.log(t) - x)


UNARY = {
    "exp": j.exp,
    "log": only_above(0, j.log),
    "sqrt": only_above(0, lambda x: j.power(x, HALF)),
    "square": lambda x: x * x,
    "abs": magnitude,
    "sign": lambda x: j.jet(mp.sign(x.value)),
    "tanh": j.tanh,
    "sigmoid": j.sigmoid,
    "relu": piecewise(lambda a, x: x if a > 0 else j.jet(0)),
    "rsqrt": only_above(0, lambda x: j.power(x, -HALF)),
    "reciprocal": lambda x: j.power(x, -1),
    "expm1": j.expm1,
    "log1p": only_above(-1, j.log1p),
    "sin": j.sin,
    "cos": j.cos,
    "erf": j.erf,
    "floor": lambda x: j.jet(mp.floor(x.value)),
    "ceil": lambda x: j.jet(mp.ceil(x.value)),
    "round": lambda x: j.jet(mp.nint(x.value)),
    "clamp": piecewise(lambda a, x: x if -1 <= a <= HALF else j.jet(-1 if a < -1 else HALF)),
    "leaky_relu": piecewise(lambda a, x: x if a > 0 else x * mp.mpf("0.125")),
    "elu": piecewise(lambda a, x: x if a > 0 else j.expm1(x) * mp.mpf("0.75")),
    "gelu": lambda x: x * j.normal_distribution(x),
    "gelu_tanh": gelu_tanh,
    "silu": lambda x: x * j.sigmoid(x),
    "softplus": j.softplus,
    "log_sigmoid": lambda x: -j.softplus(-x),
    "affine": lambda x: x * -1.5 + 0.25,
    "alias": lambda x: x,
    "pow_scalar 0": lambda x: j.jet(1),
    "pow_scalar 1": lambda x: x,
    "pow_scalar 3": lambda x: x * x * x,
    "pow_scalar 0.25": only_above(0, lambda x: j.power(x, HALF / 2)),
    "pow_scalar -1.5": only_above(0, lambda x: j.power(x, -3 * HALF)),
    "pow_scalar -2": lambda x: j.power(x, -2),
    "bce_with_logits 1": lambda x: j.softplus(-x),
    "bce_with_logits 0": j.softplus,
}

BINARY = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "maximum": lambda a, b: extreme(a, b, True),
    "minimum": lambda a, b: extreme(a, b, False),
    "mse_loss": lambda a, b: (a - b) * (a - b),
    "l1_loss": lambda a, b: magnitude(a - b),
    "huber_loss": huber,
}

POSITIVE = {"pow": pow_of}
TARGETS = {"kl_div": kl_div}
TERNARY = {"lerp": lambda a, b, w: a + w * (b - a)}

SIZES = {
    "f32": [1e-45, 1e-40, 1e-30, 1e-10, 0.3, 1, 2.5, 10, 20, 90, 1e3, 1e10, 1e20, 1e30, 3e38],
    "f64": [5e-324, 1e-310, 1e-300, 1e-30, 1e-10, 0.3, 1, 2.5, 10, 20, 40, 750, 1e10, 1e30, 1e150, 1e300, 1.7e308],
}
ENDS = {"f32": (1e-40, 1e-30, 1e30), "f64": (1e-310, 1e-300, 1e300)}


def both_signs(sizes):
    return [s * x for x in sizes for s in (1, -1)]


def points(name, dtype):
    """The inputs for a function."""
    subnormal, small, large = ENDS[dtype]
    if name in UNARY:
        return [[x] for x in both_signs([0.0] + SIZES[dtype] + [mp.inf])]
    if name in POSITIVE:
        bases = [0.0, subnormal, small, 1, 2, large, mp.inf, -1.5, -large]
        powers = [0.0, small, 0.5, 1, 2, 3, -1, large, -large, mp.inf, -mp.inf]
        # A tiny power of 0 or infinity converges too slowly.
        return [(a, b) for a in bases for b in powers if not (b == small and (a == 0 or mp.isinf(a)))]
    if name in TARGETS:
        return list(itertools.product([0.0, -1, -large, -mp.inf], [0.0, subnormal, small, 0.5, 1]))
    if name in TERNARY:
        return list(itertools.product([1, small, large, -large, 3 * large], [-2, large, -large], [0.0, small, 0.5, 1]))
    if name == "huber_loss":
        return list(itertools.product([0.0, small, -small, 0.25, 3, -large], [0.0, small, 0.5, -2, large, mp.inf]))
    values = [0.0, subnormal] + both_signs([small, 1, large]) + [mp.inf, -mp.inf]
    return list(itertools.product(values, values))


def derivative(f, along):
    """d^n f, n = len(along): one unit of a nilpotent number for each input named."""

    def at(inputs):
        def seeded(directions):
            args = []
            for i, x in enumerate(inputs):
                parts = [x] + [mp.mpf(0)] * (len(j.MASKS) - 1)
                for e, d in enumerate(directions):
                    if d == i:
                        parts[1 << e] = mp.mpf(1)
                args.append(j.Jet(parts))
            return f(*args).parts[(1 << len(directions)) - 1]

        value = seeded(along)
        scale = abs(value)
        for i, x in enumerate(inputs):
            scale += abs(x * seeded(along + (i,)))
        return [value, scale]

    return at


def is_convention(name, inputs, along):
    """For a <= 0, the derivative of a^b by b is the convention in docs/DESIGN.md, not a limit."""
    return name == "pow" and 1 in along and (inputs[0] < 0 or inputs[0] == 0 and (inputs[1] <= 0 or 0 in along))


def line(name, f, dtype, inputs):
    mp.mp.dps = 80 if len(inputs) == 1 else 700
    inputs = [x if mp.isinf(x) else rounded(x, dtype) for x in inputs]
    out = []
    for order in range(4):
        for along in itertools.combinations_with_replacement(range(len(inputs)), order):
            result = None
            if not is_convention(name, inputs, along):
                result = limits(derivative(f, along), inputs, exact_zeros=name in TARGETS)
            out.append("?" if result is None else field(*result, dtype))
    shown = " ".join(input_text(x, dtype) for x in inputs)
    return f"{name.replace(' ', ':')} {dtype} {shown} | {' '.join(out)}"


if __name__ == "__main__":
    for table in (UNARY, BINARY, POSITIVE, TARGETS, TERNARY):
        for name, f in table.items():
            for dtype in ("f32", "f64"):
                for inputs in points(name, dtype):
                    print(line(name, f, dtype, list(inputs)))
