// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/check_op.hpp>

#include <cmath>
#include <cstdio>
#include <exception>
#include <map>

#include <gradus/autograd/check/battery/battery.hpp>
#include <gradus/autograd/check/diagnosis/op_failures.hpp>

namespace gradus {
namespace {

using detail::OpCase;
using detail::Promise;
using detail::short_number;

std::string counted(int64_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

constexpr Promise kPromises[] = {
    {"the shape rule states what the forward gives", detail::check_shapes},
    {"values are the expected ones", detail::check_expected},
    {"values are those of the reference", detail::check_against_reference},
    {"values in f32 are those of the reference in f64, except for rounding", detail::check_f32_against_reference},
    {"values in f32 are those in f64, except for rounding", detail::check_f32_values},
    {"the memory layout of an input changes no value", detail::check_layouts},
    {"an expanded input counts as its copy", detail::check_expanded},
    {"inputs of NaN and infinity crash nothing", detail::check_not_finite},
    {"first and second derivatives are those of differences", detail::check_differences},
    {"first derivatives are those of the reference", detail::check_reference_gradients},
    {"second derivatives are those of the reference", detail::check_reference_second},
    {"first derivatives run kernels, never a reference", detail::check_kernels_only},
    {"gradients in f32 are those in f64, except for rounding", detail::check_f32_gradients},
    {"a cotangent of zeros gives exact zeros", detail::check_zero_cotangent},
    {"the memory layout of a cotangent or an input changes no gradient", detail::check_gradient_layouts},
    {"one Variable passed as two inputs gets the sum of both gradients", detail::check_same_variable_twice},
    {"asking for one gradient gives the same bits", detail::check_one_gradient},
    {"every run and every number of threads gives the same bits", detail::check_same_bits},
    {"other sizes are right too, in any memory layout", detail::check_sweep},
    {"inputs that hold zeros are right too", detail::check_zeros},
    {"no input or cotangent is written to", detail::check_untouched},
    {"a case that must be refused throws its error message", detail::check_refused, true},
    {"an undefined input is named, unless it is optional", detail::check_undefined_inputs},
    {"a derivative that does not exist is refused with its reason", detail::check_refused_derivatives},
};

void check_optional(const OpDef& op, size_t i, const std::vector<Example>& examples, OpCheck& check) {
  bool given = false;
  bool left_out = false;
  for (const Example& example : examples) {
    if (!example.error.empty() || i >= example.inputs.size()) continue;
    (example.inputs[i].absent ? left_out : given) = true;
  }
  check.require(given, "no example gives the optional " + input_text(op, i));
  check.require(left_out, "no example leaves out the optional " + input_text(op, i));
}

// Fails when no example compares a derivative: such a derivative would be accepted unchecked.
void check_differentiated(const OpDef& op, const std::vector<Example>& examples, OpCheck& check) {
  std::map<size_t, bool> compared;  // by input that some example says is differentiable
  for (const Example& example : examples) {
    if (!example.error.empty()) continue;
    const OpCase c{op, example};
    const bool has_differences = detail::why_not_compared(c).empty();
    for (size_t i : c.differentiable_inputs()) {
      const InputSpec& spec = example.inputs[i];
      const Shape& shape = spec.fixed.defined() ? spec.fixed.shape() : spec.shape;
      compared[i] = compared[i] || (has_differences && shape.numel() > 0);
    }
    for (size_t i = 0; i < example.inputs.size(); ++i) {
      const InputSpec& spec = example.inputs[i];
      if (!spec.absent && spec.constant != nullptr) {
        check.skip(spec.constant, "derivative of " + c.name() + " with respect to " + input_text(op, i));
      }
    }
  }
  check.require(!compared.empty(), "the op has a derivative, and no example has an input to differentiate");
  for (const auto& [i, done] : compared) {
    check.require(done,
                  "no example compares the derivative with respect to " + input_text(op, i) + " with differences");
  }
}

// Checks that concern all examples together.
OpCheck check_examples(const OpDef& op, const std::vector<Example>& examples) {
  OpCheck check{.promise = "the examples say enough"};
  int64_t works = 0;
  std::map<std::string, int> names;
  for (const Example& example : examples) {
    works += example.error.empty() ? 1 : 0;
    check.require(++names[example.name] == 1, "two examples are named \"" + example.name + "\"");
  }
  check.require(works > 0, "there is no example that must work: nothing can be checked");
  for (int i = 0; i < 32; ++i) {
    if (in_mask(op.optional_inputs, i)) check_optional(op, static_cast<size_t>(i), examples, check);
  }
  if (op.derivative.vjp() != nullptr && works > 0) check_differentiated(op, examples, check);
  return check;
}

// The first broken promise, since later ones depend on earlier ones. Missing examples come last, because they explain
// least.
std::string most_telling(const OpReport& report) {
  const OpCheck* found = nullptr;
  for (const OpCheck& check : report.checks) {
    if (!check.failures.empty() && (found == nullptr || found == &report.checks.front())) found = &check;
  }
  const std::string& failure = found->failures.front();
  const bool named = failure.rfind(report.op + ":", 0) == 0;
  return (named ? "" : report.op + ": ") + failure;
}

std::string failures_text(const OpReport& report) {
  std::string out;
  std::set<std::string> told;
  int64_t hold = 0;
  for (const OpCheck& check : report.checks) {
    hold += check.failures.empty() ? 1 : 0;
    if (!check.failures.empty()) out += check.line() + detail::once_each(check, told);
    if (!check.notes.empty()) out += "  note  " + check.notes.front() + "\n";
  }
  return out + "  ok    " + counted(hold, "other promise") + "; .verbose = true shows all of it\n";
}

void conclude(OpReport& report) {
  for (const OpCheck& check : report.checks) {
    report.ok = report.ok && check.failures.empty();
    for (const auto& [what, right] : check.found_right) {
      if (!right) report.not_checked.push_back("no example shows that this is right: " + what);
    }
  }
  report.state = !report.ok                    ? CheckState::failed
                 : !report.not_checked.empty() ? CheckState::not_checked
                                               : CheckState::passed;
  report.ok = report.state == CheckState::passed;
}

}  // namespace

std::string detail::short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", value);
  return text;
}

std::span<const Promise> detail::all_promises() { return kPromises; }

void detail::run_check(CaseCheck function, const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  try {
    function(c, options, check);
  } catch (const std::exception& error) {
    check.failures.push_back(c.name() + ": threw " + error.what());
  }
}

void OpCheck::take(double error, double allowed, const std::string& place) {
  ++count;
  exact += error == 0.0 ? 1 : 0;
  if (!(error <= worst) || where.empty()) {
    worst = error;
    bound = allowed;
    where = place;
  }
  if (error <= allowed) return;
  failures.push_back(place + ": differs by " + short_number(error) + ", allowed are " + short_number(allowed));
}

void OpCheck::require(bool holds, const std::string& failure) {
  ++count;
  if (!holds) failures.push_back(failure);
}

void OpCheck::merge(const OpCheck& other, const std::string& place) {
  count += other.count;
  exact += other.exact;
  if (!other.where.empty() && (!(other.worst <= worst) || where.empty())) {
    worst = other.worst;
    bound = other.bound;
    where = other.where + place;
  }
  for (const std::string& failure : other.failures) failures.push_back(failure + place);
  for (const auto& [what, right] : other.found_right) found_right[what] |= right;
  skips.insert(skips.end(), other.skips.begin(), other.skips.end());
  notes.insert(notes.end(), other.notes.begin(), other.notes.end());
}

std::string OpCheck::line() const {
  const char* verdict = !failures.empty() ? "FAIL" : count == 0 ? "none" : "ok  ";
  std::string out = std::string("  ") + verdict + "  " + promise + ": " + counted(count, "comparison");
  if (!where.empty()) out += ", worst error " + worst_text() + ", allowed " + short_number(bound);
  return out + "\n";
}

std::string OpCheck::text() const {
  std::string out = line();
  for (const std::string& failure : failures) out += "    " + failure + "\n";
  for (const std::string& note : notes) out += "    note: " + note + "\n";
  return out;
}

std::string OpCheck::worst_text() const { return where.empty() ? "none" : short_number(worst) + " (" + where + ")"; }

std::string OpCheck::skips_text() const {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const Skip& skip : skips) by_reason[skip.reason].push_back(skip.what);
  std::string out;
  for (const auto& [reason, items] : by_reason) {
    out += "    skipped " + std::to_string(items.size()) + ": " + reason + ":";
    for (const std::string& item : items) out += " " + item + ";";
    out.back() = '\n';
  }
  return out;
}

