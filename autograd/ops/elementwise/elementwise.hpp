// SPDX-License-Identifier: MIT
// Elementwise functions: arithmetic, powers, activations, comparisons, where.
#pragma once

#include <gradus/autograd/variable.hpp>

// Elementwise functions of one floating input, f32 or f64, any shape; comparisons and choices. abs, sign, square,
// floor, ceil, round and clamp also take i64.

namespace gradus {

GRADUS_API Variable exp(const Variable& x);
/// Natural logarithm; -inf at 0, NaN for negative x.
GRADUS_API Variable log(const Variable& x);
GRADUS_API Variable sqrt(const Variable& x);
GRADUS_API Variable square(const Variable& x);
/// Derivative sign(x): 0 at 0.
GRADUS_API Variable abs(const Variable& x);
/// -1, 0 or 1; derivative 0 everywhere.
GRADUS_API Variable sign(const Variable& x);
/// 1 / sqrt(x).
GRADUS_API Variable rsqrt(const Variable& x);
/// 1 / x.
GRADUS_API Variable reciprocal(const Variable& x);
/// exp(x) - 1 and log(1 + x), accurate near 0.
GRADUS_API Variable expm1(const Variable& x);
GRADUS_API Variable log1p(const Variable& x);
GRADUS_API Variable sin(const Variable& x);
GRADUS_API Variable cos(const Variable& x);
/// 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
GRADUS_API Variable erf(const Variable& x);
/// Rounded down, up, or to the nearest integer (halves to the even one); derivative 0 everywhere.
GRADUS_API Variable floor(const Variable& x);
GRADUS_API Variable ceil(const Variable& x);
GRADUS_API Variable round(const Variable& x);
GRADUS_API Variable tanh(const Variable& x);
/// 1 / (1 + exp(-x)).
GRADUS_API Variable sigmoid(const Variable& x);
/// max(x, 0); derivative 0 at 0.
GRADUS_API Variable relu(const Variable& x);

struct ClampOptions {
  double min = -__builtin_huge_val();
  double max = __builtin_huge_val();
};
/// min(max(x, min), max); either bound may be left out; NaN stays NaN. The gradient passes where min <= x <= max,
/// including the bounds. Throws when min > max.
GRADUS_API Variable clamp(const Variable& x, const ClampOptions& options);

struct LeakyReluOptions {
  double negative_slope = 0.01;
};
/// x where x > 0, else negative_slope x; derivative negative_slope at 0.
GRADUS_API Variable leaky_relu(const Variable& x, const LeakyReluOptions& options = {});

struct EluOptions {
  double alpha = 1.0;
};
/// x where x > 0, else alpha (e^x - 1); derivative alpha at 0 (Clevert et al. 2016).
GRADUS_API Variable elu(const Variable& x, const EluOptions& options = {});

/// x Phi(x), Phi the distribution function of the standard normal distribution (Hendrycks & Gimpel 2016).
GRADUS_API Variable gelu(const Variable& x);
/// Approximates gelu by x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, from the same paper.
GRADUS_API Variable gelu_tanh(const Variable& x);
/// x sigmoid(x).
GRADUS_API Variable silu(const Variable& x);
/// log(1 + e^x), without overflow and accurate for very negative x.
GRADUS_API Variable softplus(const Variable& x);
/// log(sigmoid(x)) = -softplus(-x).
GRADUS_API Variable log_sigmoid(const Variable& x);

/// The derivatives as single ops, from the output y (relu: the input x) and a cotangent g: g (1 - y^2), g y (1 - y), g
/// where x > 0.
GRADUS_API Variable tanh_backward(const Variable& y, const Variable& g);
GRADUS_API Variable sigmoid_backward(const Variable& y, const Variable& g);
GRADUS_API Variable relu_backward(const Variable& x, const Variable& g);
/// g times the derivative at x.
GRADUS_API Variable clamp_backward(const Variable& x, const Variable& g, const ClampOptions& options);
GRADUS_API Variable leaky_relu_backward(const Variable& x, const Variable& g, const LeakyReluOptions& options);
GRADUS_API Variable elu_backward(const Variable& x, const Variable& g, const EluOptions& options);
GRADUS_API Variable gelu_backward(const Variable& x, const Variable& g);
GRADUS_API Variable gelu_tanh_backward(const Variable& x, const Variable& g);
GRADUS_API Variable silu_backward(const Variable& x, const Variable& g);
GRADUS_API Variable softplus_backward(const Variable& x, const Variable& g);
GRADUS_API Variable log_sigmoid_backward(const Variable& x, const Variable& g);

// Comparisons give bool, as a constant. Operands broadcast and must have the same dtype, which may be any.
GRADUS_API Variable equal(const Variable& a, const Variable& b);
GRADUS_API Variable not_equal(const Variable& a, const Variable& b);
GRADUS_API Variable less(const Variable& a, const Variable& b);
GRADUS_API Variable less_equal(const Variable& a, const Variable& b);
GRADUS_API Variable greater(const Variable& a, const Variable& b);
GRADUS_API Variable greater_equal(const Variable& a, const Variable& b);
/// Comparisons with a number: exact for i64 (2.5 is between 2 and 3); for f32, the number is rounded to f32 unless it
/// is too large.
GRADUS_API Variable equal(const Variable& a, double b);
GRADUS_API Variable not_equal(const Variable& a, double b);
GRADUS_API Variable less(const Variable& a, double b);
GRADUS_API Variable less_equal(const Variable& a, double b);
GRADUS_API Variable greater(const Variable& a, double b);
GRADUS_API Variable greater_equal(const Variable& a, double b);
/// isnan: whether x is NaN. isinf: whether x is infinite, of either sign. Floating x.
GRADUS_API Variable isnan(const Variable& x);
GRADUS_API Variable isinf(const Variable& x);

// Logical operations on bool operands, which broadcast. The result is a constant.
GRADUS_API Variable logical_and(const Variable& a, const Variable& b);
GRADUS_API Variable logical_or(const Variable& a, const Variable& b);
GRADUS_API Variable logical_xor(const Variable& a, const Variable& b);
GRADUS_API Variable logical_not(const Variable& x);

/// a where condition (bool) is true, else b; all three broadcast. Any dtype.
GRADUS_API Variable where(const Variable& condition, const Variable& a, const Variable& b);
/// `value` where mask (bool, broadcast to x's shape) is true, else x. Any dtype that holds the value.
GRADUS_API Variable masked_fill(const Variable& x, const Variable& mask, double value);

}  // namespace gradus

