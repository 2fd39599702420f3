// SPDX-License-Identifier: MIT
// gradcheck: compares the derivatives of a function with differences, and diagnoses failures.
#pragma once

#include <string>
#include <vector>

#include <gradus/autograd/parameter.hpp>
#include <gradus/autograd/transforms.hpp>

namespace gradus {

/// An input of a checked function, with its name in the report.
struct NamedInput {
  std::string name;
  Tensor value;
  /// One label for each axis, or an empty list.
  std::vector<AxisLabel> axes = {};
  /// Optional bool tensor of the value's shape: false where the input is padding or blocked. A blocked element must
  /// have a gradient of exactly 0 at every checked order, and no output may change when it changes.
  Tensor keep = {};
};

/// `keep` for an input that is given by the end of its name, as in InputLabels: for the parameters of a module.
struct InputKeep {
  std::string input;
  Tensor keep;
};

/// six_point: error of order h^6. central: two points, error of order h^2, for functions that change their shape within
/// a few hundredths.
enum class Stencil : uint8_t { six_point, central };

/// full: checks every element of every input by itself. directional: random directions, one number each. automatic:
/// full for inputs of at most 64 elements, and wherever a direction fails or meets a kink.
enum class GradcheckMode : uint8_t { automatic, full, directional };

struct GradcheckOptions {
  /// The highest order to check. 2 also checks the derivatives of the derivative, with respect to the inputs and to the
  /// cotangents; 3 goes one order further.
  int order = 1;
  Stencil stencil = Stencil::six_point;
  GradcheckMode mode = GradcheckMode::automatic;
  /// The step, as a multiple of the input's scale (see gradcheck). 0: the value for the stencil, 2^-9 for six points.
  double step = 0.0;
  /// The largest allowed error. 0: 1e-9 at order 1, ten times more at each further order (central: 1e-6, f32: 1e-3).
  double tolerance = 0.0;
  /// Number of random directions for each input in directional mode.
  int directions = 4;
  /// Seed of the random cotangents and directions.
  uint64_t seed = 1;
  /// f64, or f32 to check the f32 code with the wider tolerance that its rounding needs.
  DType dtype = DType::f64;
  /// Also check forward mode: <u, J v> by jvp() against differences and against <J^T u, v>.
  bool forward_mode = false;
  /// After a failure, sweep the step, name the signature, and check each recorded op by itself to find the first bad
  /// one.
  bool diagnose = true;
  /// Stop at the first derivative that fails. Use it when only the verdict matters.
  bool stop_at_failure = false;
  /// The function's name in the report, such as "lstm".
  std::string name = {};
  std::vector<InputLabels> labels = {};
  std::vector<InputKeep> keep = {};
  /// How to run the same check again, for the report. Empty: the options as C++.
  std::string reproduce = {};
  /// Print everything about a failure, not only the decisive part.
  bool verbose = false;
};

/// The state of a whole check. not_checked: nothing is wrong, but for some input no derivative was found right either.
/// No output depends on it, all its derivatives are at kinks, or none can be judged in this dtype.
enum class CheckState : uint8_t { passed, failed, not_checked };
/// "PASS", "FAIL", "NOT CHECKED".
GRADUS_API const char* name_of(CheckState state);

/// The verdict on one derivative. Only `pass` has passed; only `fail` and `not_finite` have failed.
enum class Verdict : uint8_t {
  pass,
  fail,
  kink,         ///< left and right slopes differ (or one is infinite) and the analytic value is between them,
                ///< or takes such a value for each output element
  tie,          ///< a kink that vanishes when the inputs that are exactly equal move together
  unreachable,  ///< no gradient flows to the input, and the output does not depend on it
  not_finite,   ///< counts as a failure
  not_judged,   ///< rounding hides the derivative at every step: neither right nor wrong as far as differences can tell
};
GRADUS_API const char* name_of(Verdict verdict);

/// Why the two values differ, according to a sweep over step sizes.
enum class Cause : uint8_t {
  none,
  genuine,     ///< the differences agree with each other but not with the derivative
  truncation,  ///< the step is too long for the function; with verdict pass, a shorter step agrees
  round_off,   ///< rounding dominates the differences at every step
  kink,        ///< a kink or a jump, and the derivative is not between the slopes
  cut,         ///< no gradient flows, though the output depends on the input
};
GRADUS_API const char* name_of(Cause cause);

/// One derivative that did not simply pass.
struct ElementCheck {
  /// "[1, 2]" or "direction 3". `label` says it in the layer's terms: "gate f, unit 2; time step 3" ("" without
  /// labels).
  std::string where;
  std::string label = {};
  Verdict verdict = Verdict::pass;
  Cause cause = Cause::none;
  double analytic = 0.0;
  double numeric = 0.0;
  /// The one-sided slopes.
  double left = 0.0;
  double right = 0.0;
  double error = 0.0;
  /// How much rounding may have changed `numeric`.
  double noise = 0.0;
  /// Passed by the few digits that rounding leaves; see GradcheckResult::few_digits.
  bool few_digits = false;
};

struct StepError {
  double step = 0.0;
  double numeric = 0.0;
  double error = 0.0;
};

/// The way in which a whole gradient is wrong.
enum class SignatureKind : uint8_t {
  none,    ///< no known pattern fits
  scaled,  ///< multiplied by a constant ratio
  doubled,
  sign_flipped,
  all_zero,
  transposed,  ///< the last two axes are exchanged, or all of a square matrix is transposed
  slice_zero,  ///< some slices of an axis are zero, the others are right
  first_only,  ///< only the first slice of an axis is wrong
  last_only,
  block_only,   ///< only one slice, one labelled block, or at most half of the slices of an axis are wrong
  shifted,      ///< moved by one or two along an axis
  reversed,     ///< reversed along an axis
  permuted,     ///< the slices of an axis are in another order
  only_masked,  ///< wrong only where `keep` is false, or exactly where the numeric derivative is zero
  one_element,
  cotangent_ignored,  ///< equal to the gradient without one output
  cotangent_of_ones,  ///< equal to the gradient for a cotangent of ones
  constant_offset,    ///< the difference is constant along an axis: one term is missing or extra
  between_steps,      ///< right where nothing passes from one step of an axis to another, and wrong elsewhere
  step_left_out,      ///< the terms of the first or the last steps are missing
};
GRADUS_API const char* name_of(SignatureKind kind);

struct Signature {
  SignatureKind kind = SignatureKind::none;
  /// A sentence, such as "analytic = 2 x numeric everywhere".
  std::string text = {};
  int axis = -1;
  double ratio = 0.0;
};

/// The result for one input at one order.
struct GradcheckResult {
  std::string input;
  Shape shape = {};
  int order = 1;
  /// True for forward mode: the tangents of all outputs for a tangent of this input.
  bool forward_mode = false;
  int64_t checked = 0;
  int64_t passed = 0;
  int64_t failed = 0;  ///< includes the values that are not finite
  int64_t kinks = 0;
  int64_t ties = 0;
  int64_t unreachable = 0;
  int64_t not_judged = 0;
  /// Passed, but rounding hides the derivative beyond three to seven digits. Counted in `passed` too.
  int64_t few_digits = 0;
  /// The number of input elements that were not checked one by one.
  int64_t skipped = 0;
  /// Whether some output depends on this input, according to the recorded graph.
  bool reached = true;
  bool ok = true;
  /// The error of the worst derivative, kinks aside: abs(analytic - numeric) / max(abs(analytic), abs(numeric), floor).
  /// At the floor, rounding alone makes an error of `allowed`.
  double error = 0.0;
  double absolute_error = 0.0;
  double relative_error = 0.0;
  double analytic = 0.0;
  double numeric = 0.0;
  /// "[1, 2]" or "direction 3". `label` says it in the layer's terms.
  std::string where = {};
  std::string label = {};
  /// The largest allowed error, and error / allowed.
  double allowed = 0.0;
  double margin = 0.0;
  /// The worst derivatives that did not simply pass, at most ten.
  std::vector<ElementCheck> elements = {};
  /// The errors of the worst failure, from long steps to short ones.
  std::vector<StepError> sweep = {};
  Signature signature = {};
};

/// How a value lost its place in the recorded graph.
enum class Detached : uint8_t {
  constant,     ///< an op reads, as a constant, the value that a recorded op wrote
  copied,       ///< an op reads the same numbers from another place in memory
  overwritten,  ///< its bytes were changed after one op wrote them and before another read them
};

GRADUS_API const char* name_of(Detached how);

/// A value that loses a part of its derivative, because an op reads it in one of these ways.
struct DetachedValue {
  Detached how = Detached::constant;
  /// "output 0" when no op reads the value but it is an output.
  std::string op = {};
  std::string path = {};
  std::string input = {};
  int64_t position = 0;  ///< of the op among those that ran
  int64_t step = -1;     ///< of the recurrence that contains the op; -1 when none was found
  /// The op that wrote the value, and the path of its module.
  std::string source = {};
  std::string source_path = {};
  int64_t source_position = 0;
};

/// The first recorded op, in forward order, whose own derivative is wrong.
struct BadOp {
  std::string op = {};
  /// Path of the module that applied the op; may be empty.
  std::string path = {};
  /// The name of the input whose derivative is wrong.
  std::string input = {};
  int64_t step = -1;  ///< of the recurrence that contains the op; -1 when none was found
  /// The number of the op among the checked ops, and how many ops were recorded.
  int64_t position = 0;
  int64_t recorded = 0;
  int64_t checked = 0;
  /// The worst derivative of the op, in the report's words, or the reason why no op was named.
  std::string text = {};
  /// How that derivative is wrong. When several are wrong: the signature of the worst one that has a known signature.
  Signature signature = {};
  /// When no op is wrong by itself: the values that were detached between an input with a wrong derivative and the
  /// outputs.
  std::vector<DetachedValue> detached = {};
  bool found() const { return !op.empty(); }
};

/// One path through the code, with how often it ran or why it did not.
struct CodePath {
  std::string name = {};
  int64_t runs = 0;
  std::string why_not = {};
};

struct [[nodiscard]] GRADUS_API GradcheckReport {
  /// True when `state` is passed.
  bool ok = true;
  CheckState state = CheckState::passed;
  std::vector<GradcheckResult> results = {};
  /// Other errors, one sentence each: results that differ between runs, values that are not finite, ...
  std::vector<std::string> problems = {};
  /// What was asked for but not checked, one sentence each: "no output depends on bias [3]".
  std::vector<std::string> not_checked = {};
  /// The frozen parameters of a module, which the check takes for constants.
  std::vector<std::string> frozen = {};
  GradcheckOptions options = {};
  BadOp first_bad_op = {};
  /// What the check covered: kernels and references of fused ops, dtypes, threads, orders, forward mode.
  std::vector<CodePath> paths = {};

