// SPDX-License-Identifier: MIT
#include <gradus/nn/state_loading.hpp>

#include <gradus/tensor/files/input_file.hpp>

namespace gradus::detail {
namespace {

constexpr size_t kLongestName = 200;  // of a name that a file has, in a message

}  // namespace

void LoadProblems::unexpected(const std::string& name) { add(unexpected_, shortened(name, kLongestName)); }

void LoadProblems::repeated(const std::string& name) { add(repeated_, shortened(name, kLongestName)); }

void LoadProblems::misfit(const std::string& name, const std::string& expected, const Tensor& got) {
  add(misfit_, name + ": expected " + expected + ", got " + (got.defined() ? describe(got) : "an undefined tensor"));
}

std::string LoadProblems::text() const {
  std::string out;
  const auto append = [&out](const char* title, const std::string& list) {
    if (!list.empty()) out += (out.empty() ? "" : "; ") + std::string(title) + ": " + list;
  };
  append("missing", missing_);
  append("unexpected", unexpected_);
  append("given twice", repeated_);
  append("wrong shape", misfit_);
  append("two values for one tied parameter", two_values_);
  return out;
}

void ValueCollector::add(const std::string& path, Parameter& parameter, const Tensor* value) {
  const auto [place, is_new] = places_.emplace(&parameter, values_.size());
  if (is_new) values_.push_back({path, &parameter, nullptr});
  if (value == nullptr) {
    names_without_value_.emplace_back(path, &parameter);
  } else if (!value->defined() || !(value->shape() == parameter.shape()) || !is_floating(value->dtype())) {
    problems_.misfit(path, describe(parameter.variable()), *value);
    misfits_.insert(&parameter);
  } else {
    take(path, values_[place->second], *value);
  }
}

void ValueCollector::take(const std::string& path, GivenValue& given, const Tensor& value) {
  if (given.value == nullptr) {
    given.path = path;
    given.value = &value;
    return;
  }
  const DType dtype = given.parameter->variable().dtype();
  if (!bitwise_equal(value.to(dtype), given.value->to(dtype))) problems_.two_values(path, given.path);
}

void ValueCollector::note_missing() {
  for (const auto& [path, parameter] : names_without_value_) {
    if (values_[places_.at(parameter)].value == nullptr && misfits_.count(parameter) == 0) problems_.missing(path);
  }
}

void copy_in(const std::vector<GivenValue>& values) {
  std::unordered_set<const void*> written;
  for (const GivenValue& given : values) written.insert(given.parameter->value().storage().data());
  std::vector<Tensor> read;
  read.reserve(values.size());
  for (const GivenValue& given : values) {
    if (given.value == nullptr) {
      read.emplace_back();
      continue;
    }
    const bool is_shared = written.count(given.value->storage().data()) != 0;
    read.push_back((is_shared ? given.value->clone() : *given.value).to(given.parameter->variable().dtype()));
  }
  // All memory is there: from here on, nothing can fail.
  for (size_t i = 0; i < values.size(); ++i) {
    if (read[i].defined()) values[i].parameter->assign_(read[i]);
  }
}

}  // namespace gradus::detail
