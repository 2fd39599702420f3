// SPDX-License-Identifier: MIT
#include <gradus/optim/optimizer.hpp>

#include <cmath>
#include <map>
#include <set>

namespace gradus {
namespace {

Tensor integer(int64_t value) { return full({}, static_cast<double>(value), {.dtype = DType::i64}); }

void check_rate(const char* kind, double rate) {
  GRADUS_CHECK(std::isfinite(rate) && rate >= 0.0, "[", kind, "] expected a learning_rate of 0 or more, got ", rate);
}

// Reads a state dictionary by name, and collects all its errors in one message.
class StateReader {
 public:
  explicit StateReader(const std::vector<NamedTensor>& state) {
    for (const NamedTensor& entry : state) {
      if (!given_.emplace(entry.name, entry.value).second) problem("given twice: " + entry.name);
    }
  }

  bool has(const std::string& name) const { return given_.count(name) != 0; }

  /// Returns an undefined tensor and notes an error when the entry is missing or has another shape or dtype.
  Tensor take(const std::string& name, const Shape& shape, DType dtype) {
    const auto found = given_.find(name);
    if (found == given_.end()) {
      problem("missing: " + name);
      return Tensor();
    }
    Tensor value = found->second;
    given_.erase(found);
    if (value.defined() && value.shape() == shape && value.dtype() == dtype) return value;
    problem("wrong shape: " + name + ": expected " + dtype_name(dtype) + " " + to_string(shape) + ", got " +
            (value.defined() ? describe(value) : "an undefined tensor"));
    return Tensor();
  }

  std::string problems() {
    for (const auto& [name, value] : given_) problem("unexpected: " + name);
    return problems_;
  }

 private:
  void problem(const std::string& text) { problems_ += (problems_.empty() ? "" : "; ") + text; }

  std::map<std::string, Tensor> given_;
  std::string problems_;
};

}  // namespace

Optimizer::Optimizer(const char* kind, std::vector<const char*> slot_names,
                     const std::vector<NamedParameter>& parameters, double learning_rate)
    : kind_(kind), slot_names_(std::move(slot_names)), learning_rate_(learning_rate) {
  check_rate(kind, learning_rate);
  GRADUS_CHECK(!parameters.empty(), "[", kind, "] expected at least one parameter, got none");
  std::set<std::string> names;
  std::set<const Parameter*> seen;
  for (const NamedParameter& named : parameters) {
    GRADUS_CHECK(named.parameter != nullptr && named.parameter->variable().defined(), "[", kind, "] parameter ",
                 named.name, " is undefined");
    GRADUS_CHECK(names.insert(named.name).second && seen.insert(named.parameter).second, "[", kind, "] parameter ",
                 named.name, " is given twice");
    slots_.push_back({.named = named});
  }
}

Optimizer::~Optimizer() = default;

void Optimizer::set_learning_rate(double learning_rate) {
  check_rate(kind_, learning_rate);
  learning_rate_ = learning_rate;
}

void Optimizer::prepare(Slot& slot) {
  const Tensor& value = slot.named.parameter->value();
  if (slot.updates == 0) {
    slot.tensors.clear();
    for (size_t i = 0; i < slot_names_.size(); ++i) {
      slot.tensors.push_back(zeros(value.shape(), {.dtype = value.dtype()}));
    }
  }
  for (const Tensor& tensor : slot.tensors) {
    GRADUS_CHECK(tensor.shape() == value.shape() && tensor.dtype() == value.dtype(), "[", kind_, "] parameter ",
                 slot.named.name, " was ", describe(tensor), " at its first update and is now ", describe(value));
  }
}

void Optimizer::step() {
  int64_t without = 0;
  for (Slot& slot : slots_) {
    if (!slot.named.parameter->grad().defined()) {
      ++without;
    } else {
      prepare(slot);  // throws before anything is changed
    }
  }
  GRADUS_CHECK(without < static_cast<int64_t>(slots_.size()), "[", kind_,
               "] no parameter has a gradient: call backward(loss) before step()");
  for (Slot& slot : slots_) {
    const Tensor& gradient = slot.named.parameter->grad();
    if (!gradient.defined()) continue;
    ++slot.updates;
    update(slot, gradient.contiguous());
  }
  skipped_ = without;
  ++steps_;
}

void Optimizer::zero_grad() {
  for (Slot& slot : slots_) slot.named.parameter->zero_grad_();
}

std::vector<NamedTensor> Optimizer::state_dict() const {
  std::vector<NamedTensor> state = {{"steps", integer(steps_)},
                                    {"learning_rate", scalar(learning_rate_, {.dtype = DType::f64})}};
  for (const Slot& slot : slots_) {
    if (slot.updates == 0) continue;
    state.push_back({slot.named.name + ".updates", integer(slot.updates)});
    for (size_t i = 0; i < slot_names_.size(); ++i) {
      state.push_back({slot.named.name + "." + slot_names_[i], slot.tensors[i].clone()});
    }
  }
  return state;
}

void Optimizer::load_state_dict(const std::vector<NamedTensor>& state) {
  StateReader reader(state);
  const Tensor steps = reader.take("steps", {}, DType::i64);
  const Tensor rate = reader.take("learning_rate", {}, DType::f64);
  std::vector<Slot> slots;
  for (const Slot& slot : slots_) {
    Slot loaded{.named = slot.named};
    const Parameter& parameter = *slot.named.parameter;
    if (reader.has(slot.named.name + ".updates")) {
      const Tensor updates = reader.take(slot.named.name + ".updates", {}, DType::i64);
      loaded.updates = updates.defined() ? updates.item<int64_t>() : 0;
      for (const char* name : slot_names_) {
        const Tensor value = reader.take(slot.named.name + "." + name, parameter.shape(), parameter.variable().dtype());
        loaded.tensors.push_back(value.defined() ? value.clone() : value);
      }
    }
    slots.push_back(std::move(loaded));
  }
  const std::string problems = reader.problems();
  GRADUS_CHECK(problems.empty(), "[", kind_, "] the saved state does not fit: ", problems);
  check_rate(kind_, rate.item<double>());
  steps_ = steps.item<int64_t>();
  learning_rate_ = rate.item<double>();
  slots_ = std::move(slots);
}

}  // namespace gradus
