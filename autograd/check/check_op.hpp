// SPDX-License-Identifier: MIT
// Holds an op of your own to everything that the library's ops are held to.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/op.hpp>

namespace gradus {

/// Bounds are in rounding units (2^-23 for f32, 2^-52 for f64) relative to max(1, abs(value)), worst element.
struct CheckOpOptions {
  /// Of the drawn inputs, cotangents and directions.
  uint64_t seed = 1;
  /// False for an op that takes f64 only: what f32 promises is skipped, and the report says so.
  bool f32 = true;
  /// Values in f32 against f64.
  double value_units = 64;
  /// First derivatives in f32 against f64, and for other places in memory.
  double gradient_units = 200;
  /// Second derivatives in f32 against those of the reference in f64 (check_fused).
  double second_units = 2000;
  /// Values for inputs at other places in memory: 0 demands the same bits. (Products of transposed matrices add in
  /// another order: 16.)
  double layout_units = 0;
  /// f64 against the reference, values and derivatives.
  double reference_units = 450;
  /// f64 against `expected`.
  double expected_units = 4;
  /// Numbers of threads that must give the same bits.
  std::vector<int> threads = {1, 2, 3};
  /// The text of the report repeats each failure wherever it was seen.
  bool verbose = false;
};

/// One promise, over all examples of the op.
struct GRADUS_API OpCheck {
  struct Skip {
    std::string reason;
    std::string what;
  };

  /// What must hold, a sentence.
  std::string promise = {};
  /// Comparisons made, and those without any error among the ones that have a bound.
  int64_t count = 0;
  int64_t exact = 0;
  /// The largest error and where it was seen; bound: what was allowed there, in the same measure.
  double worst = 0.0;
  double bound = 0.0;
  std::string where = {};
  /// A sentence each.
  std::vector<std::string> failures = {};
  /// By what must be found right in some example ("the derivative with respect to input 0"): whether it was.
  std::map<std::string, bool> found_right = {};
  /// What was not checked: a check that is skipped in silence is no check.
  std::vector<Skip> skips = {};
  /// What is not wrong, but could be better, a sentence each.
  std::vector<std::string> notes = {};

  /// Counts one comparison; fails it with a sentence when the error is above the bound (or NaN).
  void take(double error, double allowed, const std::string& place);
  /// Counts one yes-or-no comparison.
  void require(bool holds, const std::string& failure);
  /// Adds what another check of the same promise found, `place` after each place.
  void merge(const OpCheck& other, const std::string& place);
  void skip(const std::string& reason, const std::string& what) { skips.push_back({reason, what}); }
  /// One line of a report.
  std::string line() const;
  /// That line, then the failures and notes, a line each.
  std::string text() const;
  /// "1.2e-10 (relu: plain, input 0)"
  std::string worst_text() const;
  /// One line for each reason, with all that it holds for.
  std::string skips_text() const;
};

struct [[nodiscard]] GRADUS_API OpReport {
  std::string op = {};
  /// Whether `state` is passed. not_checked: nothing is wrong, but the examples show nothing right of some derivative.
  bool ok = true;
  CheckState state = CheckState::passed;
  /// A sentence each.
  std::vector<std::string> not_checked = {};
  uint64_t seed = 0;
  /// Examples that must work, and that must be refused.
  int64_t examples = 0;
  int64_t refused_examples = 0;
  bool verbose = false;
  std::vector<OpCheck> checks = {};

  const OpCheck* find(const char* promise) const;
  /// The verdict with what is most telling of it; each promise with its count, its worst error and what was skipped.
  /// Failures that say the same of other examples, inputs or elements are counted; `verbose` tells all.
  std::string text() const;
};

/// Holds one op, a user's own as well as the library's, to all that ops promise, on its `examples`: shape rule against
/// forward; values against the reference, `expected` and f32; places in memory; first and second derivatives against
/// differences and the reference; what every vjp promises beside being right; refusals in their words; the same bits in
/// every run and at every number of threads (which it sets, and sets back). What an op throws is a failure of its
/// report. Throws nothing of its own.
GRADUS_API OpReport check_op(const OpDef& op, const CheckOpOptions& options = {});

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
