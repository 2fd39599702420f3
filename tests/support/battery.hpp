// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <iostream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gradus/autograd/node.hpp>
#include <gradus/autograd/ops_list.hpp>

#include "tests/support/close.hpp"
#include "tests/support/op_case.hpp"
#include "tests/support/seed.hpp"

namespace gradus::tests {

inline std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1e", value);
  return text;
}

/// The largest error seen, and where.
struct Worst {
  double error = 0.0;
  std::string where = "nowhere";

  void take(double value, const std::string& place) {
    if (value > error || where == "nowhere") {
      error = value;
      where = place;
    }
  }
  std::string text() const { return short_number(error) + " (" + where + ")"; }
};

/// What was not done, by reason: a check that is skipped in silence is no check.
class Skips {
 public:
  void add(const std::string& reason, const std::string& what) { by_reason_[reason].push_back(what); }
  size_t count() const {
    size_t sum = 0;
    for (const auto& entry : by_reason_) sum += entry.second.size();
    return sum;
  }
  std::string text() const {
    std::string out;
    for (const auto& [reason, items] : by_reason_) {
      out += "    skipped " + std::to_string(items.size()) + ": " + reason + ":";
      for (const std::string& item : items) out += " " + item + ";";
      out.back() = '\n';
    }
    return out;
  }

 private:
  std::map<std::string, std::vector<std::string>> by_reason_;
};

/// Calls body(OpCase) for every example of every op that must work; returns how many.
template <class Body>
int64_t for_each_case(const Body& body) {
  int64_t count = 0;
  for (const OpDef* op : all_ops()) {
    if (op->examples == nullptr) continue;
    const std::vector<Example> examples = op->examples();
    for (const Example& example : examples) {
      if (!example.error.empty()) continue;
      body(OpCase{*op, example, seed(11)});
      ++count;
    }
  }
  return count;
}

}  // namespace gradus::tests
