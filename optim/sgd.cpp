// SPDX-License-Identifier: MIT
#include <gradus/optim/optimizer.hpp>

#include <gradus/optim/state.hpp>
#include <gradus/tensor/kernels/optimizer/optimizer.hpp>

namespace gradus {
namespace {

std::vector<const char*> sgd_state(const SgdOptions& options) {
  return options.momentum != 0.0 ? std::vector<const char*>{"velocity"} : std::vector<const char*>{};
}

}  // namespace

Sgd::Sgd(const std::vector<NamedParameter>& parameters, const SgdOptions& options)
    : Optimizer("sgd", sgd_state(options), parameters, {options.learning_rate, options.weight_decay, options.groups}),
      options_(options) {
  detail::check_share("sgd", "momentum", options.momentum);
  GRADUS_CHECK(options.dampening >= 0.0 && options.dampening <= 1.0, "[sgd] expected 0 <= dampening <= 1, got ",
               options.dampening);
  GRADUS_CHECK(!options.nesterov || (options.momentum > 0.0 && options.dampening == 0.0),
               "[sgd] nesterov needs a momentum and no dampening");
  GRADUS_CHECK(options.dampening == 0.0 || options.momentum > 0.0, "[sgd] dampening needs a momentum");
}

void Sgd::update(Slot& slot, const Tensor& gradient) {
  apply(slot, gradient,
        {kernels::SgdStep{.lr = rate_of(slot),
                          .momentum = options_.momentum,
                          .dampening = options_.dampening,
                          .weight_decay = slot.weight_decay,
                          .nesterov = options_.nesterov,
                          .first_step = slot.updates == 1}});
}

}  // namespace gradus
