// SPDX-License-Identifier: MIT
#include <gradus/optim/optimizer.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/optim/groups.hpp>
#include <gradus/optim/state.hpp>
#include <gradus/tensor/kernels/optimizer/optimizer.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus {
namespace {

// The number of elements that a thread takes at once: 20 us of work or more.
constexpr int64_t kElementsOfBlock = 32768;

}  // namespace

/// One rule for one parameter, whose elements have the numbers from `begin` in the pass over all of them.
struct Optimizer::Job {
  kernels::OptimizerStep step;
  Tensor gradient;  // keeps the bytes
  DType dtype;
  void* param;
  void* state[kernels::kOptimizerStates];
  int64_t begin, end;

  template <class T>
  void run(int64_t from, int64_t to) const {
    kernels::OptimizerArrays<T> x{.param = static_cast<T*>(param) + from,
                                  .grad = static_cast<const T*>(gradient.raw_data()) + from,
                                  .n = to - from};
    for (int k = 0; k < kernels::kOptimizerStates; ++k) {
      x.state[k] = state[k] == nullptr ? nullptr : static_cast<T*>(state[k]) + from;
    }
    kernels::optimizer_update(step, x);
  }
};

Optimizer::Optimizer(const char* kind, std::vector<const char*> slot_names,
                     const std::vector<NamedParameter>& parameters, const Common& options)
    : kind_(kind), slot_names_(std::move(slot_names)), learning_rate_(options.learning_rate) {
  detail::check_not_negative(kind, "a learning_rate", options.learning_rate);
  detail::check_not_negative(kind, "a weight_decay", options.weight_decay);
  detail::check_parameters(kind, parameters);
  for (const NamedParameter& named : parameters) {
    slots_.push_back({.named = named, .weight_decay = options.weight_decay});
  }
  for (const ParameterGroup& group : options.groups) {
    detail::check_group(kind, group, parameters);
    for (Slot& slot : slots_) {
      const bool belongs = std::any_of(group.names.begin(), group.names.end(), [&](const std::string& pattern) {
        return detail::matches_pattern(pattern, slot.named.name);
      });
      if (!belongs) continue;
      slot.rate_scale = group.rate_scale.value_or(slot.rate_scale);
      slot.weight_decay = group.weight_decay.value_or(slot.weight_decay);
    }
  }
}

Optimizer::~Optimizer() = default;

void Optimizer::set_learning_rate(double learning_rate) {
  detail::check_not_negative(kind_, "a learning_rate", learning_rate);
  learning_rate_ = learning_rate;
}

const Optimizer::Slot& Optimizer::slot_of(const std::string& path) const {
  const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& s) { return s.named.name == path; });
  GRADUS_CHECK(found != slots_.end(), "[", kind_, "] there is no parameter ", path);
  return *found;
}

double Optimizer::learning_rate(const std::string& path) const { return rate_of(slot_of(path)); }

double Optimizer::weight_decay(const std::string& path) const { return slot_of(path).weight_decay; }

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
  int64_t without = 0, elements = 0;
  for (Slot& slot : slots_) {
    if (!slot.named.parameter->grad().defined()) {
      ++without;
    } else {
      prepare(slot);  // throws before anything is changed
      elements += slot.named.parameter->value().numel();
    }
  }
  GRADUS_CHECK(without < static_cast<int64_t>(slots_.size()), "[", kind_,
               "] no parameter has a gradient: call backward(loss) before step()");
  jobs_.clear();
  is_collecting_ = elements > kElementsOfBlock;  // otherwise one thread has it done sooner than a list is made
  for (Slot& slot : slots_) {
    const Tensor& gradient = slot.named.parameter->grad();
    if (!gradient.defined()) continue;
    ++slot.updates;
    update(slot, gradient.contiguous());
  }
  run_jobs();
  skipped_ = without;
  ++steps_;
}

void Optimizer::apply(Slot& slot, const Tensor& gradient, const kernels::OptimizerStep& step) {
  Tensor value = slot.named.parameter->mutable_value_();
  dispatch_float(value.dtype(), [&]<class T>() {
    kernels::OptimizerArrays<T> x{.param = value.mutable_data_<T>(), .grad = gradient.data<T>(), .n = value.numel()};
    for (size_t k = 0; k < slot.tensors.size(); ++k) x.state[k] = slot.tensors[k].mutable_data_<T>();
    if (!is_collecting_) return kernels::optimizer_update(step, x);
    const int64_t begin = jobs_.empty() ? 0 : jobs_.back().end;
    jobs_.push_back({step, gradient, value.dtype(), x.param, {x.state[0], x.state[1], x.state[2]}, begin, begin + x.n});
  });
}

void Optimizer::run_jobs() {
  if (jobs_.empty()) return;
  const auto run = [&](int64_t begin, int64_t end) {
    auto job = std::upper_bound(jobs_.begin(), jobs_.end(), begin, [](int64_t at, const Job& j) { return at < j.end; });
    for (; job != jobs_.end() && job->begin < end; ++job) {
      const int64_t from = std::max(begin, job->begin) - job->begin;
      const int64_t to = std::min(end, job->end) - job->begin;
      dispatch_float(job->dtype, [&]<class T>() { job->run<T>(from, to); });
    }
  };
  parallel_for(jobs_.back().end, run, kElementsOfBlock);
  jobs_.clear();
}

void Optimizer::zero_grad() {
  for (Slot& slot : slots_) slot.named.parameter->zero_grad_();
}

std::vector<NamedTensor> Optimizer::state_dict() const {
  std::vector<NamedTensor> state = {{"steps", detail::integer_state(steps_)},
                                    {"learning_rate", detail::number_state(learning_rate_)}};
  for (const Slot& slot : slots_) {
    if (slot.updates == 0) continue;
    state.push_back({slot.named.name + ".updates", detail::integer_state(slot.updates)});
    for (size_t i = 0; i < slot_names_.size(); ++i) {
      state.push_back({slot.named.name + "." + slot_names_[i], slot.tensors[i].clone()});
    }
  }
  return state;
}

void Optimizer::load_state_dict(const std::vector<NamedTensor>& state) {
  detail::StateReader reader(state);
  const int64_t steps = reader.take_count("steps");
  const double rate = reader.take_number("learning_rate");
  reader.require(std::isfinite(rate) && rate >= 0.0, "learning_rate", "0 or more", rate);
  std::vector<Slot> slots;
  for (const Slot& slot : slots_) {
    Slot loaded{.named = slot.named, .rate_scale = slot.rate_scale, .weight_decay = slot.weight_decay};
    const Parameter& parameter = *slot.named.parameter;
    const auto is_given = [&](const std::string& what) { return reader.has(slot.named.name + "." + what); };
    if (is_given("updates") || std::any_of(slot_names_.begin(), slot_names_.end(), is_given)) {
      loaded.updates = reader.take_count(slot.named.name + ".updates", 1);
      for (const char* name : slot_names_) {
        const Tensor value = reader.take(slot.named.name + "." + name, parameter.shape(), parameter.variable().dtype());
        loaded.tensors.push_back(value.defined() ? value.clone() : value);
      }
    }
    slots.push_back(std::move(loaded));
  }
  reader.finish(kind_);
  steps_ = steps;
  learning_rate_ = rate;
  slots_ = std::move(slots);
}

}  // namespace gradus
