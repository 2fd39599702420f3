# SPDX-License-Identifier: MIT
"""Writes rows.txt: functions of several numbers at extreme inputs, in f32 and f64.

    cd tests/autograd/battery/extremes && python3 rows.py > rows.txt        (needs mpmath)

A line: function, dtype, n, m, then x (n numbers), a cotangent c (m), directions u and w (n each) | y (m), the gradient
g of <c, y> (n), the jvp of u (m), h, the gradient of <g, u> (n), and the gradient of <h, w> (n). Fields as in
elementwise.py.
"""
import mpmath as mp

import jets as j
from truth import field, input_text, limits, rounded

HALF = mp.mpf(1) / 2
EPS = mp.mpf("1e-5")


def total(x):
    out = j.jet(0)
    for a in x:
        out = out + a
    return out


def product(x):
    out = j.jet(1)
    for a in x:
        out = out * a
    return out


def root(x):
    return j.power(x, HALF)


def extreme(x, sign):
    best = max(sign * a.value for a in x)
    hits = [a for a in x if sign * a.value == best]
    return total(hits) * (mp.mpf(1) / len(hits))


def cumsum(x):
    return [total(x[: k + 1]) for k in range(len(x))]


def exponentials(x):
    top = max(a.value for a in x)
    return [j.exp(a - top) for a in x], top


def softmax(x):
    e, _ = exponentials(x)
    return [a / total(e) for a in e]


def logsumexp(x):
    e, top = exponentials(x)
    place = max(range(len(x)), key=lambda i: x[i].value)
    rest = total(e[:place] + e[place + 1 :])
    # The largest term is exp(x - top) = 1, so log1p keeps the digits of the other terms.
    return j.log1p(rest / e[place]) + x[place]


def log_softmax(x):
    return [-logsumexp([b - a for b in x]) for a in x]


def centred(x):
    mean = total(x) * (mp.mpf(1) / len(x))
    return [a - mean for a in x]


def variance(x, correction=1):
    return total([a * a for a in centred(x)]) * (mp.mpf(1) / (len(x) - correction))


def norm(x):
    if all(a.value == 0 for a in x):
        return j.jet(0)
    return root(total([a * a for a in x]))


def layer_norm(x):
    scale = root(variance(x, 0) + EPS)
    return [a / scale for a in centred(x)]


def rms_norm(x):
    scale = root(total([a * a for a in x]) * (mp.mpf(1) / len(x)) + EPS)
    return [a / scale for a in x]


def cosine(x):
    a, b = x[:2], x[2:]
    lengths = [norm(v) if norm(v).value > mp.mpf("1e-8") else j.jet("1e-8") for v in (a, b)]
    return total([p * q for p, q in zip(a, b)]) / (lengths[0] * lengths[1])


def matmul(x):
    a, b = x[:4], x[4:]
    return [a[2 * r] * b[c] + a[2 * r + 1] * b[2 + c] for r in (0, 1) for c in (0, 1)]


def additive_score(x):
    q, k, v = x[:2], x[2:4], x[4:]
    return total([v[i] * j.tanh(q[i] + k[i]) for i in (0, 1)])


def gru(x):
    """One step of one unit: x_r, x_z, x_n, h, w_r, w_z, w_n, b_r, b_z, b_n."""
    xs, h, w, b = x[:3], x[3], x[4:7], x[7:]
    r = j.sigmoid(xs[0] + w[0] * h + b[0])
    z = j.sigmoid(xs[1] + w[1] * h + b[1])
    off = j.sigmoid(-(xs[1] + w[1] * h + b[1]))  # 1 - z
    return off * j.tanh(xs[2] + r * (w[2] * h + b[2])) + z * h


def lstm(x):
    """One step of one unit, gates i, f, g, o: x (4), h, c, w (4), b (4)."""
    xs, h, c, w, b = x[:4], x[4], x[5], x[6:10], x[10:]
    i, f, g, o = (a + v * h + bias for a, v, bias in zip(xs, w, b))
    return j.sigmoid(o) * j.tanh(j.sigmoid(f) * c + j.sigmoid(i) * j.tanh(g))


def rnn(x):
    """One step of one unit: x, h, w, b."""
    return j.tanh(x[0] + x[2] * x[1] + x[3])


ROWS = {
    "sum": lambda x: [total(x)],
    "mean": lambda x: [total(x) * (mp.mpf(1) / len(x))],
    "prod": lambda x: [product(x)],
    "cumsum": cumsum,
    "max": lambda x: [extreme(x, 1)],
    "min": lambda x: [extreme(x, -1)],
    "softmax": softmax,
    "log_softmax": log_softmax,
    "cross_entropy": lambda x: [-log_softmax(x)[0]],
    "logsumexp": lambda x: [logsumexp(x)],
    "var": lambda x: [variance(x)],
    "norm": lambda x: [norm(x)],
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
}
EXPONENTIAL = ("softmax", "log_softmax", "cross_entropy", "logsumexp", "additive_score", "gru", "lstm", "rnn")  # nothing cancels
OTHERS = {"cosine_similarity": cosine, "matmul": matmul, "additive_score": additive_score, "gru": gru, "lstm": lstm, "rnn": rnn}