// Elementwise arithmetic. Operands broadcast by NumPy's rules and must have the same dtype (no promotion); a C++ number
// takes the tensor's dtype. add, sub, mul, neg, affine, maximum and minimum also take i64, which wraps around and
// accepts only whole numbers; the others are floating. Each throws Error `[add] shapes do not broadcast: ...` or `[add]
// operands differ: ...`.

namespace gradus {

GRADUS_API Variable add(const Variable& a, const Variable& b);
GRADUS_API Variable sub(const Variable& a, const Variable& b);
GRADUS_API Variable mul(const Variable& a, const Variable& b);
GRADUS_API Variable div(const Variable& a, const Variable& b);
/// a^b, computed by std::pow: whole powers of negative bases are right, other powers of them are NaN. The derivative
/// with respect to the exponent is 0 at base 0, and NaN at a negative base.
GRADUS_API Variable pow(const Variable& a, const Variable& b);
GRADUS_API Variable pow(const Variable& x, double exponent);
GRADUS_API Variable pow(double base, const Variable& x);
/// The larger (smaller) of the two; NaN where either is NaN. Where both are equal, each gets half of the gradient.
GRADUS_API Variable maximum(const Variable& a, const Variable& b);
GRADUS_API Variable minimum(const Variable& a, const Variable& b);
GRADUS_API Variable maximum(const Variable& a, double b);
GRADUS_API Variable minimum(const Variable& a, double b);
/// a + weight (b - a): exactly a at weight 0 and b at 1. All broadcast.
GRADUS_API Variable lerp(const Variable& a, const Variable& b, const Variable& weight);
GRADUS_API Variable lerp(const Variable& a, const Variable& b, double weight);
/// scale * x + shift.
GRADUS_API Variable affine(const Variable& x, double scale, double shift);
GRADUS_API Variable neg(const Variable& x);

namespace detail {
/// affine(x, scale, shift) with errors that begin with `called`.
GRADUS_API Variable affine(const char* called, const Variable& x, double scale, double shift);
}  // namespace detail

inline Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return sub(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return mul(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return div(a, b); }
inline Variable operator-(const Variable& x) { return neg(x); }
inline Variable operator+(const Variable& x, double c) { return detail::affine("operator+", x, 1.0, c); }
inline Variable operator+(double c, const Variable& x) { return detail::affine("operator+", x, 1.0, c); }
inline Variable operator-(const Variable& x, double c) { return detail::affine("operator-", x, 1.0, -c); }
inline Variable operator-(double c, const Variable& x) { return detail::affine("operator-", x, -1.0, c); }
inline Variable operator*(const Variable& x, double c) { return detail::affine("operator*", x, c, 0.0); }
inline Variable operator*(double c, const Variable& x) { return detail::affine("operator*", x, c, 0.0); }
GRADUS_API Variable operator/(const Variable& x, double c);
GRADUS_API Variable operator/(double c, const Variable& x);

}  // namespace gradus
