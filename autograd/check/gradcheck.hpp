// SPDX-License-Identifier: MIT
// gradcheck: compares the derivatives of a function with differences, and diagnoses failures.
#pragma once

#include <string>
#include <vector>

#include <gradus/autograd/parameter.hpp>
#include <gradus/autograd/transforms.hpp>

namespace gradus {

/// An input of a checked function, by the name that the report shall use.
struct NamedInput {
  std::string name;
  Tensor value;
  /// One for each axis, or none.
  std::vector<AxisLabel> axes = {};
  /// Optional, of the value's shape, bool: false where the input is padding or blocked. There it must have a gradient
  /// of exactly 0 at every order that is checked, and no output may change when it does.
  Tensor keep = {};
};

/// The same for an input by the end of its name, as in InputLabels: for the parameters of a module.
struct InputKeep {
  std::string input;
  Tensor keep;
};

/// six_point: error of order h^6. central: two points, error of order h^2, for functions that change their shape within
/// a few hundredths.
enum class Stencil : uint8_t { six_point, central };

/// full: every element of every input by itself. directional: random directions, one number each. automatic: full for
/// inputs of at most 64 elements, and wherever a direction fails or meets a kink.
enum class GradcheckMode : uint8_t { automatic, full, directional };

struct GradcheckOptions {
  /// The highest order checked: 2 also checks the derivatives of the derivative, with respect to the inputs and to the
  /// cotangents; 3 once more.
  int order = 1;
  Stencil stencil = Stencil::six_point;
  GradcheckMode mode = GradcheckMode::automatic;
  /// Times the input's scale (see gradcheck); 0: what suits the stencil, 2^-9 for six points.
  double step = 0.0;
  /// Largest error allowed; 0: 1e-9 at order 1, ten times more at each further one (central: 1e-6, f32: 1e-3).
  double tolerance = 0.0;
  /// Random directions for each input in directional mode.
  int directions = 4;
  /// Of the random cotangents and directions.
  uint64_t seed = 1;
  /// f64, or f32 to check the code that f32 runs, to the wider tolerance that its rounding needs.
  DType dtype = DType::f64;
  /// Also forward mode: <u, J v> by jvp() against differences and against <J^T u, v>.
  bool forward_mode = false;
  /// After a failure: sweep the step, name the signature, and check each recorded op by itself for the first bad one.
  bool diagnose = true;
  /// Stop at the first derivative that fails: for who only wants to know whether all are right.
  bool stop_at_failure = false;
  /// Of the function, in the report: "lstm".
  std::string name = {};
  std::vector<InputLabels> labels = {};
  std::vector<InputKeep> keep = {};
  /// How to run the same check again, for the report; empty: the options as C++.
  std::string reproduce = {};
  /// The text of a failing report says everything, not only what is decisive.
  bool verbose = false;
};

/// What became of a whole check. not_checked: nothing was found wrong, but of some input nothing was found right
/// either: no output depends on it, all its derivatives stand at kinks, or none can be judged in this dtype.
enum class CheckState : uint8_t { passed, failed, not_checked };
/// "PASS", "FAIL", "NOT CHECKED".
GRADUS_API const char* name_of(CheckState state);

/// What became of one derivative. Only `pass` has passed; only `fail` and `not_finite` have failed.
enum class Verdict : uint8_t {
  pass,
  fail,
  kink,         ///< left and right slopes differ (or one is infinite) and the analytic value lies between them,
                ///< or takes such a value for each output element
  tie,          ///< a kink that vanishes when the inputs that are exactly equal move together
  unreachable,  ///< no gradient flows to the input, and the output does not depend on it
  not_finite,   ///< counts as a failure
  not_judged,   ///< rounding hides it at every step: neither right nor wrong as far as differences can tell
};
GRADUS_API const char* name_of(Verdict verdict);

/// Why the two values differ, as a sweep over step sizes shows.
enum class Cause : uint8_t {
  none,
  genuine,     ///< the differences agree with each other and not with the derivative
  truncation,  ///< the step is too long for the function; with verdict pass: a shorter one agrees
  round_off,   ///< the differences are drowned in rounding at every step
  kink,        ///< a kink or a jump, and the derivative does not lie between the slopes
  cut,         ///< no gradient flows, though the output depends on the input
};
GRADUS_API const char* name_of(Cause cause);

/// One derivative that did not simply pass.
struct ElementCheck {
  /// "[1, 2]", or "direction 3"; in the layer's own terms: "gate f, unit 2; time step 3" ("" without labels).
  std::string where;
  std::string label = {};
  Verdict verdict = Verdict::pass;
  Cause cause = Cause::none;
  double analytic = 0.0;
  double numeric = 0.0;
  /// One-sided slopes.
  double left = 0.0;
  double right = 0.0;
  double error = 0.0;
  /// What rounding may have put into `numeric`.
  double noise = 0.0;
};

struct StepError {
  double step = 0.0;
  double numeric = 0.0;
  double error = 0.0;
};

/// The way in which a whole gradient is wrong.
enum class SignatureKind : uint8_t {
  none,    ///< nothing known fits
  scaled,  ///< by a constant ratio
  doubled,
  sign_flipped,
  all_zero,
  transposed,  ///< its last two axes, or all of a square matrix
  slice_zero,  ///< some slices of an axis are zero, the others right
  first_only,  ///< wrong only in the first slice of an axis
  last_only,
  block_only,   ///< wrong only in one slice, in one labelled block, or in at most half of the slices, of an axis
  shifted,      ///< by one or two along an axis
  reversed,     ///< along an axis
  permuted,     ///< the slices of an axis stand in another order
  only_masked,  ///< wrong where `keep` is false, or wherever the numeric derivative is exactly zero, and only there
  one_element,
  cotangent_ignored,  ///< as if an output did not exist
  cotangent_of_ones,  ///< as if the cotangent were 1
  constant_offset,    ///< the difference is the same along an axis: a term is missing there or one too many
  between_steps,      ///< right where nothing passes from one step of an axis to another, and wrong elsewhere
  step_left_out,      ///< the own terms of the first or the last steps are missing
};
GRADUS_API const char* name_of(SignatureKind kind);

struct Signature {
  SignatureKind kind = SignatureKind::none;
  /// A sentence: "analytic = 2 x numeric everywhere".
  std::string text = {};
  int axis = -1;
  double ratio = 0.0;
};

/// What was found for one input, at one order.
struct GradcheckResult {
  std::string input;
  Shape shape = {};
  int order = 1;
  /// Of forward mode: the tangents of all outputs for a tangent of this input.
  bool forward_mode = false;
  int64_t checked = 0;
  int64_t passed = 0;
  int64_t failed = 0;  ///< with those that are not finite
  int64_t kinks = 0;
  int64_t ties = 0;
  int64_t unreachable = 0;
  int64_t not_judged = 0;
  /// Elements of the input that were not looked at one by one.
  int64_t skipped = 0;
  /// Some output depends on this input, as far as the recorded graph knows.
  bool reached = true;
  bool ok = true;
  /// Of the worst derivative (kinks aside): abs(analytic - numeric) / max(abs(analytic), abs(numeric), floor), where
  /// rounding alone makes an error of `allowed` at the floor.
  double error = 0.0;
  double absolute_error = 0.0;
  double relative_error = 0.0;
  double analytic = 0.0;
  double numeric = 0.0;
  /// "[1, 2]", or "direction 3"; `label` says it in the layer's own terms.
  std::string where = {};
  std::string label = {};
  /// Largest error allowed, and error / allowed.
  double allowed = 0.0;
  double margin = 0.0;
  /// The worst ones that did not simply pass, at most ten.
  std::vector<ElementCheck> elements = {};
  /// Of the worst failure, from long steps to short ones.
  std::vector<StepError> sweep = {};
  Signature signature = {};
};

/// How a value left the tape.
enum class Detached : uint8_t {
  constant,     ///< what a recorded op wrote is read as a constant
  copied,       ///< the same, as the same numbers at another place
  overwritten,  ///< its bytes were changed between the op that wrote them and the one that reads them
};

GRADUS_API const char* name_of(Detached how);

/// A value of whose derivative something is lost: an op reads it in one of these ways.
struct DetachedValue {
  Detached how = Detached::constant;
  /// "output 0" where no op reads it, but it is handed out.
  std::string op = {};
  std::string path = {};
  std::string input = {};
  int64_t position = 0;  ///< of the op among those that ran
  int64_t step = -1;     ///< of the recurrence that it is in; -1: in none that is seen
  /// The op that wrote the value, and its module.
  std::string source = {};
  std::string source_path = {};
  int64_t source_position = 0;
};

/// The first recorded op, in forward order, whose own derivative is wrong.
struct BadOp {
  std::string op = {};
  /// Of the module that applied it; may be empty.
  std::string path = {};
  /// The name of the input whose derivative is wrong.
  std::string input = {};
  int64_t step = -1;  ///< of the recurrence that it is in; -1: in none that is seen
  /// Its number among the ops that were checked, and how many were recorded.
  int64_t position = 0;
  int64_t recorded = 0;
  int64_t checked = 0;
  /// Its worst derivative, in the report's words; or why none was named.
  std::string text = {};
  /// How that derivative is wrong. Of several wrong ones, that of the worst whose way of being wrong is known.
  Signature signature = {};
  /// Where no op is wrong by itself: the values that were detached between an input whose derivative is wrong and the
  /// outputs.
  std::vector<DetachedValue> detached = {};
  bool found() const { return !op.empty(); }
};

/// One way through the code: how often it ran, or why it did not.
struct CodePath {
  std::string name = {};
  int64_t runs = 0;
  std::string why_not = {};
};

struct [[nodiscard]] GRADUS_API GradcheckReport {
  /// Whether `state` is passed.
  bool ok = true;
  CheckState state = CheckState::passed;
  std::vector<GradcheckResult> results = {};
  /// What else was found wrong, a sentence each: results that differ from run to run, values that are not finite, ...
  std::vector<std::string> problems = {};
  /// What was asked for and not checked, a sentence each: "no output depends on bias [3]".
  std::vector<std::string> not_checked = {};
  GradcheckOptions options = {};
  BadOp first_bad_op = {};
  /// What the check covered: kernels and references of fused ops, dtypes, threads, orders, forward mode.
  std::vector<CodePath> paths = {};

