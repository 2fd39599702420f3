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

/// What a .safetensors file holds, in the order of its header.
struct SafetensorsFile {
  std::vector<NamedTensor> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
};

/// Writes f32, f64, i64 and bool tensors as a .safetensors file, which Python's `safetensors` reads. The file at `path`
/// is replaced in one step and keeps its permissions, or is left as it was when this throws: the bytes go to a
/// temporary file in the same folder, which is synced and renamed; a later call removes one that a killed run left
/// behind. Throws when a name is given twice, is "__metadata__" or no UTF-8, when a tensor is undefined, and with the
/// system's reason when the file cannot be written.
GRADUS_API void save_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                                 const std::vector<std::pair<std::string, std::string>>& metadata = {});

/// Reads a .safetensors file of dtypes F32, F64, I64, BOOL, and F16 and BF16, which become f32 (exactly), in time and
/// memory linear in its size. Whatever is wrong with the file, it throws an Error that names the path and the fault,
/// before it believes any size in the file.
GRADUS_API SafetensorsFile load_safetensors(const std::string& path);

}  // namespace gradus
