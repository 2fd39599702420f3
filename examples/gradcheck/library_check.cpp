// SPDX-License-Identifier: MIT
#include <gradus/examples/gradcheck/library_check.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <ostream>

#include <gradus/autograd/check/battery/op_case.hpp>
#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/examples/common/bad_input.hpp>
#include <gradus/nn/check/gradcheck.hpp>
#include <gradus/nn/check/layer_list.hpp>
#include <gradus/tensor/random/random.hpp>

namespace gradus::examples {
namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

GradcheckOptions options_for(const LibraryCheckConfig& config, const std::string& name, int order) {
  return {.order = order,
          .seed = config.seed,
          .name = name,
          .reproduce = "gradus-gradcheck \"" + name.substr(0, name.find(':')) + "\" --order " + std::to_string(order) +
                       " --seed " + std::to_string(config.seed) + (config.verbose ? " --verbose" : ""),
          .verbose = config.verbose};
}

// The options for the self test of a check that passed.
GradcheckOptions self_test_options(GradcheckOptions options, const LibraryCheckConfig& config) {
  options.diagnose = config.diagnose;
  return options;
}

bool is_asked_for(const LibraryCheckConfig& config, const std::string& kind, const std::string& name) {
  if (config.names.empty()) return kind == "op" ? config.ops : config.layers;
  return std::any_of(config.names.begin(), config.names.end(), [&](const std::string& asked) {
    return name == asked || (kind == "layer" && name.compare(0, asked.size() + 1, asked + ",") == 0);
  });
}

LibraryCheckItem check_one_op(const OpDef& op, const LibraryCheckConfig& config) {
  const auto begin = std::chrono::steady_clock::now();
  LibraryCheckItem item{.kind = "op", .name = op.name};
  if (op.derivative.is_discrete()) item.refusal = "its outputs are discrete";
  if (op.derivative.refusal() != nullptr) item.refusal = op.derivative.refusal();
  const std::vector<Example> examples = op.examples == nullptr ? std::vector<Example>{} : op.examples();
  for (const Example& example : examples) {
    if (!example.error.empty()) continue;
    ++item.examples;
    const detail::OpCase op_case{op, example, config.seed};
    const std::vector<size_t> moving = op_case.differentiable_inputs();
    if (!item.refusal.empty() || moving.empty()) continue;
    if (!example.no_differences.empty()) {
      item.skipped.push_back(example.name + ": " + example.no_differences);
      continue;
    }
    const std::vector<Tensor> values = op_case.inputs();
    std::vector<NamedInput> inputs;
    inputs.reserve(moving.size());
    for (size_t i : moving) inputs.push_back({input_name(op, i), values[i].contiguous().clone()});
    const auto function = op_case.function(values);
    const int order = op_case.has_second_order() ? config.order : 1;
    const GradcheckOptions options = options_for(config, op_case.name(), order);
    item.reports.push_back(gradcheck(function, inputs, options));
    for (const std::string& why : item.reports.back().not_checked) item.skipped.push_back(example.name + ": " + why);
    if (!config.self_test || !item.reports.back().ok) continue;
    item.self_test.add(self_test(function, inputs, self_test_options(options, config)));
  }
  item.seconds = seconds_since(begin);
  return item;
}

LibraryCheckItem check_one_layer(const LayerCase& layer, const LibraryCheckConfig& config) {
  const auto begin = std::chrono::steady_clock::now();
  LibraryCheckItem item{.kind = "layer", .name = layer.name, .examples = 1};
  Generator generator(config.seed);
  const Owned<LayerSample> sample = layer.make(generator);
  const auto run = [&](const std::vector<Variable>& inputs) { return sample->run(inputs); };
  GradcheckOptions options = options_for(config, layer.name, config.order);
  options.keep = sample->keep();
  item.reports.push_back(gradcheck(sample->module(), sample->inputs(), run, options));
  if (config.self_test && item.reports.back().ok) {
    item.self_test.add(self_test(sample->module(), sample->inputs(), run, self_test_options(options, config)));
  }
  item.seconds = seconds_since(begin);
  return item;
}

struct Sums {
  int64_t checked = 0, passed = 0, kinks = 0, unreachable = 0, not_judged = 0;
  double first = 0.0, second = 0.0;

