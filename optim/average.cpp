// SPDX-License-Identifier: MIT
#include <gradus/optim/average.hpp>

#include <algorithm>

#include <gradus/optim/groups.hpp>
#include <gradus/optim/state.hpp>
#include <gradus/tensor/kernels/optimizer/optimizer.hpp>

namespace gradus {

WeightAverage::WeightAverage(const char* kind, const std::vector<NamedParameter>& parameters)
    : kind_(kind), parameters_(parameters) {
  detail::check_parameters(kind, parameters);
}

WeightAverage::~WeightAverage() = default;

void WeightAverage::check_idle(const char* what) const {
  GRADUS_CHECK(!in_use_, "[", kind_, "] ", what, " while an AveragedWeights lives: the averages are in the parameters");
}

void WeightAverage::check_fits(const NamedParameter& named, const Tensor& average) const {
  const Tensor& value = named.parameter->value();
  GRADUS_CHECK(average.shape() == value.shape() && average.dtype() == value.dtype(), "[", kind_, "] parameter ",
               named.name, " was ", describe(average), " at the first update and is now ", describe(value));
}

void WeightAverage::update() {
  check_idle("update");
  if (updates_ == 0) {
    std::vector<Tensor> copies;
    for (const NamedParameter& named : parameters_) copies.push_back(named.parameter->value().clone());
    averages_ = std::move(copies);
    updates_ = 1;
    return;
  }
  for (size_t i = 0; i < parameters_.size(); ++i) check_fits(parameters_[i], averages_[i]);
  const kernels::OptimizerStep step{kernels::AverageStep{.weight = share(updates_ + 1)}};
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Tensor value = parameters_[i].parameter->value().contiguous();
    dispatch_float(value.dtype(), [&]<class T>() {
      kernels::optimizer_update(
          step, kernels::OptimizerArrays<T>{
                    .param = averages_[i].mutable_data_<T>(), .grad = value.data<T>(), .n = value.numel()});
    });
  }
  ++updates_;
}

std::vector<NamedTensor> WeightAverage::weights() const {
  check_idle("weights");
  GRADUS_CHECK(updates_ > 0, "[", kind_, "] there is no average yet: call update() first");
  std::vector<NamedTensor> list;
  for (size_t i = 0; i < parameters_.size(); ++i) list.push_back({parameters_[i].name, averages_[i].clone()});
  return list;
}

std::vector<NamedTensor> WeightAverage::state_dict() const {
  check_idle("state_dict");
  std::vector<NamedTensor> state = {{"updates", detail::integer_state(updates_)}};
  for (size_t i = 0; i < averages_.size(); ++i) {
    state.push_back({parameters_[i].name + ".average", averages_[i].clone()});
  }
  return state;
}

void WeightAverage::load_state_dict(const std::vector<NamedTensor>& state) {
  check_idle("load_state_dict");
  detail::StateReader reader(state);
  const int64_t updates = reader.take_count("updates");
  std::vector<Tensor> averages;
  for (const NamedParameter& named : parameters_) {
    if (updates == 0) break;
    const Tensor value =
        reader.take(named.name + ".average", named.parameter->shape(), named.parameter->variable().dtype());
    averages.push_back(value.defined() ? value.clone() : value);
  }
  reader.finish(kind_);
  updates_ = updates;
  averages_ = std::move(averages);
}

ExponentialAverage::ExponentialAverage(const std::vector<NamedParameter>& parameters,
                                       const ExponentialAverageOptions& options)
    : WeightAverage("ExponentialAverage", parameters), options_(options) {
  detail::check_share("ExponentialAverage", "decay", options.decay);
}

double ExponentialAverage::share(int64_t n) const {
  if (!options_.warmup) return 1.0 - options_.decay;
  const double count = static_cast<double>(n);
  return 1.0 - std::min(options_.decay, count / (count + 9.0));
}

StochasticAverage::StochasticAverage(const std::vector<NamedParameter>& parameters)
    : WeightAverage("StochasticAverage", parameters) {}

double StochasticAverage::share(int64_t n) const { return 1.0 / static_cast<double>(n); }

AveragedWeights::AveragedWeights(WeightAverage& average) : average_(average) {
  average.check_idle("AveragedWeights");
  GRADUS_CHECK(average.updates_ > 0, "[", average.kind_, "] there is no average yet: call update() first");
  for (size_t i = 0; i < average.parameters_.size(); ++i) {
    average.check_fits(average.parameters_[i], average.averages_[i]);
    values_.push_back(average.parameters_[i].parameter->mutable_value_());
  }
  exchange();
  average.in_use_ = true;
}

AveragedWeights::~AveragedWeights() {
  exchange();
  average_.in_use_ = false;
}

// Exchanges the elements, so that neither side is lost and no memory is needed.
void AveragedWeights::exchange() noexcept {
  for (size_t i = 0; i < values_.size(); ++i) {
    dispatch_float(values_[i].dtype(), [&]<class T>() {
      T* const value = values_[i].mutable_data_<T>();
      std::swap_ranges(value, value + values_[i].numel(), average_.averages_[i].mutable_data_<T>());
    });
  }
}

}  // namespace gradus
