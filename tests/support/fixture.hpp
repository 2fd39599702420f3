// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/files/safetensors.hpp>

#include "tests/support/catch.hpp"

// Numbers that a script wrote with another library.

namespace gradus::tests {

/// One case of a file: the tensors whose names begin with `prefix`, without it.
class Fixture {
 public:
  Fixture(const std::string& file, const std::string& prefix) {
    for (NamedTensor& named : load_safetensors(file).tensors) {
      if (named.name.rfind(prefix, 0) == 0) tensors_.push_back({named.name.substr(prefix.size()), named.value});
    }
  }

  bool has(const std::string& name) const { return find(name) != nullptr; }
  Tensor operator()(const std::string& name) const {
    const Tensor* found = find(name);
    if (found == nullptr) FAIL("the fixture lacks " << name);
    return *found;
  }

 private:
  const Tensor* find(const std::string& name) const {
    for (const NamedTensor& named : tensors_) {
      if (named.name == name) return &named.value;
    }
    return nullptr;
  }

  std::vector<NamedTensor> tensors_;
};

/// The largest error relative to the largest number of `expected`, or to `least` when all are smaller.
inline double relative_error(const Tensor& got, const Tensor& expected, double least = 1e-30) {
  return largest_error(got, expected) / std::max(least, max(abs(Variable(expected))).value().at({}));
}

}  // namespace gradus::tests
