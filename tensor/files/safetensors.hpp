// SPDX-License-Identifier: MIT
// Reads and writes tensors by name in safetensors files.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <gradus/tensor/api.hpp>
#include <gradus/tensor/tensor.hpp>

namespace gradus {

struct NamedTensor {
  std::string name;
  Tensor value;
};

/// The content of a .safetensors file, in the order of its header.
struct SafetensorsFile {
  std::vector<NamedTensor> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
};

/// Writes f32, f64, i64 and bool tensors as a .safetensors file, which Python's `safetensors` can read. Replaces the
/// file at `path` in one step and keeps its permissions; when this throws, the file is unchanged. The bytes go to a
/// temporary file in the same folder, which is synced and renamed; a later call removes the temporary file of a killed
/// run. Throws when a name occurs twice, is "__metadata__" or is not UTF-8, and when a tensor is undefined. When the
/// file cannot be written, it throws with the system's reason.
GRADUS_API void save_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                                 const std::vector<std::pair<std::string, std::string>>& metadata = {});

/// Reads a .safetensors file with dtypes F32, F64, I64, BOOL, F16 and BF16; the last two become f32 (exactly). Time and
/// memory are linear in the size of the file. When anything is wrong with the file, throws an Error that names the path
/// and what is wrong. No size in the file is trusted before it is checked.
GRADUS_API SafetensorsFile load_safetensors(const std::string& path);

}  // namespace gradus