def points(name, dtype):
    small, large, tiny = (1e-30, 1e30, 1e-40) if dtype == "f32" else (1e-300, 1e300, 1e-310)
    half = 3e18 if dtype == "f32" else 1e152
    inf = mp.inf
    if name in ROWS:
        out = [[0, 0, 0], [1, 1, 0.5], [200, 0, 0], [0, -1000, 1], [large, 1, small], [-large, -1, 2], [large, -large, 3],
               [small, 0, -2 * small], [tiny, 0, 1], [half, half, 0.5 * half], [large, 0.5 * large, 0.25 * large],
               [small, 2 * small, 4 * small], [1e4, 1e4 + 1, 1e4 - 0.5], [0, large, 0]]
        if name in ("sum", "mean", "prod", "cumsum", "max", "min", "softmax", "log_softmax", "cross_entropy", "logsumexp"):
            # An output of log_softmax that is -infinity itself has no differences.
            out += [[0, -inf, 1], [1, -inf, -inf]] if name != "log_softmax" else []
            out += [[inf, 0, 1], [inf, 1, -inf]]
        return out
    if name == "cosine_similarity":
        return [[half, half, half, half], [small, small, 1, 2], [large, large, large, -large], [large, 1, 1, large],
                [3, 4, small, 0], [0.5, 1, -2, 0.25]]
    if name == "matmul":
        return [[large, 0, 1, small, small, 2, 0, large], [0, 0, 1, 1, 3, 1, -1, 2], [small] * 8, [1, 2, 3, 4] + [large, 0, 0, 1]]
    if name == "additive_score":
        return [[large, -large, 1, 2, 3, -1], [large, 1, -1, small, 2, large], [50, -50, 1, 1, 1, 1], [0, 0, small, tiny, 1, 1],
                [inf, 0.5, 1, 0.25, 2, 3]]
    if name == "lstm":
        signs = [(1, 1, 1, 1), (-1, -1, -1, -1), (1, -1, 1, -1), (-1, 1, -1, 1), (-1, 1, 1, 1)]
        rest = [1, -1, 0.5, 0.25, 0, -0.5, 0.25, 1]
        out = [[s * large for s in gates] + [0.5, 0.25] + rest for gates in signs]
        states = [(0, 0), (small, -small), (2.0, 0.5), (-2.0, 2), (0.5, 5.0), (0.5, -large)]
        return out + [[0.5, -1, 2, 1, h, c] + rest for h, c in states]
    if name == "rnn":
        return [[large, 0.5, 1, 0], [-large, 0.5, 1, 0], [0, 0, 1, 0], [small, 0, 0.5, 0], [0.5, 2.0, 1, 0],
                [0.5, -2.0, 0.5, 1], [0, large, 1, 0.5], [1, small, large, -1], [inf, 0.5, 0.25, 1]]
    signs = [(1, 1, 1), (-1, -1, -1), (1, -1, 1), (-1, 1, -1)]
    out = [[s * large for s in gates] + [0.5, 1, -1, 0.5, 0.25, 0, -0.5] for gates in signs]
    out += [[0.5, -1, 2] + [h, 1, -1, 0.5, 0.25, 0, -0.5] for h in (0, small, 60.0, -60.0)]
    return out


COTANGENTS = [0.75, -1.25, 1.5, 0.5]
FIRST = [1.25, -0.75, 0.5, 1, -1.5, 0.625, 2, -0.5, 0.875, 1.125, -1, 0.75, 1.5, -0.25]
SECOND = [-0.5, 1.5, 0.75, -1.25, 1, 0.5, -2, 0.625, 1.75, -0.875, 0.25, -1.5, 1.25, 0.5]


def results(f, c, u, w):
    """All results of a line, with the effect of rounding. f is evaluated for each input, seeded for its gradient."""

    def run(x, i, k):
        args = []
        for p, a in enumerate(x):
            parts = [a] + [mp.mpf(0)] * (len(j.MASKS) - 1)
            parts[1], parts[2], parts[4] = mp.mpf(p == i), mp.mpf(u[p]), mp.mpf(w[p])
            parts[8] = a if p == k else mp.mpf(0)
            args.append(j.Jet(parts))
        y = f(args)
        weighted = total([a * b for a, b in zip(y, c)])
        return y, weighted

    def at(x):
        values, scales = {}, {}
        for i in range(len(x)):
            for k in range(len(x)):
                y, s = run(x, i, k)
                found = {("y", m): (a, 0) for m, a in enumerate(y)}
                found.update({("j", m): (a, 2) for m, a in enumerate(y)})
                found.update({("g", i): (s, 1), ("h", i): (s, 3), ("t", i): (s, 7)})
                for key, (a, mask) in found.items():
                    values[key] = a.parts[mask]
                    if key[0] in "gth" or i == 0:
                        scales[key] = scales.get(key, abs(a.parts[mask])) + abs(a.parts[mask | 8])
        keys = [(name, n) for name in "ygjht" for n in range(sum(1 for key in values if key[0] == name))]
        return [v for key in keys for v in (values[key], scales[key])]

    return at


def line(name, f, dtype, x):
    mp.mp.dps = 60 if name in EXPONENTIAL and "log" not in name and name != "cross_entropy" else 1300 if dtype == "f64" else 250
    x = [a if mp.isinf(a) else rounded(a, dtype) for a in x]
    m = len(f([j.jet(1)] * len(x)))
    c, u, w = COTANGENTS[:m], FIRST[: len(x)], SECOND[: len(x)]
    found = limits(results(f, c, u, w), x, exact_zeros=name != "prod")
    count = 2 * m + 3 * len(x)
    out = ["?"] * count
    if found is not None:
        out = [field(found[2 * k], found[2 * k + 1], dtype) for k in range(count)]
    numbers = " ".join(input_text(a, dtype) for a in list(x) + c + u + w)
    return f"{name} {dtype} {len(x)} {m} {numbers} | {' '.join(out)}"


if __name__ == "__main__":
    for table in (ROWS, OTHERS):
        for name, function in table.items():
            f = function if name not in ("cosine_similarity", "additive_score", "gru", "lstm", "rnn") else lambda x, g=function: [g(x)]
            for dtype in ("f32", "f64"):
                for x in points(name, dtype):
                    print(line(name, f, dtype, x), flush=True)
