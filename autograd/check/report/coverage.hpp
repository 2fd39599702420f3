// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::detail {

/// Counts, from its construction on, the code paths that this thread takes (for split work, the whole process).
class Coverage {
 public:
  /// The paths of the check that `report` describes. The report must be complete.
  std::vector<CodePath> paths(const GradcheckReport& report) const;

 private:
  PathCounts before_ = path_counts();
  int64_t split_before_ = regions_split();
};

}  // namespace gradus::detail
