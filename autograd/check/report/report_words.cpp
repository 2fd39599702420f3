// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/report/report_words.hpp>

#include <algorithm>
#include <cstdio>

namespace gradus {
namespace detail {
namespace {

std::string number(double value, const char* format) {
  char text[40];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

const char* state_word(CheckState state) {
  if (state == CheckState::passed) return "passed";
  return state == CheckState::failed ? "failed" : "not checked";
}

std::string error_text(double value) { return number(value, "%.1e"); }
std::string value_text(double value) { return number(value, "%.12g"); }

const GradcheckResult* worst_result(const GradcheckReport& report) {
  const GradcheckResult* found = nullptr;
  for (const GradcheckResult& result : report.results) {
    if (found == nullptr || (found->ok && !result.ok) || (found->ok == result.ok && result.error > found->error)) {
      found = &result;
    }
  }
  return found;
}

const GradcheckResult* telling_result(const GradcheckReport& report) {
  const GradcheckResult* found = nullptr;
  for (const GradcheckResult& result : report.results) {
    if (result.ok || result.signature.kind == SignatureKind::none) continue;
    if (found == nullptr || result.error > found->error) found = &result;
  }
  return found;
}

std::string signature_text(const Signature& signature) {
  const bool known = signature.kind != SignatureKind::none;
  return (known ? name_of(signature.kind) + std::string(": ") : "") + signature.text;
}

std::string derivative_name(const GradcheckResult& result) {
  const char* const outputs[] = {"d out", "d (d out)", "d (d (d out))"};
  return std::string(outputs[result.order - 1]) + " / d " + result.input +
         (result.forward_mode ? " (forward mode)" : "");
}

std::string rule_text(const GradcheckResult& result) {
  return "abs(analytic - numeric) <= " + number(result.allowed, "%g") +
         " max(abs(analytic), abs(numeric)), or what rounding puts into the difference";
}

std::string reproduction(const GradcheckOptions& options) {
  if (!options.reproduce.empty()) return options.reproduce;
  const GradcheckOptions usual;
  std::string text = "gradcheck(f, inputs, {";
  const char* separator = "";
  const auto add = [&](const char* field, const std::string& value) {
    text += separator + std::string(".") + field + " = " + value;
    separator = ", ";
  };
  if (options.order != usual.order) add("order", std::to_string(options.order));
  if (options.stencil != usual.stencil) add("stencil", "Stencil::central");
  if (options.mode != usual.mode) {
    add("mode", options.mode == GradcheckMode::full ? "GradcheckMode::full" : "GradcheckMode::directional");
  }
  if (options.step != usual.step) add("step", number(options.step, "%g"));
  if (options.tolerance != usual.tolerance) add("tolerance", number(options.tolerance, "%g"));
  if (options.directions != usual.directions) add("directions", std::to_string(options.directions));
  add("seed", std::to_string(options.seed));
  if (options.dtype != usual.dtype) add("dtype", "DType::f32");
  if (options.forward_mode) add("forward_mode", "true");
  return text + "})";
}

namespace {

std::string place_text(const std::string& op, const std::string& path, int64_t step) {
  return op + (path.empty() ? "" : " in " + path) + (step < 0 ? "" : join(", step ", step));
}

std::string bad_op_headline(const BadOp& bad) {
  const std::string input =
      bad.input.empty() ? "" : (bad.input.rfind("input ", 0) == 0 ? ", " : ", input ") + bad.input;
  return join("first bad op: ", place_text(bad.op, bad.path, bad.step), ", number ", bad.position + 1, " of ",
              bad.recorded, " recorded", input, bad.signature.text.empty() ? "" : ": ", signature_text(bad.signature));
}

}  // namespace

std::string detached_text(const DetachedValue& value) {
  const bool is_input = value.source_position < 0;
  const std::string source = is_input ? value.source : place_text(value.source, value.source_path, -1);
  const std::string what = is_input ? "the input " + source : "what " + source + " wrote";
  const std::string at =
      place_text(value.op, value.path, value.step) + (value.input.empty() ? "" : ", input " + value.input);
  switch (value.how) {
    case Detached::overwritten:
      return join("overwritten: ", at, ": ", what, ", changed in place before it is read");
    case Detached::copied:
      return join("detached: ", at, ": a copy of ", what, ", read as a constant");
    case Detached::constant:
      break;
  }
  return join("detached: ", at, ": ", what, ", read as a constant");
}

bool leads_with_problem(const GradcheckReport& report) {
  return !report.first_bad_op.found() && report.first_bad_op.detached.empty() && !report.problems.empty();
}

std::string failing_count(const GradcheckReport& report) {
  const GradcheckResult& worst = *worst_result(report);
  const bool directions = worst.where.rfind("direction", 0) == 0;
  const int64_t looked_at =
      worst.passed + worst.failed + worst.kinks + worst.ties + worst.unreachable + worst.not_judged;
  const auto failing = std::count_if(report.results.begin(), report.results.end(), [](const auto& r) { return !r.ok; });
  return join(worst.failed, " of ", looked_at, directions ? " directions" : " elements",
              failing > 1 ? join(", and ", failing - 1, failing == 2 ? " more derivative" : " more derivatives") : "");
}

// "no output depends on b [3], and 1 more"; "" when everything that was asked for was checked.
std::string not_checked_text(const GradcheckReport& report) {
  const size_t count = report.not_checked.size();
  if (count == 0) return "";
  return report.not_checked.front() + (count > 1 ? join(", and ", count - 1, " more") : std::string());
}

// ", no output depends on a, b"; "" when every input is used.
std::string unused_text(const GradcheckReport& report) {
  std::string names;
  for (const GradcheckResult& result : report.results) {
    const bool unused = result.order == 1 && !result.forward_mode && result.unreachable == result.checked;
    if (unused && result.checked > 0) names += (names.empty() ? "" : ", ") + result.input;
  }
  return names.empty() ? "" : ", no output depends on " + names;
}

// "; frozen and not checked: a, b"; "" when nothing is frozen.
std::string frozen_text(const GradcheckReport& report) {
  std::string names;
  for (const std::string& name : report.frozen) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "" : "; frozen and not checked: " + names;
}

std::string verdict_without_frozen(const GradcheckReport& report) {
  const std::string name = report.options.name.empty() ? "" : report.options.name + "  ";
  const bool wrong = report.state == CheckState::failed;
  if (wrong && report.first_bad_op.found()) return name + bad_op_headline(report.first_bad_op) + unused_text(report);
  if (wrong && !report.first_bad_op.detached.empty()) {
    return name + detached_text(report.first_bad_op.detached.front()) + unused_text(report);
  }
  if (!report.problems.empty()) return name + report.problems.front();
  const GradcheckResult* worst = worst_result(report);
  if (report.state == CheckState::not_checked) return name + not_checked_text(report);
  if (wrong && worst != nullptr) {
    const std::string missing = not_checked_text(report);
    return join(name, derivative_name(*worst), "  (", failing_count(report), ")",
                missing.empty() ? "" : "; not checked: ", missing, unused_text(report));
  }
  std::string text = join(name, report.checked(), " derivatives of ", report.results.size(), " inputs, worst error ",
                          error_text(worst->error));
  if (report.kinks() > 0) text += join(", ", report.kinks(), " at kinks are neither passed nor failed");
  if (report.not_judged() > 0) text += join(", ", report.not_judged(), " cannot be judged in ", report.options.dtype);
  if (report.few_digits() > 0) text += join(", rounding hides ", report.few_digits(), " beyond a few digits");
  return text + unused_text(report);
}

std::string verdict_text(const GradcheckReport& report) { return verdict_without_frozen(report) + frozen_text(report); }

}  // namespace detail

double GradcheckReport::worst_error(int order) const {
  double largest = 0.0;
  for (const GradcheckResult& result : results) {
    if (order == 0 || result.order == order) largest = std::max(largest, result.error);
  }
  return largest;
}

namespace {

int64_t sum_of(const std::vector<GradcheckResult>& results, int64_t GradcheckResult::*count) {
  int64_t sum = 0;
  for (const GradcheckResult& result : results) sum += result.*count;
  return sum;
}

}  // namespace

int64_t GradcheckReport::checked() const { return sum_of(results, &GradcheckResult::checked); }
int64_t GradcheckReport::passed() const { return sum_of(results, &GradcheckResult::passed); }
int64_t GradcheckReport::failed() const { return sum_of(results, &GradcheckResult::failed); }
int64_t GradcheckReport::kinks() const {
  return sum_of(results, &GradcheckResult::kinks) + sum_of(results, &GradcheckResult::ties);
}
int64_t GradcheckReport::unreachable() const { return sum_of(results, &GradcheckResult::unreachable); }
int64_t GradcheckReport::not_judged() const { return sum_of(results, &GradcheckResult::not_judged); }
int64_t GradcheckReport::few_digits() const { return sum_of(results, &GradcheckResult::few_digits); }
int64_t GradcheckReport::skipped() const { return sum_of(results, &GradcheckResult::skipped); }

}  // namespace gradus
