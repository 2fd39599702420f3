// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <gradus/optim/optimizer.hpp>

namespace gradus::bench {

/// So many f32 parameters of [size, size].
struct OptimizerWorkload {
  const char* name;
  int64_t count;
  int64_t size;
};

inline constexpr OptimizerWorkload kOptimizerWorkloads[] = {{"100 of 64 x 64", 100, 64}, {"4 of 2048 x 2048", 4, 2048}};

/// The parameters of a workload and their gradients: numbers in [-0.5, 0.5) that Python computes alike.
class OptimizerSteps {
 public:
  explicit OptimizerSteps(const OptimizerWorkload& workload) {
    uint64_t index = 0;
    for (int64_t i = 0; i < workload.count; ++i) {
      Tensor value = Tensor::empty({workload.size, workload.size}, DType::f32);
      Tensor gradient = Tensor::empty({workload.size, workload.size}, DType::f32);
      float* const values = value.mutable_data_<float>();
      float* const gradients = gradient.mutable_data_<float>();
      for (int64_t k = 0; k < value.numel(); ++k, ++index) {
        values[k] = mixed(index * 2654435761);
        gradients[k] = mixed(index * 2246822519);
      }
      parameters_.push_back(std::make_unique<Parameter>(value));
      parameters_.back()->set_grad_(gradient);
    }
  }

  std::vector<NamedParameter> named() const {
    std::vector<NamedParameter> list;
    for (const auto& parameter : parameters_) list.push_back({std::to_string(list.size()), parameter.get()});
    return list;
  }

 private:
  static float mixed(uint64_t bits) {
    return static_cast<float>(static_cast<double>(bits & 0xffffffff) / 4294967296.0 - 0.5);
  }

  std::vector<std::unique_ptr<Parameter>> parameters_;
};

}  // namespace gradus::bench
