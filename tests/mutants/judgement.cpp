// SPDX-License-Identifier: MIT
#include "tests/mutants/judgement.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>

#include "tests/mutants/active.hpp"

namespace gradus::mutants {
namespace {

std::string one_line(std::string text) {
  for (char& c : text) c = c == '\n' || c == '\t' ? ' ' : c;
  return text;
}

void write(std::FILE* out, const std::vector<std::string>& fields) {
  for (size_t i = 0; i < fields.size(); ++i) std::fprintf(out, "%s%s", i == 0 ? "" : "\t", one_line(fields[i]).c_str());
  std::fprintf(out, "\n");
  std::fflush(out);
}

GradcheckReport check(const Case& c, int order, bool diagnose) {
  const auto f = [&](const Values& in) { return c(in); };
  GradcheckOptions options{.order = order, .directions = 2, .seed = c.seed, .diagnose = diagnose};
  // Without a diagnosis, the quick mode is enough: it detects least, and the other modes find everything that it finds.
  if (!diagnose) options.mode = GradcheckMode::directional;
  return gradcheck(f, c.inputs(), options);
}

// Diagnosing the second derivatives of hundreds of large functions would take too long.
constexpr int64_t kLargestTwice = 160;

bool is_diagnosed(const Mutant& mutant, const Case& c, int order) {
  if (mutant.origin != "hand") return false;
  int64_t size = 0;
  for (const NamedInput& input : c.inputs()) size += input.value.numel();
  return order == 1 || (mutant.signature == "-" && size <= kLargestTwice);
}

void diagnose(const Mutant& mutant, const Case& c, int order, std::FILE* out) {
  const Expectation expected = expectation(c, order, mutant.number);
  const GradcheckReport report = check(c, order, true);
  const BadOp& bad = report.first_bad_op;
  write(out, {"diagnosis", c.set, c.name, bad.op, name_of(bad.signature.kind), expected.signature, expected.op,
              std::to_string(order), bad.text + "; " + bad.signature.text});
}

void judge_case(const Mutant& mutant, const SoundCase& at, const std::string& diagnosed, std::FILE* out) {
  const Case& c = *at.function;
  int order = 0;
  try {
    const Derivatives wrong = derivatives_of(c);
    if (change(at.sound.values, wrong.values) > 0.0) return write(out, {"forward", c.set, c.name});
    order = change(at.sound.first, wrong.first) > kSeen ? 1 : change(at.sound.second, wrong.second) > kSeen ? 2 : 0;
  } catch (const Error& error) {
    return write(out, {"case", c.set, c.name, "0", "refused", error.what()});
  }
  if (order == 0) return;
  const bool caught = !check(c, order, false).ok;
  write(out, {"case", c.set, c.name, std::to_string(order), caught ? "caught" : "missed"});
  if (caught && holds(diagnosed, c.set) && is_diagnosed(mutant, c, order)) diagnose(mutant, c, order, out);
}

}  // namespace

std::vector<Mutant> read_mutants(const std::string& path) {
  std::vector<Mutant> mutants;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    Mutant m;
    std::string number;
    for (std::string* field : {&number, &m.origin, &m.name, &m.kind, &m.place, &m.op, &m.signature}) {
      std::getline(fields, *field, '\t');
    }
    m.number = std::stoi(number);
    // The catalogue writes names with underscores, reports with spaces.
    std::replace(m.signature.begin(), m.signature.end(), '_', ' ');
    if (m.signature.find("block only") != std::string::npos) {
      m.signature.replace(m.signature.find("block only"), 10, "one block");
    }
    mutants.push_back(std::move(m));
  }
  return mutants;
}

std::vector<std::string> wrong_without_mutants(const std::vector<SoundCase>& cases) {
  std::vector<std::string> names;
  for (const SoundCase& at : cases) {
    const GradcheckReport report = check(*at.function, std::min(at.function->order, 2), false);
    if (report.state == CheckState::failed) names.push_back(at.function->name);
  }
  return names;
}

void judge(const Mutant& mutant, const std::vector<SoundCase>& cases, const std::string& diagnosed, std::FILE* out) {
  active = mutant.number;
  for (const SoundCase& at : cases) judge_case(mutant, at, diagnosed, out);
  write(out, {"end"});
}

}  // namespace gradus::mutants
