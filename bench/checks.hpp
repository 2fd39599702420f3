// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/tensor/tensor.hpp>

namespace gradus::bench {

/// The largest abs(got - expected), relative to the largest abs(expected). Infinite when the shapes differ or a value
/// is not finite.
double relative_error(const Tensor& got, const Tensor& expected);

/// Throws an Error that names `what` unless relative_error(got, expected) <= tolerance. A wrong result is not worth
/// timing.
void require_close(const char* what, const Tensor& got, const Tensor& expected, double tolerance);

/// True when this process asks for `name` for the first time. A benchmark function runs several times, its check once.
bool first_time(const char* name);

}  // namespace gradus::bench