  void add(const GradcheckReport& report) {
    checked += report.checked();
    passed += report.passed();
    kinks += report.kinks();
    unreachable += report.unreachable();
    not_judged += report.not_judged();
    first = std::max(first, report.worst_error(1));
    second = std::max(second, report.worst_error(2));
  }
};

Sums sums_of(const LibraryCheckItem& item) {
  Sums sums;
  for (const GradcheckReport& report : item.reports) sums.add(report);
  return sums;
}

std::string exponent(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", value);
  return text;
}

const char* verdict_of(const LibraryCheckItem& item) {
  const CheckState state = item.state();
  if (state != CheckState::passed) return name_of(state);
  return item.reports.empty() ? "none" : "pass";
}

void print_line(std::ostream& out, const LibraryCheckItem& item, const LibraryCheckConfig& config) {
  const Sums sums = sums_of(item);
  const CheckState state = item.state();
  const char* const colors[] = {"\033[32m", "\033[31m", "\033[33m"};
  const char* paint = config.color ? colors[static_cast<size_t>(state)] : "";
  char line[256];
  std::snprintf(line, sizeof line, "%s%-4s%s  %-5s  %-46s  %3lld  %6lld  %5lld  %7s  %7s  %6.2f", paint,
                verdict_of(item), config.color ? "\033[0m" : "", item.kind.c_str(), item.name.c_str(),
                static_cast<long long>(item.examples), static_cast<long long>(sums.checked),
                static_cast<long long>(sums.kinks), sums.checked > 0 ? exponent(sums.first).c_str() : "-",
                sums.checked > 0 && config.order > 1 ? exponent(sums.second).c_str() : "-", item.seconds);
  out << line;
  if (config.self_test) out << "  " << item.self_test.caught() << " of " << item.self_test.effective();
  if (!item.refusal.empty()) out << "  no derivative: " << item.refusal;
  out << '\n';
  for (const std::string& missed : item.self_test.missed) out << "      not caught: " << missed << '\n';
  for (const std::string& why : item.not_checked()) out << "      not checked: " << why << '\n';
  for (const GradcheckReport& report : item.reports) {
    if (report.state == CheckState::failed) out << report.text(config.color);
  }
  out << std::flush;
}

void print_sums(std::ostream& out, const LibraryCheckResult& result, const LibraryCheckConfig& config) {
  Sums sums;
  SelfTestReport self_test;
  int64_t failed = 0, not_checked = 0, ops = 0, layers = 0, examples = 0;
  for (const LibraryCheckItem& item : result.items) {
    (item.kind == "op" ? ops : layers) += 1;
    failed += item.state() == CheckState::failed ? 1 : 0;
    not_checked += item.state() == CheckState::not_checked ? 1 : 0;
    examples += item.examples;
    self_test.add(item.self_test);
    for (const GradcheckReport& report : item.reports) sums.add(report);
  }
  const CheckState state = result.state();
  out << (state == CheckState::passed ? "pass" : name_of(state)) << ": " << ops << " ops and " << layers
      << " layer configurations, " << examples << " examples, " << sums.checked << " derivatives compared ("
      << sums.passed << " pass, " << sums.kinks << " at kinks or ties, " << sums.unreachable << " unreachable, "
      << sums.not_judged << " not judged), " << failed << " failed, " << not_checked << " not checked\n"
      << "worst error " << exponent(sums.first) << " at order 1";
  if (config.order > 1) out << ", " << exponent(sums.second) << " at order 2";
  out << "; seed " << config.seed << "; " << exponent(result.seconds) << " s\n";
  if (!config.self_test) return;
  out << self_test.text();
  if (self_test.effective() > 0) out << "    kill rate " << 100.0 * self_test.kill_rate() << " %\n";
}

void print_list(std::ostream& out, const LibraryCheckConfig& config) {
  if (config.ops) {
    for (const OpDef* op : all_ops()) {
      const size_t examples = op->examples == nullptr ? 0 : op->examples().size();
      out << "op     " << op->name << "  (" << examples << " examples"
          << (op->derivative.vjp() == nullptr ? ", no derivative" : "") << (op->reference != nullptr ? ", fused" : "")
          << ")\n";
    }
  }
  if (!config.layers) return;
  for (const LayerCase& layer : all_layers()) {
    Generator generator(config.seed);
    const Owned<LayerSample> sample = layer.make(generator);
    out << "layer  " << layer.name << "  (" << sample->module().parameters().size() << " parameters, "
        << sample->inputs().size() << " inputs)\n";
  }
}

void require_known_names(const LibraryCheckConfig& config) {
  for (const std::string& name : config.names) {
    const LibraryCheckConfig alone{.names = {name}};
    const auto ops = all_ops();
    const auto layers = all_layers();
    const bool known =
        std::any_of(ops.begin(), ops.end(), [&](const OpDef* op) { return is_asked_for(alone, "op", op->name); }) ||
        std::any_of(layers.begin(), layers.end(),
                    [&](const LayerCase& layer) { return is_asked_for(alone, "layer", layer.name); });
    if (!known) throw BadInput("no op and no layer is called \"" + name + "\": --list prints all names");
  }
}

// Checks that the file can be written, without overwriting it yet.
void require_writable(const std::string& path) {
  if (path.empty()) return;
  const bool existed = std::filesystem::exists(path);
  const std::ofstream file(path, std::ios::app);
  if (!file) throw BadInput("cannot write to " + path);
  if (!existed) std::filesystem::remove(path);
}

}  // namespace

