// SPDX-License-Identifier: MIT
// loss_i = -(1 - s) w[t_i] x_i[t_i] - s / C sum_c w[c] x_i[c], and 0 where t_i is ignored. The mean is sum loss_i / sum
// w[t_i], both over the rows that are not ignored.
#include <limits>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/broadcast.hpp>
#include <gradus/autograd/ops/choice.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/losses/class_losses.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/movement/indexing.hpp>

namespace gradus {
namespace {

Variable zero_like(const Variable& x) { return zeros({}, {.dtype = x.dtype()}); }

Variable kept_rows(const Variable& targets, const CrossEntropyOptions& options) {
  const Variable flat = reshape(targets, {targets.numel()});
  return not_equal(flat, detail::whole_number(options.ignore_index));
}

struct ClassAttrs {
  int64_t classes;
  int64_t ignored;
  const char* op;  // the name in messages
};

// The targets [N] with class 0 in place of ignored ones.
Variable safe_targets(const Variable& targets, int64_t classes, const CrossEntropyOptions& options, const char* op) {
  const Variable flat = reshape(targets, {targets.numel()});
  return apply(class_index_op, ClassAttrs{classes, options.ignore_index, op}, {&flat});
}

std::vector<Example> class_index_examples() {
  const Tensor given = Tensor::from({2, -1, 0}, {3}, {.dtype = DType::i64});
  const Tensor bad = Tensor::from({2, -1, 3}, {3}, {.dtype = DType::i64});
  const ClassAttrs attrs{3, -1, "class_index"};
  return {
      {.name = "ignored",
       .attrs = attrs,
       .inputs = {fixed(given)},
       .expected = {Tensor::from({2, 0, 0}, {3}, {.dtype = DType::i64})}},
      {.name = "many", .attrs = attrs, .inputs = {integers({2, 17}, -1, 3)}},
      {.name = "one", .attrs = attrs, .inputs = {integers({}, 0, 3)}},
      {.name = "none", .attrs = attrs, .inputs = {integers({0}, 0, 3)}},
      {.name = "out of range",
       .attrs = attrs,
       .inputs = {fixed(bad)},
       .error = "[class_index] target out of range: expected 0 <= target < 3 or the ignored index -1, got 3 in row 2"},
      {.name = "numbers",
       .attrs = attrs,
       .inputs = {real({2})},
       .error = "[class_index] expected targets of dtype i64, got f64 [2]"},
  };
}

}  // namespace

// Makes valid indices from class numbers, some of which are ignored.
const OpDef class_index_op = {
    .name = "class_index",
    .input_names = {"targets"},
    .shape =
        [](ShapeArgs& s) {
          rules::require_dtype(s, 0, DType::i64, "targets");
          s.output(s.shape(0), DType::i64);
        },
    .forward =
        [](ForwardArgs& f) {
          const auto& a = f.attrs<ClassAttrs>();
          kernels::class_indices(f.in(0), a.classes, a.ignored, f.out(0), a.op);
        },
    .derivative = Derivative::discrete_output(),
    .examples = class_index_examples,
};

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
  const Variable count = where(equal(total, 0.0), ones({}, {.dtype = losses.dtype()}), total);
  const Variable all = sum(losses);
  // Divides before adding where the sum of losses is too large for their dtype, because the mean may still fit.
  constexpr double kMost = std::numeric_limits<double>::max();
  return detail::all_within(all, -kMost, kMost) ? div(all, count) : sum(div(losses, count));
}

Variable nll(const Variable& log_probs, const Variable& targets, const CrossEntropyOptions& options, const char* op) {
  const int64_t classes = log_probs.size(-1);
  const Variable rows = reshape(log_probs, {targets.numel(), classes});
  const Variable index = safe_targets(targets, classes, options, op);
  const Variable& weight = options.weight;
  const Variable kept = kept_rows(targets, options);
  const Variable zero = zero_like(rows);
  // Values of an ignored row must not be multiplied by a weight: the product with a cotangent of 0 can be NaN.
  Variable losses = where(kept, neg(squeeze(take_along_axis(rows, 1, unsqueeze(index, 1)), 1)), zero);
  if (weight.defined()) losses = mul(losses, index_select(weight, 0, index));
  if (options.label_smoothing > 0.0) {
    const Variable all = weight.defined() ? matmul(where(unsqueeze(kept, 1), rows, zero), weight) : sum(rows, {1});
    const Variable spread = affine(all, -options.label_smoothing / static_cast<double>(classes), 0.0);
    const double rest = 1.0 - options.label_smoothing;
    losses = where(kept, rest > 0.0 ? add(affine(losses, rest, 0.0), spread) : spread, zero);
  }
  return reduced(losses, targets, options);
}

}  // namespace class_losses

Variable nll_loss(const Variable& log_probs, const Variable& targets, const NllOptions& options) {
  const detail::CalledAs called("nll_loss");
  class_losses::check(log_probs, targets, options, "nll_loss");
  return class_losses::nll(log_probs, targets, options, "nll_loss");
}

}  // namespace gradus
