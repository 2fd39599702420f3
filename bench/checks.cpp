// SPDX-License-Identifier: MIT
#include "checks.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>

#include <gradus/tensor/error.hpp>

namespace gradus::bench {

double relative_error(const Tensor& got, const Tensor& expected) {
  if (!(got.shape() == expected.shape())) return HUGE_VAL;
  const Tensor left = got.to(DType::f64).contiguous();
  const Tensor right = expected.to(DType::f64).contiguous();
  const double* a = left.data<double>();
  const double* b = right.data<double>();
  double difference = 0.0;
  double largest = 0.0;
  for (int64_t i = 0; i < left.numel(); ++i) {
    if (!std::isfinite(a[i]) || !std::isfinite(b[i])) return HUGE_VAL;
    difference = std::max(difference, std::abs(a[i] - b[i]));
    largest = std::max(largest, std::abs(b[i]));
  }
  return difference == 0.0 ? 0.0 : largest == 0.0 ? HUGE_VAL : difference / largest;
}

void require_close(const char* what, const Tensor& got, const Tensor& expected, double tolerance) {
  GRADUS_CHECK(got.defined() && expected.defined(), "[bench] ", what, " is missing");
  const double error = relative_error(got, expected);
  GRADUS_CHECK(error <= tolerance, "[bench] ", what, " is wrong: relative error ", error, ", allowed ", tolerance);
}

bool first_time(const char* name) {
  static std::set<std::string> seen;
  return seen.insert(name).second;
}

}  // namespace gradus::bench
