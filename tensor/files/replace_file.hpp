// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include <gradus/tensor/api.hpp>

namespace gradus::detail {

/// Writes a file that takes the place of the one at `target` in one step, with its permissions, or leaves that one as
/// it was: the bytes go to a temporary file in the same folder, which commit() syncs and renames. What runs that were
/// killed have left behind in that folder is removed. Whatever
/// fails throws std::runtime_error with the reason alone, also when something that is no regular file stands at
/// `target`.
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
