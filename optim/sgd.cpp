// SPDX-License-Identifier: MIT
#include <gradus/optim/optimizer.hpp>

#include <gradus/tensor/kernels/optimizer/optimizer.hpp>

namespace gradus {
namespace {

std::vector<const char*> kept(const SgdOptions& options) {
  return options.momentum != 0.0 ? std::vector<const char*>{"velocity"} : std::vector<const char*>{};
}

}  // namespace

Sgd::Sgd(const std::vector<NamedParameter>& parameters, const SgdOptions& options)
    : Optimizer("sgd", kept(options), parameters, options.learning_rate), options_(options) {
  GRADUS_CHECK(options.momentum >= 0.0 && options.momentum < 1.0, "[sgd] expected 0 <= momentum < 1, got ",
               options.momentum);
  GRADUS_CHECK(options.weight_decay >= 0.0, "[sgd] expected weight_decay >= 0, got ", options.weight_decay);
  GRADUS_CHECK(!options.nesterov || options.momentum > 0.0, "[sgd] nesterov needs a momentum");
}

void Sgd::update(Slot& slot, const Tensor& gradient) {
  const kernels::SgdStep step{.lr = learning_rate(),
                              .momentum = options_.momentum,
                              .weight_decay = options_.weight_decay,
                              .nesterov = options_.nesterov,
                              .first_step = slot.updates == 1};
  Tensor value = slot.named.parameter->mutable_value_();
  dispatch_float(value.dtype(), [&]<class T>() {
    T* velocity = slot.tensors.empty() ? nullptr : slot.tensors[0].mutable_data_<T>();
    kernels::sgd_update(value.mutable_data_<T>(), gradient.data<T>(), velocity, value.numel(), step);
  });
}

}  // namespace gradus
