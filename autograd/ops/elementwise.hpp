// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/variable.hpp>

// Elementwise functions of one floating input, f32 or f64, any shape.

namespace gradus {

GRADUS_API Variable exp(const Variable& x);
/// Natural logarithm; -inf at 0, NaN below.
GRADUS_API Variable log(const Variable& x);
GRADUS_API Variable sqrt(const Variable& x);
GRADUS_API Variable square(const Variable& x);
/// Derivative sign(x): 0 at 0.
GRADUS_API Variable abs(const Variable& x);
/// -1, 0 or 1; derivative 0 everywhere.
GRADUS_API Variable sign(const Variable& x);
GRADUS_API Variable tanh(const Variable& x);
/// 1 / (1 + exp(-x)).
GRADUS_API Variable sigmoid(const Variable& x);
/// max(x, 0); derivative 0 at 0.
GRADUS_API Variable relu(const Variable& x);

/// The derivatives as single ops, from the output y (relu: the input x) and a cotangent g:
/// g (1 - y^2), g y (1 - y), g where x > 0.
GRADUS_API Variable tanh_backward(const Variable& y, const Variable& g);
GRADUS_API Variable sigmoid_backward(const Variable& y, const Variable& g);
GRADUS_API Variable relu_backward(const Variable& x, const Variable& g);

// Comparisons give bool (a constant); operands broadcast; f32, f64 and i64.
GRADUS_API Variable equal(const Variable& a, const Variable& b);
GRADUS_API Variable not_equal(const Variable& a, const Variable& b);
GRADUS_API Variable less(const Variable& a, const Variable& b);
GRADUS_API Variable less_equal(const Variable& a, const Variable& b);
GRADUS_API Variable greater(const Variable& a, const Variable& b);
GRADUS_API Variable greater_equal(const Variable& a, const Variable& b);
/// Compares with a number of the tensor's dtype.
GRADUS_API Variable greater(const Variable& a, double b);
GRADUS_API Variable equal(const Variable& a, double b);

/// a where condition (bool) is true, else b; all three broadcast.
GRADUS_API Variable where(const Variable& condition, const Variable& a, const Variable& b);

}  // namespace gradus
