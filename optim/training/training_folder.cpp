// SPDX-License-Identifier: MIT
#include <gradus/optim/training/training_folder.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <vector>

#include <gradus/tensor/files/replace_file.hpp>

namespace gradus::detail {
namespace {

constexpr const char* kBegin = "step_";
constexpr const char* kEnd = ".safetensors";
constexpr const char* kStepKey = "{\"step\": ";

std::string metrics_path(const std::string& folder) { return folder + "/metrics.jsonl"; }

// The number in "step_<number>.safetensors", or -1.
int64_t step_of(const std::string& name) {
  const std::string begin = kBegin, end = kEnd;
  if (name.size() <= begin.size() + end.size() || name.compare(0, begin.size(), begin) != 0 ||
      name.compare(name.size() - end.size(), end.size(), end) != 0) {
    return -1;
  }
  int64_t step = -1;
  const char* const last = name.data() + name.size() - end.size();
  const auto [stop, error] = std::from_chars(name.data() + begin.size(), last, step);
  return error == std::errc() && stop == last ? step : -1;
}

// In ascending order.
std::vector<int64_t> checkpoint_steps(const std::string& folder) {
  std::vector<int64_t> out;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const int64_t step = step_of(at->path().filename().string());
    if (step >= 0) out.push_back(step);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// JSON has no NaN.
std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

std::string metrics_line(const TrainingStatus& status) {
  return kStepKey + std::to_string(status.step) + ", \"loss\": " + json_number(status.loss) +
         ", \"metric\": " + json_number(status.metric) + ", \"learning_rate\": " + json_number(status.learning_rate) +
         ", \"gradient_norm\": " + json_number(status.gradient_norm) + "}\n";
}

std::string read_metrics(const std::string& folder) {
  std::ifstream file(metrics_path(folder), std::ios::binary);
  std::ostringstream text;
  if (file && file.peek() != std::ifstream::traits_type::eof()) text << file.rdbuf();
  return text.str();
}

void write_metrics(const std::string& folder, const std::string& text) {
  try {
    ReplaceFile file(metrics_path(folder));
    file.write(text.data(), text.size());
    file.commit();
  } catch (const std::runtime_error& error) {
    throw Error("[Trainer] cannot write " + metrics_path(folder) + ": " + error.what());
  }
}

}  // namespace

std::string checkpoint_path(const std::string& folder, int64_t step) {
  return folder + "/" + kBegin + std::to_string(step) + kEnd;
}

std::string best_path(const std::string& folder) { return folder + "/best" + kEnd; }

std::string last_checkpoint(const std::string& folder) {
  const std::vector<int64_t> steps = checkpoint_steps(folder);
  return steps.empty() ? "" : checkpoint_path(folder, steps.back());
}

void make_training_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  GRADUS_CHECK(!error, "[Trainer] cannot make the folder ", folder, ": ", error.message());
}

void remove_older_checkpoints(const std::string& folder, int64_t keep) {
  const std::vector<int64_t> steps = checkpoint_steps(folder);
  for (size_t i = 0; i + static_cast<size_t>(keep) < steps.size(); ++i) {
    std::error_code ignored;  // the next save tries again
    std::filesystem::remove(checkpoint_path(folder, steps[i]), ignored);
  }
}

void append_metrics(const std::string& folder, const TrainingStatus& status) {
  make_training_folder(folder);
  write_metrics(folder, read_metrics(folder) + metrics_line(status));
}

void cut_metrics(const std::string& folder, int64_t step) {
  const std::string text = read_metrics(folder);
  if (text.empty()) return;
  std::string kept;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    int64_t number = 0;
    const size_t at = std::string(kStepKey).size();
    if (line.compare(0, at, kStepKey) == 0) std::from_chars(line.data() + at, line.data() + line.size(), number);
    if (number <= step) kept += line + '\n';
  }
  write_metrics(folder, kept);
}

}  // namespace gradus::detail
