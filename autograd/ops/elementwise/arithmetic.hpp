// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/variable.hpp>

// Elementwise arithmetic. Operands broadcast by NumPy's rules and must have one floating dtype (no promotion); a C++
// number takes the tensor's dtype. Each throws Error `[add] shapes do not broadcast: ...` or `[add] operands differ:
// ...`.

namespace gradus {

GRADUS_API Variable add(const Variable& a, const Variable& b);
GRADUS_API Variable sub(const Variable& a, const Variable& b);
GRADUS_API Variable mul(const Variable& a, const Variable& b);
GRADUS_API Variable div(const Variable& a, const Variable& b);
/// a^b as std::pow: whole powers of negative bases are right, others are NaN. The derivative with respect to the
/// exponent is 0 at base 0, and NaN at a negative base.
GRADUS_API Variable pow(const Variable& a, const Variable& b);
GRADUS_API Variable pow(const Variable& x, double exponent);
GRADUS_API Variable pow(double base, const Variable& x);
/// The larger, the smaller one; NaN where either is NaN. Where both are equal each takes half of the gradient.
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
/// affine(x, scale, shift), whose errors begin with `called`.
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
