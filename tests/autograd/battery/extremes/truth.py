# SPDX-License-Identifier: MIT
"""Limits: values and derivatives where an input is infinite or 0, and the text of a table's fields.

An infinity is replaced by 10^20000 and then by 10^40000, and a 0 that a formula divides by by their reciprocals. A
result that stays the same is the limit, one that grows is infinite, and one that shrinks is 0. With several
infinities, each of them in turn is the faster one. If that changes the result, there is no limit, and the field is "?".
"""
import itertools
import struct

import mpmath as mp

from jets import Undefined

HUGE = [mp.mpf(10) ** 20000, mp.mpf(10) ** 40000]
INF = mp.inf


def rounded(x, dtype):
    """x rounded to the dtype."""
    x = float(x)
    return struct.unpack("f", struct.pack("f", x))[0] if dtype == "f32" else x


def _limit(small, large):
    if small == large:
        return large
    if abs(large) > abs(small) * mp.mpf("1.001"):
        return mp.sign(large) * INF
    if abs(large) < abs(small) * mp.mpf("0.999"):
        return mp.mpf(0)
    return large if abs(large - small) <= abs(large) * mp.mpf("1e-30") else None


def _same(a, b):
    if a is None or b is None:
        return a is b
    return a == b or (mp.isfinite(a) and mp.isfinite(b) and abs(a - b) <= max(abs(a), abs(b)) * mp.mpf("1e-30"))


def _replaced(inputs, base, speeds, zeros):
    out, speed = [], iter(speeds)
    for x in inputs:
        if mp.isinf(x):
            out.append(mp.sign(x) * base ** next(speed))
        elif x == 0 and zeros:
            out.append((-1 if str(float(x)).startswith("-") else 1) / base ** next(speed))
        else:
            out.append(mp.mpf(x))
    return out


def _speeds(count):
    """The choices of the one of `count` numbers that goes to its limit faster: each in turn, or none."""
    if count < 2:
        return [[mp.mpf(1)] * count]
    out = [[mp.mpf(1)] * count]
    for step in (mp.mpf(1) / 2, mp.mpf(2)):
        powers = [1 + k * step for k in range(count)]
        out += itertools.permutations(powers) if count == 2 else [powers, powers[::-1]]
    return out


def limits(evaluate, inputs, exact_zeros=False):
    """evaluate(list of numbers) gives a list of numbers: each one's limit, or None where there is none."""
    infinite = sum(1 for x in inputs if mp.isinf(x))
    zero = sum(1 for x in inputs if x == 0)
    zeros = infinite > 0 and not exact_zeros
    if infinite == 0:
        try:
            return evaluate([mp.mpf(x) for x in inputs])
        except Undefined:
            return None
        except ZeroDivisionError:
            zeros = True
    results = []
    for speeds in _speeds(infinite + (zero if zeros else 0)):
        try:
            at = [evaluate(_replaced(inputs, base, speeds, zeros)) for base in HUGE]
        except (Undefined, ZeroDivisionError):
            return None
        results.append([_limit(a, b) for a, b in zip(*at)])
    first = results[0]
    return [x if all(_same(x, r[i]) for r in results) else None for i, x in enumerate(first)]


def input_text(x, dtype):
    if mp.isinf(x):
        return "inf" if x > 0 else "-inf"
    return ("%.9g" % x) if dtype == "f32" else ("%.17g" % x if float("%.15g" % x) != x else "%.15g" % x)


def number(x, digits):
    if x is None:
        return "?"
    if abs(x) > mp.mpf("1e400"):
        return "inf" if x > 0 else "-inf"
    if abs(x) < mp.mpf("1e-400"):
        return "0"
    text = mp.nstr(x, digits, strip_zeros=True, min_fixed=-3, max_fixed=6)
    return text.replace(".0e", "e").removesuffix(".0")


def field(value, scale, dtype):
    """A number, and the effect of one unit of rounding of it and of the inputs, if that is much larger."""
    text = number(value, 10 if dtype == "f32" else 18)
    if value is None or scale is None or mp.isinf(value) or not abs(value) * 8 < scale < mp.mpf("1e400"):
        return text
    return text if scale < mp.mpf("1e-400") else text + "~" + number(scale, 2)
