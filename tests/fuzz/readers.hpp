// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <gradus/tensor/error.hpp>
#include <gradus/tensor/files/numpy.hpp>
#include <gradus/tensor/files/safetensors.hpp>

// What must hold for every file, right or broken, that a reader is given. The fuzzers run it on what they make up, a
// test on the files of the corpus.

namespace gradus::tests {

/// A byte becomes at most an i64. Deflate takes two bits for at most 258 bytes.
constexpr uint64_t kMostGrowth = 8;
constexpr uint64_t kMostGrowthDeflated = 8 * 1032;

struct ReaderResult {
  std::string error;
  std::vector<NamedTensor> tensors;
  std::vector<SkippedTensor> skipped;
};

/// Runs a reader, which may throw an Error and nothing else.
template <class Read>
ReaderResult reader_result(const Read& read) {
  ReaderResult out;
  try {
    read(out);
  } catch (const Error& error) {
    out = ReaderResult{.error = error.what(), .tensors = {}, .skipped = {}};
  }
  return out;
}

inline ReaderResult read_safetensors(const std::string& path, const ReadOptions& options) {
  return reader_result([&](ReaderResult& out) {
    SafetensorsFile file = load_safetensors(path, options);
    out.tensors = std::move(file.tensors);
    out.skipped = std::move(file.skipped);
  });
}

inline ReaderResult read_npy_file(const std::string& path, const ReadOptions& options) {
  return reader_result([&](ReaderResult& out) { out.tensors = {{"", load_npy(path, options)}}; });
}

inline ReaderResult read_npz_file(const std::string& path, const ReadOptions& options) {
  return reader_result([&](ReaderResult& out) {
    NpzFile file = load_npz(path, options);
    out.tensors = std::move(file.tensors);
    out.skipped = std::move(file.skipped);
  });
}

/// Reads a file of `size` bytes in each way. Mapped and copied bytes must give the same, in memory that the size
/// bounds. Throws std::logic_error otherwise; returns what was read.
template <class Read>
ReaderResult check_reader(const Read& read, const std::string& path, uint64_t size, uint64_t most_growth) {
  ReaderResult copied = read(path, {.map = false});
  const ReaderResult mapped = read(path, {.map = true});
  const ReaderResult bits = read(path, {.map = true, .float_bits = true});
  const auto require = [&](bool holds, const char* what) {
    if (!holds) throw std::logic_error(std::string(what) + ": " + path);
  };
  require(copied.error == mapped.error && copied.error == bits.error, "the errors differ");
  require(copied.tensors.size() == mapped.tensors.size() && copied.tensors.size() == bits.tensors.size(),
          "the numbers of tensors differ");
  require(copied.skipped.size() == mapped.skipped.size(), "the numbers of skipped tensors differ");
  uint64_t bytes = 0;
  for (size_t i = 0; i < copied.tensors.size(); ++i) {
    const Tensor& value = copied.tensors[i].value;
    require(copied.tensors[i].name == mapped.tensors[i].name, "names differ");
    require(bitwise_equal(value, mapped.tensors[i].value), "mapped and copied elements differ");
    require(value.is_contiguous() && mapped.tensors[i].value.is_contiguous(), "a tensor is not dense");
    require(value.shape() == bits.tensors[i].value.shape(), "shapes differ");
    bytes += static_cast<uint64_t>(value.numel()) * dtype_size(value.dtype());
    static_cast<void>(to_string(value));
  }
  require(bytes <= most_growth * size, "more bytes than a file of this size can hold");
  return copied;
}

}  // namespace gradus::tests
