// SPDX-License-Identifier: MIT
#include <gradus/optim/optimizer.hpp>

#include <cmath>

#include <gradus/optim/state.hpp>
#include <gradus/tensor/kernels/optimizer/optimizer.hpp>

namespace gradus {
namespace {

std::vector<const char*> adam_state(const AdamOptions& options) {
  return options.amsgrad ? std::vector<const char*>{"m", "v", "v_max"} : std::vector<const char*>{"m", "v"};
}

}  // namespace

Adam::Adam(const std::vector<NamedParameter>& parameters, const AdamOptions& options)
    : Adam("adam", parameters, options, false) {}

Adam::Adam(const char* kind, const std::vector<NamedParameter>& parameters, const AdamOptions& options, bool decoupled)
    : Optimizer(kind, adam_state(options), parameters, {options.learning_rate, options.weight_decay, options.groups}),
      options_(options),
      decoupled_(decoupled) {
  detail::check_share(kind, "beta1", options.beta1);
  detail::check_share(kind, "beta2", options.beta2);
  detail::check_not_negative(kind, "an eps", options.eps);
}

AdamW::AdamW(const std::vector<NamedParameter>& parameters, const AdamWOptions& options)
    : Adam("adamw", parameters,
           {.learning_rate = options.learning_rate,
            .beta1 = options.beta1,
            .beta2 = options.beta2,
            .eps = options.eps,
            .weight_decay = options.weight_decay,
            .amsgrad = options.amsgrad,
            .groups = options.groups},
           true) {}

void Adam::update(Slot& slot, const Tensor& gradient) {
  if (slot.updates != corrected_for_) {
    const double t = static_cast<double>(slot.updates);
    bias_correction1_ = 1.0 - std::pow(options_.beta1, t);
    bias_correction2_ = 1.0 - std::pow(options_.beta2, t);
    corrected_for_ = slot.updates;
  }
  apply(slot, gradient,
        {kernels::AdamStep{.lr = rate_of(slot),
                           .beta1 = options_.beta1,
                           .beta2 = options_.beta2,
                           .eps = options_.eps,
                           .weight_decay = slot.weight_decay,
                           .decoupled = decoupled_,
                           .amsgrad = options_.amsgrad,
                           .bias_correction1 = bias_correction1_,
                           .bias_correction2 = bias_correction2_}});
}

NAdam::NAdam(const std::vector<NamedParameter>& parameters, const NAdamOptions& options)
    : Optimizer("nadam", {"m", "v"}, parameters, {options.learning_rate, options.weight_decay, options.groups}),
      options_(options) {
  detail::check_share("nadam", "beta1", options.beta1);
  detail::check_share("nadam", "beta2", options.beta2);
  detail::check_not_negative("nadam", "an eps", options.eps);
  detail::check_not_negative("nadam", "a momentum_decay", options.momentum_decay);
}

double NAdam::momentum(int64_t t) const {
  return options_.beta1 * (1.0 - 0.5 * std::pow(0.96, static_cast<double>(t) * options_.momentum_decay));
}

double NAdam::product_of_momenta(int64_t t) {
  // Parameters whose gradients were missing have another t, so all products are kept, until 1 minus the product is 1.
  while (static_cast<int64_t>(products_.size()) < t) {
    const double before = products_.empty() ? 1.0 : products_.back();
    if (before < 1e-40) return 0.0;
    products_.push_back(before * momentum(static_cast<int64_t>(products_.size()) + 1));
  }
  return products_[static_cast<size_t>(t - 1)];
}

void NAdam::update(Slot& slot, const Tensor& gradient) {
  const int64_t t = slot.updates;
  const double rate = rate_of(slot);
  const double now = momentum(t), next = momentum(t + 1);
  const double product = product_of_momenta(t);
  apply(slot, gradient,
        {kernels::NadamStep{.lr = rate,
                            .beta1 = options_.beta1,
                            .beta2 = options_.beta2,
                            .eps = options_.eps,
                            .weight_decay = slot.weight_decay,
                            .decoupled = options_.decoupled_weight_decay,
                            .gradient_rate = rate * (1.0 - now) / (1.0 - product),
                            .average_rate = rate * next / (1.0 - product * next),
                            .bias_correction2 = 1.0 - std::pow(options_.beta2, static_cast<double>(t))}});
}

}  // namespace gradus
