// SPDX-License-Identifier: MIT
// The report for people.
#include <algorithm>

#include <gradus/autograd/check/report_words.hpp>

namespace gradus {
namespace {

using detail::error_text;
using detail::join;
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

// Of one derivative as a whole.
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
      return "round-off: the differences are drowned in rounding";
    case Cause::kink:
      return "the derivative does not lie between the one-sided slopes";
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

// "doubled: analytic = 2 x numeric everywhere: added twice"; without its kind where nothing known fits.
std::string signature_text(const Signature& signature) {
  const bool known = signature.kind != SignatureKind::none;
  return (known ? name_of(signature.kind) + std::string(": ") : "") + signature.text;
}

std::string details(const GradcheckResult& r) {
  const bool silent = r.ok && r.elements.empty();
  if (silent) return "";
  std::string text =
      join("  ", detail::derivative_name(r), " ", r.shape, ": ", r.passed, " passed, ", r.failed, " failed, ", r.kinks,
           " kinks, ", r.ties, " ties, ", r.unreachable, " unreachable, ", r.not_judged, " not judged\n");
  if (!r.signature.text.empty()) text += "    signature: " + signature_text(r.signature) + "\n";
  for (const ElementCheck& element : r.elements) text += element_line(element);
  if (r.sweep.empty()) return text;
  text += "    error by step:";
  for (const StepError& at : r.sweep) text += join("  ", error_text(at.step), " ", error_text(at.error));
  return text + "\n";
}

std::string wrong_sentence(const GradcheckReport& report) {
  const GradcheckResult* worst = detail::worst_result(report);
  if (worst == nullptr || worst->ok) return "";
  const char* const orders[] = {"derivative", "second derivative", "third derivative"};
  return join("      the ", orders[worst->order - 1], " with respect to ", worst->input, " ", worst->shape,
              " is wrong at ", worst->where, worst->label.empty() ? "" : " (" + worst->label + ")", ": analytic ",
              value_text(worst->analytic), ", numeric ", value_text(worst->numeric), ", error ",
              error_text(worst->error), "\n");
}

std::string bad_op_text(const BadOp& bad) {
  if (bad.found()) {
    return join("  first bad op: ", bad.op, bad.path.empty() ? "" : " in " + bad.path, ", number ", bad.position + 1,
                " of ", bad.recorded, " recorded: ", bad.text, bad.signature.text.empty() ? "" : "; ",
                signature_text(bad.signature), "\n");
  }
  return bad.text.empty() ? "" : join("  first bad op: none of ", bad.checked, ": ", bad.text, "\n");
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

}  // namespace

std::string GradcheckReport::text(bool color) const {
  const bool wrong = state == CheckState::failed;
  const char* start = !color ? "" : ok ? "\033[32m" : wrong ? "\033[31m" : "\033[33m";
  std::string out = join(start, name_of(state), color ? "\033[0m" : "", "  ", detail::verdict_text(*this), "\n");
  out += wrong_sentence(*this);
  for (size_t i = 1; i < problems.size(); ++i) out += "      " + problems[i] + "\n";
  for (size_t i = wrong ? 0 : 1; i < not_checked.size(); ++i) out += "      not checked: " + not_checked[i] + "\n";
  if (!results.empty()) {
    out += join("      checked ", checked(), ": passed ", passed(), ", failed ", failed(), ", at kinks ", kinks(),
                ", unreachable ", unreachable(), ", not judged ", not_judged(),
                "; not looked at one by one: ", skipped(), "\n");
    out += results_table(*this);
    out += "  rule: " + detail::rule_text(results.front()) + "\n";
    for (const GradcheckResult& result : results) out += details(result);
  }
  out += bad_op_text(first_bad_op);
  if (!results.empty()) out += coverage_text(*this);
  return out + join("  seed ", options.seed, "; again: ", detail::reproduction(options), "\n");
}

}  // namespace gradus
