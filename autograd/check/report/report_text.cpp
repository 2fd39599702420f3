// SPDX-License-Identifier: MIT
// Writes the report as text.
#include <algorithm>

#include <gradus/autograd/check/report/report_words.hpp>

namespace gradus {
namespace {

using detail::error_text;
using detail::join;
using detail::signature_text;
using detail::value_text;
using Row = std::vector<std::string>;

std::string table(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const Row& row : rows) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line = " ";
    for (size_t c = 0; c < row.size(); ++c) line += " " + row[c] + std::string(widths[c] - row[c].size() + 1, ' ');
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

// The verdict on one derivative as a whole.
const char* row_verdict(const GradcheckResult& r) {
  if (!r.ok) return "FAIL";
  if (r.passed > 0 || r.checked == 0) return "pass";
  return r.kinks + r.ties > 0 ? "kink" : r.not_judged > 0 ? "not judged" : "none";
}

std::string results_table(const GradcheckReport& report) {
  std::vector<Row> rows = {{"", "derivative", "shape", "checked", "max abs", "max rel", "worst at", "analytic",
                            "numeric", "error", "allowed", "margin"}};
  const size_t columns = rows.front().size();
  for (const GradcheckResult& r : report.results) {
    rows.push_back({row_verdict(r), detail::derivative_name(r), to_string(r.shape), std::to_string(r.checked),
                    error_text(r.absolute_error), error_text(r.relative_error), r.where, value_text(r.analytic),
                    value_text(r.numeric), error_text(r.error), error_text(r.allowed), error_text(r.margin)});
    if (!r.reached) rows.back().push_back("no output depends on it");
  }
  for (Row& row : rows) row.resize(columns + 1);
  return table(rows);
}

std::string explanation(const ElementCheck& e) {
  switch (e.cause) {
    case Cause::genuine:
      return "genuine";
    case Cause::truncation:
      return e.verdict == Verdict::pass ? "a shorter step agrees" : "truncation: the step is too long for the function";
    case Cause::round_off:
      return "round-off: rounding hides the differences";
    case Cause::kink:
      return "the derivative is not between the one-sided slopes";
    case Cause::cut:
      return "no gradient flows here, though the output depends on it";
    case Cause::none:
      break;
  }
  return "";
}

std::string element_line(const ElementCheck& e) {
  std::string text = join("    ", name_of(e.verdict), " at ", e.where, e.label.empty() ? "" : " (" + e.label + ")",
                          ": analytic ", value_text(e.analytic), ", numeric ", value_text(e.numeric));
  const bool kink = e.verdict == Verdict::kink || e.verdict == Verdict::tie || e.cause == Cause::kink;
  if (kink) text += join(", left slope ", value_text(e.left), ", right slope ", value_text(e.right));
  if (!kink) text += join(", error ", error_text(e.error));
  const std::string why = explanation(e);
  return text + (why.empty() ? "" : "; " + why) + "\n";
}

std::string sweep_text(const GradcheckResult& r) {
  if (r.sweep.empty()) return "";
  std::string text = "    error by step:";
  for (const StepError& at : r.sweep) text += join("  ", error_text(at.step), " ", error_text(at.error));
  return text + "\n";
}

std::string details(const GradcheckResult& r) {
  const bool silent = r.ok && r.elements.empty();
  if (silent) return "";
  std::string text =
      join("  ", detail::derivative_name(r), " ", r.shape, ": ", r.passed, " passed, ", r.failed, " failed, ", r.kinks,
           " kinks, ", r.ties, " ties, ", r.unreachable, " unreachable, ", r.not_judged, " not judged\n");
  if (r.signature.kind != SignatureKind::none) text += "    signature: " + signature_text(r.signature) + "\n";
  for (const ElementCheck& element : r.elements) text += element_line(element);
  return text + sweep_text(r);
}

std::string wrong_sentence(const GradcheckReport& report) {
  const GradcheckResult* worst = detail::worst_result(report);
  if (worst == nullptr || worst->ok) return "";
  const char* const orders[] = {"derivative", "second derivative", "third derivative"};
  return join("      the ", orders[worst->order - 1], " with respect to ", worst->input, " ", worst->shape,
              " is wrong at ", worst->where, worst->label.empty() ? "" : " (" + worst->label + ")", ": analytic ",
              value_text(worst->analytic), ", numeric ", value_text(worst->numeric), ", error ",
              error_text(worst->error), "; ", detail::failing_count(report), "\n");
}

// Details of the first bad op, or of detached values, that the headline leaves out.
std::string bad_op_text(const BadOp& bad, size_t most) {
  if (bad.found()) return bad.text.empty() ? "" : "      by itself: " + bad.text + "\n";
  std::string text;
  for (size_t k = 1; k < bad.detached.size() && k <= most; ++k) {
    text += "      " + detail::detached_text(bad.detached[k]) + "\n";
  }
  if (bad.detached.size() > most + 1) text += join("      and ", bad.detached.size() - most - 1, " more like these\n");
  if (!bad.text.empty()) text += join("      first bad op: none of ", bad.checked, ": ", bad.text, "\n");
  return text;
}

std::string problems_text(const GradcheckReport& report, size_t most) {
  std::string text;
  const size_t first = detail::leads_with_problem(report) ? 1 : 0;  // the headline has printed the first one
  const size_t end = std::min(report.problems.size(), first + most);
  for (size_t i = first; i < end; ++i) text += "      " + report.problems[i] + "\n";
  if (report.problems.size() > end) text += join("      and ", report.problems.size() - end, " more problems\n");
  return text;
}

std::string coverage_text(const GradcheckReport& report) {
  std::string ran;
  std::string did_not;
  for (const CodePath& path : report.paths) {
    std::string& list = path.runs > 0 ? ran : did_not;
    const std::string note = path.runs > 0 ? std::to_string(path.runs) : path.why_not;
    list += (list.empty() ? "" : "; ") + path.name + " (" + note + ")";
  }
  return (ran.empty() ? "" : "  ran: " + ran + "\n") + (did_not.empty() ? "" : "  did not run: " + did_not + "\n");
}

// A brief report has at most 25 lines.
constexpr size_t kProblems = 2;
constexpr size_t kNotChecked = 1;
constexpr size_t kDetached = 1;
constexpr size_t kRows = 5;
constexpr size_t kElements = 2;

// When nothing is wrong, the headline already names the first unchecked item.
std::string not_checked_text(const GradcheckReport& report, size_t most) {
  std::string text;
  const size_t first = report.state == CheckState::failed ? 0 : 1;
  const size_t count = report.not_checked.size();
  for (size_t i = first; i < count && i < first + most; ++i)
    text += "      not checked: " + report.not_checked[i] + "\n";
  if (count > first + most) text += join("      and ", count - first - most, " more that were not checked\n");
  return text;
}

std::string counts_text(const GradcheckReport& report) {
  return join("      checked ", report.checked(), ": passed ", report.passed(), ", failed ", report.failed(),
              ", at kinks ", report.kinks(), ", unreachable ", report.unreachable(), ", not judged ",
              report.not_judged(), "; not looked at one by one: ", report.skipped(), "\n");
}

// The failing results, worst first.
std::vector<const GradcheckResult*> failing_results(const GradcheckReport& report) {
  std::vector<const GradcheckResult*> failing;
  for (const GradcheckResult& result : report.results) {
    if (!result.ok) failing.push_back(&result);
  }
  std::stable_sort(failing.begin(), failing.end(), [](const auto* a, const auto* b) { return a->error > b->error; });
  return failing;
}

std::string failing_table(const GradcheckReport& report, const std::vector<const GradcheckResult*>& failing) {
  std::vector<Row> rows = {{"", "derivative", "shape", "failed", "worst at", "analytic", "numeric", "error"}};
  for (size_t k = 0; k < failing.size() && k < kRows; ++k) {
    const GradcheckResult& r = *failing[k];
    rows.push_back({"FAIL", detail::derivative_name(r), to_string(r.shape), join(r.failed, " of ", r.checked), r.where,
                    value_text(r.analytic), value_text(r.numeric), error_text(r.error)});
  }
  const size_t more = failing.size() - std::min(failing.size(), kRows);
  const size_t passing = report.results.size() - failing.size();
  return table(rows) +
         (more + passing == 0 ? "" : join("  not shown: ", more, " that fail, ", passing, " that do not\n"));
}

std::string brief_details(const GradcheckReport& report, const std::vector<const GradcheckResult*>& failing) {
  std::string text;
  const GradcheckResult* telling = detail::telling_result(report);
  if (telling != nullptr && telling->signature.text != report.first_bad_op.signature.text) {
    text += "  " + detail::derivative_name(*telling) + ": " + signature_text(telling->signature) + "\n";
  }
  const GradcheckResult& worst = *failing.front();
  for (size_t k = 0; k < worst.elements.size() && k < kElements; ++k) text += element_line(worst.elements[k]);
  return text + sweep_text(worst);
}

// The decisive part of the report.
std::string brief_text(const GradcheckReport& report) {
  std::string out = bad_op_text(report.first_bad_op, kDetached) + wrong_sentence(report);
  out += problems_text(report, kProblems) + not_checked_text(report, kNotChecked);
  const std::vector<const GradcheckResult*> failing = failing_results(report);
  if (failing.empty() && report.results.empty()) return out;
  if (!failing.empty()) {
    out += counts_text(report) + failing_table(report, failing) + brief_details(report, failing);
    out += "  rule: " + detail::rule_text(*failing.front()) + "\n";
  }
  return out + "  .verbose = true shows all of it\n";
}

std::string full_text(const GradcheckReport& report) {
  std::string out = bad_op_text(report.first_bad_op, report.first_bad_op.detached.size()) + wrong_sentence(report);
  out += problems_text(report, report.problems.size()) + not_checked_text(report, report.not_checked.size());
  if (report.results.empty()) return out;
  out += counts_text(report) + results_table(report);
  out += "  rule: " + detail::rule_text(report.results.front()) + "\n";
  for (const GradcheckResult& result : report.results) out += details(result);
  return out + coverage_text(report);
}

}  // namespace

std::string GradcheckReport::text(bool color) const {
  const bool wrong = state == CheckState::failed;
  const char* start = !color ? "" : ok ? "\033[32m" : wrong ? "\033[31m" : "\033[33m";
  std::string out = join(start, name_of(state), color ? "\033[0m" : "", "  ", detail::verdict_text(*this), "\n");
  out += !wrong || options.verbose ? full_text(*this) : brief_text(*this);
  return out + join("  seed ", options.seed, "; again: ", detail::reproduction(options), "\n");
}

}  // namespace gradus
