// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <gradus/autograd/check/check_op.hpp>
#include <gradus/autograd/check/example.hpp>
#include <gradus/autograd/check/gradcheck.hpp>

namespace gradus {

struct CheckFusedOptions {
  /// Bounds, seed and numbers of threads.
  CheckOpOptions bounds = {};
  /// Beside the op's own examples: large enough that the work is split between threads.
  std::vector<Example> large = {};
};

struct [[nodiscard]] GRADUS_API FusedReport {
  std::string op = {};
  bool ok = true;
  uint64_t seed = 0;
  int64_t examples = 0;
  std::vector<OpCheck> checks = {};
  std::vector<CodePath> paths = {};

  const CodePath* find_path(const char* name) const;
  /// The verdict; worst errors beside their bounds; the paths that ran, and for the others why not.
  std::string text() const;
};

/// Holds the kernels of a fused op to its reference: values, first and second derivatives, in f64 and f32 (against the
/// reference in f64), on every instruction set of this machine and every number of threads asked for, all of which it
/// sets back. An op without a reference fails.
GRADUS_API FusedReport check_fused(const OpDef& op, const CheckFusedOptions& options = {});

}  // namespace gradus
