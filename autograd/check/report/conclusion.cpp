// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/report/conclusion.hpp>

#include <algorithm>

#include <gradus/autograd/check/differences/differences.hpp>

namespace gradus::detail {
namespace {

// "2 at kinks, 1 at ties"
std::string counts_text(const GradcheckResult& r) {
  std::string text;
  const auto add = [&](int64_t count, const char* what) {
    if (count > 0) text += join(text.empty() ? "" : ", ", count, what);
  };
  add(r.kinks, " at kinks");
  add(r.ties, " at ties");
  add(r.not_judged, " cannot be judged, because rounding hides them at every step");
  add(r.unreachable, " unreachable");
  return text;
}

// The reason why no element of a derivative passed. Empty when it has no elements, or when some passed or failed.
std::string why_nothing_passed(const GradcheckResult& r) {
  if (r.shape.numel() == 0 || r.passed > 0 || r.failed > 0) return "";
  const bool unused = r.checked == r.unreachable;
  // The second derivative of a linear function is such a zero.
  if (unused && r.order > 1) return "";
  if (unused) return r.forward_mode ? "" : join("no output depends on ", r.input, " ", r.shape);
  const char* const which[] = {"derivative", "second derivative", "third derivative"};
  return join("no ", which[r.order - 1], " with respect to ", r.input, " ", r.shape, " passed: ", counts_text(r));
}

}  // namespace

void conclude(GradcheckReport& report) {
  // The headline names an input that no output uses. When there is no other input, nothing was checked.
  const bool allowed = report.passed() > 0;
  for (const GradcheckResult& result : report.results) {
    const bool unused = result.checked == result.unreachable;
    std::string reason = why_nothing_passed(result);
    if (!reason.empty() && !(unused && allowed)) report.not_checked.push_back(std::move(reason));
  }
  const bool nothing = report.passed() == 0 && report.failed() == 0;
  if (report.ok && nothing && report.not_checked.empty()) {
    report.not_checked.emplace_back("there is no input with an element to differentiate by");
  }
  report.state = report.ok ? CheckState::passed : CheckState::failed;
  add_not_checked(report, {});
}

void add_not_checked(GradcheckReport& report, std::vector<std::string> sentences) {
  for (std::string& sentence : sentences) report.not_checked.push_back(std::move(sentence));
  if (report.state == CheckState::passed && !report.not_checked.empty()) report.state = CheckState::not_checked;
  report.ok = report.state == CheckState::passed;
}

CheckState worse_of(CheckState a, CheckState b) {
  if (a == CheckState::failed || b == CheckState::failed) return CheckState::failed;
  return a == CheckState::not_checked ? a : b;
}

}  // namespace gradus::detail
