// SPDX-License-Identifier: MIT
// Elementwise losses, each composed from public ops.
#include <gradus/autograd/ops/losses/losses.hpp>

#include <cmath>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/tensor/detail/called_as.hpp>

namespace gradus {
namespace {

void check_pair(const char* name, const Variable& input, const Variable& target) {
  GRADUS_CHECK(is_floating(input.dtype()), "[", name, "] expected a floating input (f32 or f64), got ",
               describe(input));
  GRADUS_CHECK(input.dtype() == target.dtype() && input.shape() == target.shape(), "[", name,
               "] input and target differ: input is ", describe(input), ", target is ", describe(target));
}

Variable reduced(const Variable& losses, Reduction reduction) {
  if (reduction == Reduction::none) return losses;
  if (reduction == Reduction::sum || losses.numel() == 0) return sum(losses);
  return mean(losses);
}

}  // namespace

Variable mse_loss(const Variable& input, const Variable& target, LossOptions options) {
  const detail::CalledAs called("mse_loss");
  check_pair("mse_loss", input, target);
  return reduced(square(sub(input, target)), options.reduction);
}

Variable l1_loss(const Variable& input, const Variable& target, LossOptions options) {
  const detail::CalledAs called("l1_loss");
  check_pair("l1_loss", input, target);
  return reduced(abs(sub(input, target)), options.reduction);
}

// With c = clamp(d, -delta, delta) both branches are c^2 / 2 + delta |d - c|. No factor is infinite when d is.
Variable huber_loss(const Variable& input, const Variable& target, HuberOptions options) {
  const detail::CalledAs called("huber_loss");
  check_pair("huber_loss", input, target);
  GRADUS_CHECK(options.delta > 0.0, "[huber_loss] expected delta > 0, got ", options.delta);
  const Variable d = sub(input, target);
  const Variable c = clamp(d, {.min = -options.delta, .max = options.delta});
  const Variable beyond = affine(abs(sub(d, c)), options.delta, 0.0);
  return reduced(add(affine(square(c), 0.5, 0.0), beyond), options.reduction);
}

// -log(s) = softplus(-x) and -log(1 - s) = softplus(x). Nothing is subtracted, so no digits cancel.
Variable binary_cross_entropy_with_logits(const Variable& logits, const Variable& target,
                                          const BinaryCrossEntropyOptions& options) {
  const detail::CalledAs called("binary_cross_entropy_with_logits");
  const char* name = "binary_cross_entropy_with_logits";
  check_pair(name, logits, target);
  Variable weight = target;
  if (options.pos_weight.defined()) {
    const Variable& w = options.pos_weight;
    GRADUS_CHECK(w.dtype() == logits.dtype() && broadcast_shapes(w.shape(), logits.shape(), name) == logits.shape(),
                 "[", name, "] expected a pos_weight that broadcasts to the logits ", describe(logits), ", got ",
                 describe(w));
    weight = mul(target, w);
  }
  const Variable if_positive = mul(weight, softplus(neg(logits)));
  const Variable if_negative = mul(affine(target, -1.0, 1.0), softplus(logits));
  return reduced(add(if_positive, if_negative), options.reduction);
}

Variable kl_div(const Variable& input, const Variable& target, KlDivOptions options) {
  const detail::CalledAs called("kl_div");
  check_pair("kl_div", input, target);
  // Where the target is 0, the input (which may be -inf) and the target's logarithm are replaced: 0 times infinity
  // would be NaN.
  const Variable nothing = equal(target, options.log_target ? -HUGE_VAL : 0.0);
  const Variable p = options.log_target ? exp(target) : target;
  const Variable log_p =
      options.log_target ? masked_fill(target, nothing, 0.0) : log(masked_fill(target, nothing, 1.0));
  const Variable losses = mul(p, sub(log_p, masked_fill(input, nothing, 0.0)));
  return reduced(losses, options.reduction);
}

}  // namespace gradus