const OpCheck* OpReport::find(const char* promise) const {
  for (const OpCheck& check : checks) {
    if (check.promise == promise) return &check;
  }
  return nullptr;
}

std::string OpReport::text() const {
  const std::string counts = counted(examples, "example") + ", " + counted(refused_examples, "refused case") +
                             ", seed " + std::to_string(seed) + "\n";
  if (state == CheckState::failed && !verbose) {
    return "FAIL  " + most_telling(*this) + "\n      " + counts + failures_text(*this);
  }
  std::string out = name_of(state) + ("  " + op) + ": " + counts;
  for (const std::string& what : not_checked) out += "  not checked: " + what + "\n";
  for (const OpCheck& check : checks) out += check.text() + check.skips_text();
  return out;
}

OpReport check_op(const OpDef& op, const CheckOpOptions& options) {
  OpReport report{.op = op.name, .seed = options.seed, .verbose = options.verbose};
  const std::vector<Example> examples = op.examples != nullptr ? op.examples() : std::vector<Example>();
  report.checks.push_back(check_examples(op, examples));
  for (const Example& example : examples) ++(example.error.empty() ? report.examples : report.refused_examples);
  for (const Promise& promise : kPromises) {
    OpCheck check{.promise = promise.sentence};
    for (const Example& example : examples) {
      if (example.error.empty() == promise.of_refused) continue;
      detail::run_check(promise.check, OpCase{op, example, options.seed}, options, check);
    }
    report.checks.push_back(std::move(check));
  }
  conclude(report);
  return report;
}

}  // namespace gradus
