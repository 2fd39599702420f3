// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <gradus/autograd/parameter.hpp>
#include <gradus/tensor/tensor.hpp>

// What Module::load_state_dict does before it changes anything.

namespace gradus::detail {

/// Collects everything that is wrong with a dictionary into one message.
class LoadProblems {
 public:
  void missing(const std::string& name) { add(missing_, name); }
  void unexpected(const std::string& name);
  void repeated(const std::string& name);
  void misfit(const std::string& name, const std::string& expected, const Tensor& got);
  void two_values(const std::string& name, const std::string& first) { add(two_values_, name + " and " + first); }
  /// Empty when there is none.
  std::string text() const;

 private:
  static void add(std::string& list, const std::string& item) { list += (list.empty() ? "" : ", ") + item; }

  std::string missing_, unexpected_, repeated_, misfit_, two_values_;
};

/// A parameter and the value that it is given, under the first of its names that the dictionary has; null without one.
struct GivenValue {
  std::string path;
  Parameter* parameter = nullptr;
  const Tensor* value = nullptr;
};

/// The values that a dictionary gives to parameters, each parameter once. Notes what does not fit.
class ValueCollector {
 public:
  explicit ValueCollector(LoadProblems& problems) : problems_(problems) {}

  /// `value`: null when the dictionary does not have this name.
  void add(const std::string& path, Parameter& parameter, const Tensor* value);
  /// A parameter that is given under none of its names is missing under all of them.
  void note_missing();
  const std::vector<GivenValue>& values() const { return values_; }

 private:
  void take(const std::string& path, GivenValue& given, const Tensor& value);

  LoadProblems& problems_;
  std::unordered_map<const Parameter*, size_t> places_;
  std::unordered_set<const Parameter*> misfits_;
  std::vector<std::pair<std::string, const Parameter*>> names_without_value_;
  std::vector<GivenValue> values_;
};

/// Copies all values as if at once. This matters when a value is a parameter of the same model, or a view of one.
void copy_in(const std::vector<GivenValue>& values);

}  // namespace gradus::detail
