// SPDX-License-Identifier: MIT
// Checks the promise of `keep`: a blocked element has a gradient of exactly 0, and no output changes with it.
#include <gradus/autograd/check/differences/blocked.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/autograd/check/report/report_words.hpp>

namespace gradus::detail {
namespace {

constexpr size_t kNamed = 6;          // wrong elements named in one sentence
constexpr size_t kTriedAlone = 4096;  // up to so many are changed one by one to find the ones that matter

std::vector<size_t> blocked_elements(const NamedInput& input) {
  std::vector<size_t> blocked;
  const std::vector<bool> keep = kept_elements(input);
  for (size_t j = 0; j < keep.size(); ++j) {
    if (!keep[j]) blocked.push_back(j);
  }
  return blocked;
}

bool is_same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

// "output 0 at [1, 2] from 0.5 to 0.7", or empty when nothing changed.
std::string first_change(const std::vector<Tensor>& before, const std::vector<Tensor>& after) {
  for (size_t k = 0; k < before.size() && k < after.size(); ++k) {
    const std::vector<double> old = elements(before[k]);
    const std::vector<double> now = elements(after[k]);
    for (size_t i = 0; i < old.size() && i < now.size(); ++i) {
      if (is_same(old[i], now[i])) continue;
      return join("output ", k, " at ", index_text(before[k].shape(), static_cast<int64_t>(i)), " from ",
                  value_text(old[i]), " to ", value_text(now[i]));
    }
  }
  return "";
}

}  // namespace

std::vector<bool> kept_elements(const NamedInput& input) {
  std::vector<bool> keep;
  if (!input.keep.defined()) return keep;
  for (const double k : elements(input.keep)) keep.push_back(k != 0.0);
  return keep;
}

bool is_all_blocked(const NamedInput& input) {
  const std::vector<bool> keep = kept_elements(input);
  return !keep.empty() && std::none_of(keep.begin(), keep.end(), [](bool k) { return k; });
}

std::vector<std::string> blocked_gradients(const std::vector<NamedInput>& inputs,
                                           const std::vector<Tensor>& gradients) {
  std::vector<std::string> problems;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::vector<size_t> blocked = blocked_elements(inputs[i]);
    if (blocked.empty() || !gradients[i].defined()) continue;
    const std::vector<double> gradient = elements(gradients[i]);
    std::string list;
    size_t wrong = 0;
    for (const size_t j : blocked) {
      if (gradient[j] == 0.0) continue;
      if (++wrong > kNamed) continue;
      list += join(wrong == 1 ? "" : ", ", value_text(gradient[j]), " at ",
                   index_text(inputs[i].value.shape(), static_cast<int64_t>(j)));
    }
    if (wrong == 0) continue;
    problems.push_back(join("the gradient of ", inputs[i].name, " ", inputs[i].value.shape(), " is not 0 at ", wrong,
                            " of the ", blocked.size(), " elements whose keep is false: ", list,
                            wrong > kNamed ? ", ..." : ""));
  }
  return problems;
}

std::vector<std::string> blocked_values(const FunctionRef& f, const std::vector<NamedInput>& inputs,
                                        const std::vector<Tensor>& values, const std::vector<Tensor>& outputs,
                                        CheckNumbers& numbers, DType dtype) {
  std::vector<std::string> problems;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const std::vector<size_t> blocked = blocked_elements(inputs[i]);
    if (blocked.empty()) continue;
    const std::vector<double> old = elements(values[i]);
    double largest = 1.0;
    for (const double x : old) largest = std::max(largest, std::abs(x));
    std::vector<double> other = old;
    for (const size_t j : blocked) other[j] = 3.0 * largest * numbers.draw();
    // The change in the outputs when `count` blocked elements, from index `from` on, take their other values.
    const auto changed = [&](size_t from, size_t count) {
      std::vector<double> moved = old;
      for (size_t n = from; n < from + count; ++n) moved[blocked[n]] = other[blocked[n]];
      std::vector<Tensor> point = values;
      point[i] = Tensor::from(std::span<const double>(moved), values[i].shape()).to(dtype);
      return first_change(outputs, evaluate(f, point, dtype));
    };
    std::string change = changed(0, blocked.size());
    if (change.empty()) continue;
    std::string which = "all elements whose keep is false";
    for (size_t n = 0; n < blocked.size() && n < kTriedAlone; ++n) {
      const std::string alone = changed(n, 1);
      if (alone.empty()) continue;
      which = index_text(values[i].shape(), static_cast<int64_t>(blocked[n]));
      change = alone;
      break;
    }
    problems.push_back(join("the function reads ", inputs[i].name, " ", inputs[i].value.shape(),
                            " where keep is false: a change at ", which, " changes ", change));
  }
  return problems;
}

}  // namespace gradus::detail
