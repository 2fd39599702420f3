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
/// scale * x + shift.
GRADUS_API Variable affine(const Variable& x, double scale, double shift);
GRADUS_API Variable neg(const Variable& x);

inline Variable operator+(const Variable& a, const Variable& b) { return add(a, b); }
inline Variable operator-(const Variable& a, const Variable& b) { return sub(a, b); }
inline Variable operator*(const Variable& a, const Variable& b) { return mul(a, b); }
inline Variable operator/(const Variable& a, const Variable& b) { return div(a, b); }
inline Variable operator-(const Variable& x) { return neg(x); }
inline Variable operator+(const Variable& x, double c) { return affine(x, 1.0, c); }
inline Variable operator+(double c, const Variable& x) { return affine(x, 1.0, c); }
inline Variable operator-(const Variable& x, double c) { return affine(x, 1.0, -c); }
inline Variable operator-(double c, const Variable& x) { return affine(x, -1.0, c); }
inline Variable operator*(const Variable& x, double c) { return affine(x, c, 0.0); }
inline Variable operator*(double c, const Variable& x) { return affine(x, c, 0.0); }
GRADUS_API Variable operator/(const Variable& x, double c);
GRADUS_API Variable operator/(double c, const Variable& x);

}  // namespace gradus
