// SPDX-License-Identifier: MIT
// Writes tensors as a C++ header, for programs that have no files: firmware, audio plug-ins.
#pragma once

#include <string>
#include <vector>

#include <gradus/tensor/api.hpp>
#include <gradus/tensor/files/safetensors.hpp>

namespace gradus {

struct CHeaderOptions {
  /// The namespace of all that is in the header: identifiers, joined by "::".
  std::string name_space = "model";
  /// An example for a test of the program: what a model of these tensors is given, and what it must return.
  std::vector<NamedTensor> test_inputs = {};
  std::vector<NamedTensor> test_outputs = {};
};

/// Writes a header for C++17 that needs nothing of gradus. A tensor "output.weight" becomes `constexpr float
/// output_weight_data[]`, exact to the last bit (a NaN is any NaN), and `output_weight_shape[]`. The list `tensors` has
/// all of them with name, dtype and shape; the example is in the lists `test_inputs` and `test_outputs`. Replaces the
/// file in one step. Throws when a list has a name twice or an undefined tensor, and when the namespace is none.
GRADUS_API void save_c_header(const std::string& path, const std::vector<NamedTensor>& tensors,
                              const CHeaderOptions& options = {});

}  // namespace gradus
