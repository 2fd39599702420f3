// SPDX-License-Identifier: MIT
// Reads and writes NumPy's files: .npy with one array, .npz with several by name.
#pragma once

#include <string>
#include <vector>

#include <gradus/tensor/api.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/tensor.hpp>

namespace gradus {

/// Reads a .npy file (versions 1.0, 2.0 and 3.0) as a dense tensor: integers of any width become i64, f2 becomes f32.
/// Either byte order, C or Fortran order. Throws an Error that names the path and what is wrong with the file, or with
/// an array that gradus cannot hold: of Python objects, which would have to be unpickled, of texts, records, dates or
/// complex numbers, or with an integer beyond i64.
GRADUS_API Tensor load_npy(const std::string& path, const ReadOptions& options = {});

/// Writes one tensor as a .npy file of version 1.0. Replaces the file in one step, as save_safetensors does.
GRADUS_API void save_npy(const std::string& path, const Tensor& tensor);

/// The content of a .npz file, in the order of its directory; names are without ".npy".
struct NpzFile {
  std::vector<NamedTensor> tensors;
  /// Members that are no .npy files, and arrays that gradus cannot hold.
  std::vector<SkippedTensor> skipped;
};

/// Reads a .npz file: a zip archive of .npy files, stored or deflated. Checks each member's CRC. A member that inflates
/// to another size than the archive states is an error. Time and memory are linear in the size of the archive, and of
/// what it inflates to.
GRADUS_API NpzFile load_npz(const std::string& path, const ReadOptions& options = {});

struct NpzOptions {
  /// Deflates the members. If false, they are stored so that load_npz can map them.
  bool compress = false;
};

/// Writes tensors as a .npz file, in one step. Throws when a name occurs twice, is not UTF-8, contains a zero byte or
/// has more than 65,000 bytes, and when a tensor is undefined.
GRADUS_API void save_npz(const std::string& path, const std::vector<NamedTensor>& tensors,
                         const NpzOptions& options = {});

}  // namespace gradus
