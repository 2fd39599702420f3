// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::detail {

/// Sees, from when it is made, which ways through the code this thread takes (of split work: the whole process).
class Coverage {
 public:
  /// Of the check that `report` is about, which is complete.
  std::vector<CodePath> paths(const GradcheckReport& report) const;

 private:
  PathCounts before_ = path_counts();
  int64_t split_before_ = regions_split();
};

}  // namespace gradus::detail