  /// The largest error at one order (0: at any).
  double worst_error(int order = 0) const;
  int64_t checked() const;
  /// Sums over the results.
  int64_t passed() const;
  int64_t failed() const;
  /// With ties.
  int64_t kinks() const;
  int64_t unreachable() const;
  int64_t not_judged() const;
  int64_t skipped() const;
  /// The verdict, then a table, then what is known about each failure. `color`: with terminal escapes.
  std::string text(bool color = false) const;
  /// The same as one JSON object.
  std::string json() const;
};

/// Compares the derivatives of f with differences in f64, at `inputs`, for a random cotangent.
///
/// The rule: abs(analytic - numeric) <= allowed * max(abs(analytic), abs(numeric)), allowed being `tolerance`; or up to
/// what rounding puts into the difference (about 10 eps abs(f) / step), where that is more. Where it is more than 1e-7
/// of the derivative, the derivative is not judged, unless both values are 0 but for rounding. Nothing in it depends on
/// the scale of f or of the inputs. A step is 2^-9 times max(1, abs(x)), or times the tensor's own largest element
/// where that is less than 1/64; what does not pass is tried with steps from the scale of x to that of 1, and passes
/// when two neighbouring ones agree with it. Also checked: f and its derivative give the same bits twice, the
/// derivative is linear in the cotangent and exactly zero for a zero one, all values are finite, gradients add up where
/// an input is used twice and where backward runs twice, and an output without a cotangent counts as one with zeros.
/// Throws when an input has another dtype than options.dtype, is expanded, or shares its bytes with another one.
GRADUS_API GradcheckReport gradcheck(FunctionRef f, const std::vector<NamedInput>& inputs,
                                     const GradcheckOptions& options = {});

}  // namespace gradus

/// For a user's own tests with Catch2, 2 or 3, whose header comes first: REQUIRE_GRADCHECK(f, inputs, options) runs
/// gradcheck with these arguments, and fails the test with the whole report when it does not pass. A module's check
/// takes its arguments too (include nn/check/gradcheck.hpp). No header of Catch2 is included here.
#define REQUIRE_GRADCHECK(...)                                                           \
  do {                                                                                   \
    const ::gradus::GradcheckReport gradcheck_report = ::gradus::gradcheck(__VA_ARGS__); \
    INFO(gradcheck_report.text());                                                       \
    REQUIRE(gradcheck_report.ok);                                                        \
  } while (false)
