// SPDX-License-Identifier: MIT
#include <gradus/optim/optimizer.hpp>

#include <cmath>

#include <gradus/tensor/kernels/optimizer/optimizer.hpp>

namespace gradus {

Adam::Adam(const std::vector<NamedParameter>& parameters, const AdamOptions& options)
    : Optimizer("adam", {"m", "v"}, parameters, options.learning_rate), options_(options) {
  const auto is_rate = [](double beta) { return beta >= 0.0 && beta < 1.0; };
  GRADUS_CHECK(is_rate(options.beta1) && is_rate(options.beta2), "[adam] expected 0 <= beta < 1, got ", options.beta1,
               " and ", options.beta2);
  GRADUS_CHECK(options.eps >= 0.0 && options.weight_decay >= 0.0,
               "[adam] expected eps >= 0 and weight_decay >= 0, got ", options.eps, " and ", options.weight_decay);
}

void Adam::update(Slot& slot, const Tensor& gradient) {
  if (slot.updates != corrected_for_) {
    const double t = static_cast<double>(slot.updates);
    bias_correction1_ = 1.0 - std::pow(options_.beta1, t);
    bias_correction2_ = 1.0 - std::pow(options_.beta2, t);
    corrected_for_ = slot.updates;
  }
  const kernels::AdamStep step{.lr = learning_rate(),
                               .beta1 = options_.beta1,
                               .beta2 = options_.beta2,
                               .eps = options_.eps,
                               .weight_decay = options_.weight_decay,
                               .bias_correction1 = bias_correction1_,
                               .bias_correction2 = bias_correction2_};
  Tensor value = slot.named.parameter->mutable_value_();
  dispatch_float(value.dtype(), [&]<class T>() {
    kernels::adam_update(value.mutable_data_<T>(), gradient.data<T>(), slot.tensors[0].mutable_data_<T>(),
                         slot.tensors[1].mutable_data_<T>(), value.numel(), step);
  });
}

}  // namespace gradus
