// SPDX-License-Identifier: MIT
// The first values that the parameters of a layer must have.
#pragma once

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <gradus/nn/module.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

namespace gradus::tests {

enum class Kind { uniform, normal, constant };

struct Law {
  Kind kind;
  double size;         // bound, standard deviation or value
  double shift = 0.0;  // is added
};

inline Law u(double inputs) { return {Kind::uniform, 1.0 / std::sqrt(inputs)}; }
inline Law n(double std) { return {Kind::normal, std}; }
inline Law c(double value) { return {Kind::constant, value}; }
inline Law xavier(double rows, double columns, double gain = 1.0) {
  return {Kind::uniform, gain * std::sqrt(6.0 / (rows + columns))};
}

struct Expected {
  const char* names;  // of parameters, in which * stands for anything
  Law law;
};

// The kinds of modules that have parameters of their own.
inline std::set<std::string> kinds_with_parameters(Module& module) {
  std::set<std::string> out;
  for (const NamedModule& at : module.modules()) {
    const std::string begin = at.path.empty() ? "" : at.path + ".";
    for (const NamedParameter& named : module.parameters()) {
      const bool own = named.name.rfind(begin, 0) == 0 && named.name.find('.', begin.size()) == std::string::npos;
      if (own) out.insert(at.module->kind());
    }
  }
  return out;
}

// Limits are six standard errors, and a chance of e^-20 that no element is near a bound. f32 rounds a bound.
inline void check_law(const Tensor& x, const Law& law) {
  const Tensor values = x.to(DType::f64).contiguous();
  const auto count = static_cast<double>(x.numel());
  double largest = 0.0, mean = 0.0, square = 0.0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double value = values.data<double>()[i] - law.shift;
    largest = std::max(largest, std::abs(value));
    mean += value / count;
    square += value * value / count;
    if (law.kind == Kind::constant) REQUIRE(std::abs(value - law.size) <= 0x1p-24 * std::abs(law.size));
  }
  if (law.kind == Kind::constant) return;
  const bool is_uniform = law.kind == Kind::uniform;
  const double variance = is_uniform ? law.size * law.size / 3.0 : law.size * law.size;
  CHECK(std::abs(mean) <= 6.0 * std::sqrt(variance / count));
  CHECK(std::abs(square - variance) <= 6.0 * variance * std::sqrt((is_uniform ? 0.8 : 2.0) / count));
  if (!is_uniform) return;
  CHECK(largest <= law.size * (1.0 + 0x1p-24) + 0x1p-22 * std::abs(law.shift));
  CHECK(largest >= law.size * (1.0 - 20.0 / count));
}

inline bool matches(const char* name, const char* pattern) {
  if (*pattern == '*') return matches(name, pattern + 1) || (*name != '\0' && matches(name + 1, pattern));
  return *pattern == *name && (*name == '\0' || matches(name + 1, pattern + 1));
}

inline std::set<std::string>& seen_kinds() {
  static std::set<std::string> kinds;
  return kinds;
}

// Every parameter of the layer has the law of the first pattern that fits.
template <class L>
void check_layer(const typename L::Options& options, const std::vector<Expected>& all) {
  const uint64_t start = seed(61);
  Generator generator(start);
  L layer(options, generator);
  INFO("seed " << start << ", " << layer.kind());
  for (const std::string& kind : kinds_with_parameters(layer)) seen_kinds().insert(kind);
  std::vector<bool> used(all.size());
  for (const NamedParameter& named : layer.parameters()) {
    INFO(named.name << " " << to_string(named.parameter->shape()));
    size_t i = 0;
    while (i < all.size() && !matches(named.name.c_str(), all[i].names)) ++i;
    REQUIRE(i < all.size());
    used[i] = true;
    check_law(named.parameter->value(), all[i].law);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    INFO(all[i].names);
    CHECK(used[i]);
  }
}

}  // namespace gradus::tests
