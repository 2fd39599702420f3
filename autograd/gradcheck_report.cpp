// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>

#include <gradus/autograd/gradcheck.hpp>

namespace gradus {
namespace {

std::string number(double value, const char* format) {
  char text[40];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string error_text(double value) { return number(value, "%.1e"); }
std::string value_text(double value) { return number(value, "%.12g"); }

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

const GradcheckResult* worst(const std::vector<GradcheckResult>& results) {
  const GradcheckResult* found = nullptr;
  for (const GradcheckResult& result : results) {
    if (found == nullptr || (found->ok && !result.ok) || (found->ok == result.ok && result.error > found->error)) {
      found = &result;
    }
  }
  return found;
}

std::string verdict(const GradcheckReport& report) {
  if (!report.ok && !report.problems.empty()) return "FAIL  " + report.problems.front() + "\n";
  const GradcheckResult* result = worst(report.results);
  if (result == nullptr) return "PASS  nothing to check\n";
  if (report.ok) {
    return "PASS  " + std::to_string(report.checked()) + " derivatives of " + std::to_string(report.results.size()) +
           " inputs, worst error " + error_text(result->error) + "\n";
  }
  const char* what = result->order == 1 ? "derivative" : result->order == 2 ? "second derivative" : "third derivative";
  return "FAIL  the " + std::string(what) + " with respect to " + result->input + " " + to_string(result->shape) +
         " is wrong at " + result->where + ": analytic " + value_text(result->analytic) + ", numeric " +
         value_text(result->numeric) + ", error " + error_text(result->error) + "\n";
}

}  // namespace

double GradcheckReport::worst_error(int order) const {
  double largest = 0.0;
  for (const GradcheckResult& result : results) {
    if (order == 0 || result.order == order) largest = std::max(largest, result.error);
  }
  return largest;
}

int64_t GradcheckReport::checked() const {
  int64_t sum = 0;
  for (const GradcheckResult& result : results) sum += result.checked;
  return sum;
}

std::string GradcheckReport::text() const {
  std::string out = verdict(*this);
  for (size_t i = 1; i < problems.size(); ++i) out += "      " + problems[i] + "\n";
  if (!results.empty()) {
    std::vector<Row> rows = {{"", "order", "input", "shape", "checked", "worst error", "at", "analytic", "numeric"}};
    for (const GradcheckResult& r : results) {
      rows.push_back({r.ok ? "pass" : "FAIL", std::to_string(r.order), r.input, to_string(r.shape),
                      std::to_string(r.checked), error_text(r.error), r.where, value_text(r.analytic),
                      value_text(r.numeric)});
      if (!r.reached) rows.back().push_back("no output depends on it");
    }
    for (Row& row : rows) row.resize(10);
    out += table(rows);
  }
  return out + "  seed " + std::to_string(options.seed) + "\n";
}

}  // namespace gradus
