// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace gradus::tests {

/// Plain vectors of uniform numbers in [-bound, bound], for tests of kernels, which do not use tensors.
class RandomNumbers {
 public:
  explicit RandomNumbers(uint64_t seed) : engine_(seed) {}

  template <class T>
  std::vector<T> uniform(int64_t count, double bound = 1.0) {
    std::uniform_real_distribution<double> draw(-bound, bound);
    std::vector<T> values(static_cast<size_t>(count));
    for (T& value : values) value = static_cast<T>(draw(engine_));
    return values;
  }

  int64_t integer(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(engine_); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace gradus::tests
