// SPDX-License-Identifier: MIT
// Reads and writes tensors by name in safetensors files; save_c_header writes them as a C++ header.
#pragma once

#include <cstdint>
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

/// A tensor in a file that gradus cannot hold, and why.
struct SkippedTensor {
  std::string name;
  std::string reason;
};

/// The content of a .safetensors file, in the order of its header.
struct SafetensorsFile {
  std::vector<NamedTensor> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
  /// Complex numbers, and floats of 4 and 6 bits, F8_E8M0 and the FNUZ kinds of 8 bits.
  std::vector<SkippedTensor> skipped;
};

/// How to read a file of tensors, of any format.
struct ReadOptions {
  /// Tensors of f32, f64, i64 and bool share the bytes of the file where these are aligned for the dtype: nothing is
  /// read before it is used. A change in place is never written to the file: it goes to a private copy of the page. The
  /// functions that save here replace a file, which leaves mapped tensors as they were. But when another program writes
  /// into the file or shortens it, these tensors change with it, or the program ends with SIGBUS. False: all bytes are
  /// copied.
  bool map = true;
  /// Floating numbers of 16 and 8 bits become i64 with their bits, instead of f32 with their values.
  bool float_bits = false;
};

/// How floating tensors are stored: as they are, or rounded (to the nearest; ties to even; beyond the range: infinity).
enum class StoredFloats : uint8_t { as_they_are, f16, bf16 };

struct SafetensorsOptions {
  StoredFloats floats = StoredFloats::as_they_are;
};

/// Writes f32, f64, i64 and bool tensors as a .safetensors file, which Python's `safetensors` can read. Replaces the
/// file at `path` in one step and keeps its permissions; when this throws, the file is unchanged. The bytes go to a
/// temporary file in the same folder, which is synced and renamed; a later call removes the temporary file of a killed
/// run. Throws when a name occurs twice, is "__metadata__" or is not UTF-8, and when a tensor is undefined. When the
/// file cannot be written, it throws with the system's reason.
GRADUS_API void save_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                                 const std::vector<std::pair<std::string, std::string>>& metadata = {},
                                 const SafetensorsOptions& options = {});

/// Reads a .safetensors file. All integers become i64; F16, BF16, F8_E4M3 and F8_E5M2 become f32 (exactly). Time and
/// memory are linear in the size of the file. When anything is wrong with the file, or a U64 is beyond i64, throws an
/// Error that names the path and what is wrong. No size in the file is trusted before it is checked.
GRADUS_API SafetensorsFile load_safetensors(const std::string& path, const ReadOptions& options = {});

/// Options of a C++ header for programs that have no files: firmware, audio plug-ins.
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
