// SPDX-License-Identifier: MIT
// loss_i = -(1 - s) w[t_i] x_i[t_i] - s / C sum_c w[c] x_i[c], 0 where t_i is ignored; the mean is sum loss_i / sum
// w[t_i] over the rows that are not. Targets and what is ignored are constants, found on the values.
#include <gradus/autograd/ops/arithmetic.hpp>
#include <gradus/autograd/ops/class_losses.hpp>
#include <gradus/autograd/ops/elementwise.hpp>
#include <gradus/autograd/ops/indexing.hpp>
#include <gradus/autograd/ops/linalg.hpp>
#include <gradus/autograd/ops/reduce.hpp>
#include <gradus/autograd/ops/views.hpp>

namespace gradus {
namespace {

Variable zero_like(const Variable& x) { return zeros({}, {.dtype = x.dtype()}); }

Variable kept_rows(const Variable& targets, const CrossEntropyOptions& options) {
  const Variable flat = reshape(targets.detach(), {targets.numel()});
  return not_equal(flat, full({}, static_cast<double>(options.ignore_index), {.dtype = DType::i64}));
}

// The targets [N] with class 0 in place of what is ignored, so that they are good indices.
Tensor safe_targets(const Variable& targets, int64_t classes, const CrossEntropyOptions& options, const char* op) {
  Tensor safe = targets.value().clone().reshape({targets.numel()});
  auto* target = safe.mutable_data_<int64_t>();
  for (int64_t i = 0; i < safe.numel(); ++i) {
    if (target[i] == options.ignore_index) target[i] = 0;
    GRADUS_CHECK(target[i] >= 0 && target[i] < classes, "[", op, "] target out of range: expected 0 <= target < ",
                 classes, " or the ignored index ", options.ignore_index, ", got ", target[i], " in row ", i);
  }
  return safe;
}

}  // namespace

namespace class_losses {

void check(const Variable& x, const Variable& targets, const CrossEntropyOptions& options, const char* op) {
  GRADUS_CHECK(x.rank() >= 1 && is_floating(x.dtype()), "[", op, "] expected floating rows [.., C], got ", describe(x));
  const Shape rows = x.shape().without(x.rank() - 1);
  GRADUS_CHECK(targets.dtype() == DType::i64 && targets.shape() == rows, "[", op, "] expected targets i64 ", rows,
               " for ", describe(x), ", got ", describe(targets));
  GRADUS_CHECK(options.label_smoothing >= 0.0 && options.label_smoothing <= 1.0, "[", op,
               "] expected 0 <= label_smoothing <= 1, got ", options.label_smoothing);
  const Variable& weight = options.weight;
  GRADUS_CHECK(!weight.defined() || (weight.dtype() == x.dtype() && weight.shape() == Shape{x.size(-1)}), "[", op,
               "] expected class weights ", x.dtype(), " ", Shape{x.size(-1)}, ", got ", describe(weight));
}

Variable row_weights(const Variable& targets, DType dtype, const CrossEntropyOptions& options, const char* op) {
  const Variable kept = kept_rows(targets, options);
  const Variable zero = zeros({}, {.dtype = dtype});
  if (!options.weight.defined()) return where(kept, ones({}, {.dtype = dtype}), zero);
  const Variable index = safe_targets(targets, options.weight.numel(), options, op);
  return where(kept, index_select(options.weight, 0, index), zero);
}

Variable reduced(const Variable& losses, const Variable& targets, const CrossEntropyOptions& options) {
  if (options.reduction == Reduction::none) return reshape(losses, targets.shape());
  if (options.reduction == Reduction::sum) return sum(losses);
  const Variable total = sum(row_weights(targets, losses.dtype(), options, "cross_entropy"));
  return div(sum(losses), where(equal(total, 0.0), ones({}, {.dtype = losses.dtype()}), total));
}

Variable nll(const Variable& log_probs, const Variable& targets, const CrossEntropyOptions& options, const char* op) {
  const int64_t classes = log_probs.size(-1);
  const Variable rows = reshape(log_probs, {targets.numel(), classes});
  const Variable index = safe_targets(targets, classes, options, op);
  const Variable& weight = options.weight;
  Variable losses = neg(squeeze(take_along_axis(rows, unsqueeze(index, 1), 1), 1));
  if (weight.defined()) losses = mul(losses, index_select(weight, 0, index));
  if (options.label_smoothing > 0.0) {
    const Variable all = weight.defined() ? matmul(rows, weight) : sum(rows, {1});
    const double share = options.label_smoothing / static_cast<double>(classes);
    losses = sub(affine(losses, 1.0 - options.label_smoothing, 0.0), affine(all, share, 0.0));
  }
  return reduced(where(kept_rows(targets, options), losses, zero_like(losses)), targets, options);
}

}  // namespace class_losses

Variable nll_loss(const Variable& log_probs, const Variable& targets, const NllOptions& options) {
  class_losses::check(log_probs, targets, options, "nll_loss");
  return class_losses::nll(log_probs, targets, options, "nll_loss");
}

}  // namespace gradus
