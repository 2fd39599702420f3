// SPDX-License-Identifier: MIT
// check_op and check_fused: check your own op as thoroughly as the library's ops.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/op.hpp>

namespace gradus {

/// Error bounds are in rounding units (2^-23 for f32, 2^-52 for f64) relative to max(1, abs(value)), for the worst
/// element.
struct CheckOpOptions {
  /// Seed of the drawn inputs, cotangents and directions.
  uint64_t seed = 1;
  /// Set to false for an op that takes f64 only: the f32 checks are skipped, and the report says so.
  bool f32 = true;
  /// Bound for values: f32 against f64.
  double value_units = 64;
  /// Bound for first derivatives: f32 against f64, and between memory layouts.
  double gradient_units = 200;
  /// Bound for second derivatives: f32 against the reference in f64 (check_fused).
  double second_units = 2000;
  /// Bound for values between memory layouts; 0 demands the same bits. (16 for products of transposed matrices, which
  /// add in another order.)
  double layout_units = 0;
  /// Bound for values and derivatives: f64 against the reference.
  double reference_units = 450;
  /// Bound for values: f64 against `expected`.
  double expected_units = 4;
  /// The thread counts that must give the same bits.
  std::vector<int> threads = {1, 2, 3};
  /// Print a failure for every place where it was seen, not only once.
  bool verbose = false;
};

/// One promise and its result over all examples of the op.
struct GRADUS_API OpCheck {
  struct Skip {
    std::string reason;
    std::string what;
  };

  /// What must hold, as a sentence.
  std::string promise = {};
  /// How many comparisons were made, and how many of those with a bound had no error at all.
  int64_t count = 0;
  int64_t exact = 0;
  /// The largest error, where it was seen, and the bound there in the same units.
  double worst = 0.0;
  double bound = 0.0;
  std::string where = {};
  /// One sentence for each failure.
  std::vector<std::string> failures = {};
  /// What at least one example must show to be right ("the derivative with respect to input 0"), and whether one did.
  std::map<std::string, bool> found_right = {};
  /// What was not checked, and why.
  std::vector<Skip> skips = {};
  /// Suggestions for things that are not wrong, one sentence each.
  std::vector<std::string> notes = {};

  /// Counts one comparison. Records a failure when the error is above the bound or NaN.
  void take(double error, double allowed, const std::string& place);
  /// Counts one yes-or-no comparison.
  void require(bool holds, const std::string& failure);
  /// Adds the result of another check of the same promise, with `place` appended to each of its places.
  void merge(const OpCheck& other, const std::string& place);
  void skip(const std::string& reason, const std::string& what) { skips.push_back({reason, what}); }
  /// One line of a report.
  std::string line() const;
  /// That line, then the failures and notes, a line each.
  std::string text() const;
  /// "1.2e-10 (relu: plain, input 0)"
  std::string worst_text() const;
  /// One line for each reason, with everything that was skipped for it.
  std::string skips_text() const;
};

struct [[nodiscard]] GRADUS_API OpReport {
  std::string op = {};
  /// True when `state` is passed. State not_checked: nothing is wrong, but no example shows some derivative to be
  /// right.
  bool ok = true;
  CheckState state = CheckState::passed;
  /// One sentence for each derivative that was not checked.
  std::vector<std::string> not_checked = {};
  uint64_t seed = 0;
  /// Number of examples that must work, and of examples that must be refused.
  int64_t examples = 0;
  int64_t refused_examples = 0;
  bool verbose = false;
  std::vector<OpCheck> checks = {};

  const OpCheck* find(const char* promise) const;
  /// The verdict with the most important failure, then each promise with its count, its worst error and its skips.
  /// Failures that differ only in example, input or element are counted, not repeated; `verbose` prints all of them.
  std::string text() const;
};

/// Checks on the op's `examples` everything that an op promises; for the library's ops and for your own. Checks the
/// shape rule against the forward; values against the reference, `expected` and f32; memory layouts; first and second
/// derivatives against differences and the reference; the rules of a vjp; the messages of refusals; and that every run
/// and every number of threads gives the same bits (it restores the number of threads). An exception from the op
/// becomes a failure in the report; check_op itself throws nothing.
GRADUS_API OpReport check_op(const OpDef& op, const CheckOpOptions& options = {});

struct CheckFusedOptions {
  /// Error bounds, seed and thread counts.
  CheckOpOptions bounds = {};
  /// More examples, large enough that the work is split between threads.
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
  /// The verdict, the worst errors with their bounds, the code paths that ran, and why the others did not.
  std::string text() const;
};

/// Compares the kernels of a fused op with its reference: values, first and second derivatives, in f64 and in f32
/// (against the reference in f64), on every instruction set of this machine and for every number of threads asked for.
/// Restores the instruction set and the number of threads. Fails for an op without a reference.
GRADUS_API FusedReport check_fused(const OpDef& op, const CheckFusedOptions& options = {});

}  // namespace gradus