  /// The largest error at one order; with order 0, at any order.
  double worst_error(int order = 0) const;
  int64_t checked() const;
  /// Counts over all results.
  int64_t passed() const;
  int64_t failed() const;
  /// Includes ties.
  int64_t kinks() const;
  int64_t unreachable() const;
  int64_t not_judged() const;
  int64_t few_digits() const;
  int64_t skipped() const;
  /// The verdict, then a table, then the details of each failure. `color` adds terminal escapes.
  std::string text(bool color = false) const;
  /// The report as one JSON object.
  std::string json() const;
};

/// Compares the derivatives of f at `inputs` with finite differences in f64, for a random cotangent.
///
/// The rule is abs(analytic - numeric) <= allowed * max(abs(analytic), abs(numeric)), where allowed is `tolerance`. The
/// difference may also be as large as the effect of rounding (about 10 eps abs(f) / step), where that is more. A
/// derivative is not judged when the effect of rounding is more than 1e-7 of it, unless both values are 0 but for
/// rounding. Nothing in the rule depends on the scale of f or of the inputs.
/// A step is 2^-9 times max(1, abs(x)), or times the largest element of the tensor when that is less than 1/64. A
/// derivative that does not pass is tried with steps from the scale of x to the scale of 1, and passes when two
/// neighbouring steps agree with it.
/// gradcheck also checks that f and its derivative give the same bits twice, that the derivative is linear in the
/// cotangent and exactly zero for a zero one, that all values are finite, that gradients add up when an input is used
/// twice and when backward runs twice, and that an output without a cotangent counts as one with zeros.
/// Throws when an input has another dtype than options.dtype, is expanded, or shares its bytes with another input.
GRADUS_API GradcheckReport gradcheck(FunctionRef f, const std::vector<NamedInput>& inputs,
                                     const GradcheckOptions& options = {});

}  // namespace gradus

/// For tests with Catch2, 2 or 3, whose header must come first: REQUIRE_GRADCHECK(f, inputs, options) runs gradcheck
/// with these arguments, and fails the test with the whole report when the check does not pass. It also takes the
/// arguments of a module's check (include nn/check/gradcheck.hpp). This file includes no header of Catch2.
#define REQUIRE_GRADCHECK(...)                                                           \
  do {                                                                                   \
    const ::gradus::GradcheckReport gradcheck_report = ::gradus::gradcheck(__VA_ARGS__); \
    INFO(gradcheck_report.text());                                                       \
    REQUIRE(gradcheck_report.ok);                                                        \
  } while (false)
