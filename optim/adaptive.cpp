// SPDX-License-Identifier: MIT
// Adagrad, Adadelta, RmsProp and Lion.
#include <gradus/optim/optimizer.hpp>

#include <gradus/optim/state.hpp>
#include <gradus/tensor/kernels/optimizer/optimizer.hpp>

namespace gradus {
namespace {

std::vector<const char*> rms_prop_state(const RmsPropOptions& options) {
  std::vector<const char*> names = {"v"};
  if (options.centered) names.push_back("average");
  if (options.momentum != 0.0) names.push_back("velocity");
  return names;
}

}  // namespace

Adagrad::Adagrad(const std::vector<NamedParameter>& parameters, const AdagradOptions& options)
    : Optimizer("adagrad", {"sum"}, parameters, {options.learning_rate, options.weight_decay, options.groups}),
      options_(options) {
  detail::check_not_negative("adagrad", "a rate_decay", options.rate_decay);
  detail::check_not_negative("adagrad", "an eps", options.eps);
  detail::check_not_negative("adagrad", "an initial_sum", options.initial_sum);
}

void Adagrad::update(Slot& slot, const Tensor& gradient) {
  const double earlier = static_cast<double>(slot.updates - 1);
  apply(slot, gradient,
        {kernels::AdagradStep{.lr = rate_of(slot) / (1.0 + earlier * options_.rate_decay),
                              .eps = options_.eps,
                              .weight_decay = slot.weight_decay,
                              .start = options_.initial_sum,
                              .first_step = slot.updates == 1}});
}

Adadelta::Adadelta(const std::vector<NamedParameter>& parameters, const AdadeltaOptions& options)
    : Optimizer("adadelta", {"squares", "changes"}, parameters,
                {options.learning_rate, options.weight_decay, options.groups}),
      options_(options) {
  detail::check_share("adadelta", "rho", options.rho);
  GRADUS_CHECK(options.eps > 0.0, "[adadelta] expected eps > 0, got ", options.eps);
}

void Adadelta::update(Slot& slot, const Tensor& gradient) {
  apply(slot, gradient,
        {kernels::AdadeltaStep{
            .lr = rate_of(slot), .rho = options_.rho, .eps = options_.eps, .weight_decay = slot.weight_decay}});
}

RmsProp::RmsProp(const std::vector<NamedParameter>& parameters, const RmsPropOptions& options)
    : Optimizer("rms_prop", rms_prop_state(options), parameters,
                {options.learning_rate, options.weight_decay, options.groups}),
      options_(options) {
  detail::check_share("rms_prop", "alpha", options.alpha);
  detail::check_share("rms_prop", "momentum", options.momentum);
  detail::check_not_negative("rms_prop", "an eps", options.eps);
}

void RmsProp::update(Slot& slot, const Tensor& gradient) {
  apply(slot, gradient,
        {kernels::RmsPropStep{.lr = rate_of(slot),
                              .alpha = options_.alpha,
                              .eps = options_.eps,
                              .weight_decay = slot.weight_decay,
                              .momentum = options_.momentum,
                              .centered = options_.centered}});
}

Lion::Lion(const std::vector<NamedParameter>& parameters, const LionOptions& options)
    : Optimizer("lion", {"m"}, parameters, {options.learning_rate, options.weight_decay, options.groups}),
      options_(options) {
  detail::check_share("lion", "beta1", options.beta1);
  detail::check_share("lion", "beta2", options.beta2);
}

void Lion::update(Slot& slot, const Tensor& gradient) {
  apply(slot, gradient,
        {kernels::LionStep{
            .lr = rate_of(slot), .beta1 = options_.beta1, .beta2 = options_.beta2, .weight_decay = slot.weight_decay}});
}

}  // namespace gradus
