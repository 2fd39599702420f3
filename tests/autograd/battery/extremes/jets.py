# SPDX-License-Identifier: MIT
"""Numbers with derivatives, for the tables of extreme inputs: a + sums of products of four numbers whose squares are 0.

The coefficient of e1 e2 e3 in f(x + e1 u + e2 v + e3 w) is the third derivative of f along u, v and w, without any
difference quotient. The coefficients are mpmath numbers of as many digits as the caller has set.
"""
import mpmath as mp

PARTS = 4
MASKS = range(1 << PARTS)
SUBSETS = [[s for s in MASKS if s & m == s] for m in MASKS]


class Undefined(Exception):
    """The function has no value at this point."""


class Jet:
    def __init__(self, parts):
        self.parts = parts

    @property
    def value(self):
        return self.parts[0]

    def __add__(self, other):
        other = jet(other)
        return Jet([a + b for a, b in zip(self.parts, other.parts)])

    def __neg__(self):
        return Jet([-a for a in self.parts])

    def __mul__(self, other):
        a, b = self.parts, jet(other).parts
        out = []
        for m in MASKS:
            total = mp.mpf(0)
            for s in SUBSETS[m]:
                if a[s] != 0 and b[m ^ s] != 0:
                    total += a[s] * b[m ^ s]
            out.append(total)
        return Jet(out)

    def __sub__(self, other):
        return self + -jet(other)

    def __rsub__(self, other):
        return jet(other) - self

    def __truediv__(self, other):
        return self * power(jet(other), -1)

    def __rtruediv__(self, other):
        return jet(other) * power(self, -1)

    __radd__ = __add__
    __rmul__ = __mul__


def jet(x):
    return x if isinstance(x, Jet) else Jet([mp.mpf(x)] + [mp.mpf(0)] * (len(MASKS) - 1))


def constant(x):
    """The value of x without derivatives, for a function that is constant between its steps."""
    return jet(x.value)


def compose(x, derivatives):
    """f(x) from f, f', f'', f''' and f'''' at the value of x."""
    rest = Jet([mp.mpf(0)] + x.parts[1:])
    out, power_of_rest, factorial = jet(derivatives[0]), jet(1), 1
    for k, d in enumerate(derivatives[1:], start=1):
        power_of_rest, factorial = power_of_rest * rest, factorial * k
        out = out + power_of_rest * (d / factorial)
    return out


def power(x, p):
    """x^p for a number p. At 0 only when all derivatives are finite."""
    a, p, terms, factor = x.value, mp.mpf(p), [], mp.mpf(1)
    for k in range(PARTS + 1):
        terms.append(mp.mpf(0) if factor == 0 else factor * a ** (p - k))
        factor *= p - k
    return compose(x, terms)


def exp_of(a):
    """e^a. Far outside the range of f64, it only matters that it is huge or tiny."""
    if abs(a) <= 1e6:
        return mp.exp(a)
    return mp.ldexp(1, int(mp.sign(a)) * int(mp.log(abs(a), 2)) ** 4)


def less_one(a):
    """e^a - 1"""
    return mp.expm1(a) if abs(a) <= 1e6 else exp_of(a) - 1


def exp(x):
    return compose(x, [exp_of(x.value)] * (PARTS + 1))


def expm1(x):
    return compose(x, [less_one(x.value)] + [exp_of(x.value)] * PARTS)


def _log_slopes(a):
    return [1 / a, -1 / a**2, 2 / a**3, -6 / a**4]


def log(x):
    return compose(x, [mp.log(x.value)] + _log_slopes(x.value))


def log1p(x):
    return compose(x, [mp.log1p(x.value)] + _log_slopes(1 + x.value))


def sin(x):
    if abs(x.value) > mp.mpf("1e400"):
        raise Undefined
    s, c = mp.sin(x.value), mp.cos(x.value)
    return compose(x, [s, c, -s, -c, s])


def cos(x):
    if abs(x.value) > mp.mpf("1e400"):
        raise Undefined
    s, c = mp.sin(x.value), mp.cos(x.value)
    return compose(x, [c, -s, -c, s, c])


def tanh(x):
    e = exp_of(-2 * abs(x.value))
    t = less_one(-2 * abs(x.value)) / (1 + e) * -mp.sign(x.value)
    s = 4 * e / (1 + e) ** 2  # 1 - t^2
    return compose(x, [t, s, -2 * t * s, 4 * t**2 * s - 2 * s**2, 16 * t * s**2 - 8 * t**3 * s])


def _sigmoid_terms(a):
    e = exp_of(-abs(a))
    s = (1 if a >= 0 else e) / (1 + e)
    p = e / (1 + e) ** 2  # s (1 - s)
    tilt = less_one(-abs(a)) / (1 + e) * (1 if a >= 0 else -1)  # 1 - 2 s
    return [s, p, p * tilt, p * (1 - 6 * p), p * tilt * (1 - 12 * p)]


def sigmoid(x):
    return compose(x, _sigmoid_terms(x.value))


def softplus(x):
    value = max(x.value, mp.mpf(0)) + mp.log1p(exp_of(-abs(x.value)))
    return compose(x, [value] + _sigmoid_terms(x.value)[:PARTS])


def _bell(a):
    """e^(-a^2) and its first derivatives."""
    bell = exp_of(-(a**2))
    return [bell, -2 * a * bell, (4 * a**2 - 2) * bell, (12 * a - 8 * a**3) * bell]


def erfc_of(a):
    return exp_of(-(a**2)) / a if a > 1e3 else mp.erfc(a)  # only that it is tiny matters


def erf(x):
    a = x.value
    value = mp.erf(a) if abs(a) < 1e3 else mp.sign(a)
    return compose(x, [value] + [2 / mp.sqrt(mp.pi) * d for d in _bell(a)])


def normal_distribution(x):
    y = x * (1 / mp.sqrt(2))
    a = y.value
    value = erfc_of(-a) / 2 if a < 0 else 1 - erfc_of(a) / 2
    return compose(y, [value] + [d / mp.sqrt(mp.pi) for d in _bell(a)])