std::vector<std::string> LibraryCheckItem::not_checked() const {
  std::vector<std::string> reasons;
  std::map<std::string, bool> passed;  // for each input, whether a derivative passed in some example
  for (const GradcheckReport& report : reports) {
    for (const GradcheckResult& result : report.results) {
      const bool right = result.passed > 0 || (result.unreachable > 0 && report.passed() > 0);
      passed[result.input] |= result.order == 1 && right;
    }
    // A layer has one report, and its sentences say more.
    if (kind == "layer") reasons.insert(reasons.end(), report.not_checked.begin(), report.not_checked.end());
  }
  for (const auto& [input, any] : passed) {
    const bool asked = kind == "op" && input.rfind("cotangent", 0) != 0;
    if (asked && !any) reasons.push_back("in no example a derivative with respect to " + input + " passed");
  }
  if (passed.empty() && refusal.empty() && reasons.empty()) {
    reasons.emplace_back("no example has a derivative that is compared with differences");
  }
  if (self_test.planted() > 0 && self_test.effective() == 0) {
    reasons.emplace_back("self test: nothing that was planted changes a derivative");
  }
  return reasons;
}

CheckState LibraryCheckItem::state() const {
  const auto failed = [](const GradcheckReport& report) { return report.state == CheckState::failed; };
  if (!self_test.missed.empty() || std::any_of(reports.begin(), reports.end(), failed)) return CheckState::failed;
  return not_checked().empty() ? CheckState::passed : CheckState::not_checked;
}

CheckState LibraryCheckResult::state() const {
  CheckState worst = CheckState::passed;
  bool any = false;
  for (const LibraryCheckItem& item : items) {
    for (const GradcheckReport& report : item.reports) any = any || report.passed() > 0;
    const CheckState state = item.state();
    if (worst != CheckState::failed && state != CheckState::passed) worst = state;
  }
  return worst == CheckState::passed && !any ? CheckState::not_checked : worst;
}

LibraryCheckResult check_library(const LibraryCheckConfig& config, std::ostream& out) {
  LibraryCheckResult result;
  if (config.list) {
    print_list(out, config);
    return result;
  }
  require_known_names(config);
  require_writable(config.json);
  const auto begin = std::chrono::steady_clock::now();
  out << "            name                                            ex.  values  kinks  order 1  order 2  seconds\n";
  for (const OpDef* op : all_ops()) {
    if (!is_asked_for(config, "op", op->name)) continue;
    result.items.push_back(check_one_op(*op, config));
    print_line(out, result.items.back(), config);
  }
  for (const LayerCase& layer : all_layers()) {
    if (!is_asked_for(config, "layer", layer.name)) continue;
    result.items.push_back(check_one_layer(layer, config));
    print_line(out, result.items.back(), config);
  }
  result.seconds = seconds_since(begin);
  print_sums(out, result, config);
  if (!config.json.empty()) {
    std::ofstream file(config.json);
    file << library_check_json(config, result);
    file.close();
    GRADUS_CHECK(!file.fail(), "cannot write to ", config.json);
  }
  return result;
}

}  // namespace gradus::examples
