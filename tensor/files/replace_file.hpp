// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include <gradus/tensor/api.hpp>

namespace gradus::detail {

/// Writes a file that replaces the one at `target` in one step and keeps its permissions, or leaves that one unchanged.
/// The bytes go to a temporary file in the same folder, which commit() syncs and renames. Temporary files of killed
/// runs in that folder are removed. Throws std::runtime_error with only the reason when anything fails, or when
/// `target` exists and is not a regular file.
class GRADUS_API ReplaceFile {
 public:
  explicit ReplaceFile(const std::string& target);
  ~ReplaceFile();
  ReplaceFile(const ReplaceFile&) = delete;
  ReplaceFile& operator=(const ReplaceFile&) = delete;

  void write(const void* data, size_t count);
  void commit();

 private:
  bool create();

  std::string target_;
  std::string name_;
  int descriptor_ = -1;
};

}  // namespace gradus::detail
