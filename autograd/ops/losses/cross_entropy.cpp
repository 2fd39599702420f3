// SPDX-License-Identifier: MIT
// loss_i = lse_i - (1 - s) x_i[t_i] - s mean(x_i), lse_i = log sum_j exp(x_i[j]);  0 where t_i is the ignored index.
// dx_i = (softmax(x_i) - (1 - s) onehot(t_i) - s / C) g_i, made from x and lse by the backward op. s is the smoothing.
// The auxiliary output holds lse in two parts, the largest logit and the rest. Their sum would lose the digits that the
// gradient needs when logits are large.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/broadcast.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/losses/class_losses.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views/shift.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/rows/softmax.hpp>

namespace gradus {
namespace {

using RowsAttrs = kernels::ClassTargets;

void check_pair(const ShapeArgs& s) {
  rules::require_floating(s, 0, "logits");
  rules::require_rank(s, 0, 2, "logits");
  rules::require_dtype(s, 1, DType::i64, "targets");
  rules::require_shape(s, 1, {s.shape(0)[0]}, "targets");
}

// loss = lse - <x, onehot>. The largest logit of each row is subtracted first, so that exp cannot overflow. Ignored
// rows are replaced by zeros: an infinity in one would give NaN, even with a cotangent of 0. For the same reason a term
// with the factor 0 is left out.
void rows_reference(const Attrs& attrs, InputSpan inputs, Variable* outputs) {
  const Variable& targets = *inputs[1];
  const auto& rule = attrs.as<RowsAttrs>();
  const Variable ignored = equal(targets, detail::whole_number(rule.ignored));
  const Variable nothing = zeros({}, {.dtype = inputs[0]->dtype()});
  const Variable given = where(unsqueeze(ignored, 1), nothing, *inputs[0]);
  const Variable x = sub(given, detail::largest_shift(given));
  const Variable classes = arange(x.size(1), {.dtype = DType::i64});
  const Variable chosen = equal(unsqueeze(targets, 1), unsqueeze(classes, 0));
  const double s = rule.smoothing;
  Variable loss = log(sum(exp(x), {1}));
  if (s < 1.0) loss = sub(loss, affine(sum(where(chosen, x, nothing), {1}), 1.0 - s, 0.0));
  if (s > 0.0) loss = sub(loss, affine(mean(x, {1}), s, 0.0));
  outputs[0] = where(ignored, nothing, loss);
}

// Inputs of the backward op: logits, targets, g, lse (auxiliary).
void complete_backward(const Attrs& attrs, std::vector<Variable>& inputs) {
  Variable outputs[2];
  const Variable* forward_inputs[] = {&inputs[0], &inputs[1]};
  apply_into(cross_entropy_op, attrs, forward_inputs, outputs);
  inputs[3] = outputs[1].detach();
}

void backward_reference(const Attrs& attrs, InputSpan inputs, Variable* outputs) {
  const Variable cotangents[2] = {*inputs[2], Variable()};
  Variable gradients[2];
  reference_of_backward(cross_entropy_op, attrs, inputs.first(2), cotangents, 0b1, gradients);
  outputs[0] = gradients[0];
}

std::vector<Example> rows_examples() {
  const Tensor some_ignored = Tensor::from({1, -100, 4, -100}, {4}, {.dtype = DType::i64});
  const Tensor all_ignored = Tensor::from({-100, -100}, {2}, {.dtype = DType::i64});
  const Tensor bad = Tensor::from({1, 5}, {2}, {.dtype = DType::i64});
  const RowsAttrs attrs{-100, 0.0};
  const RowsAttrs smooth{-100, 0.1};
  return {
      {.name = "rows", .attrs = attrs, .inputs = {real({3, 5}), integers({3}, 0, 5)}},
      {.name = "one past a vector", .attrs = attrs, .inputs = {real({2, 17}), integers({2}, 0, 17)}},
      {.name = "smoothed", .attrs = smooth, .inputs = {real({2, 17}), integers({2}, 0, 17)}},
      {.name = "smoothed, some ignored", .attrs = smooth, .inputs = {real({4, 5}), fixed(some_ignored)}},
      {.name = "one class", .attrs = attrs, .inputs = {real({2, 1}), integers({2}, 0, 1)}},
      {.name = "some ignored", .attrs = attrs, .inputs = {real({4, 5}), fixed(some_ignored)}},
      {.name = "all ignored", .attrs = attrs, .inputs = {real({2, 3}), fixed(all_ignored)}},
      {.name = "no rows", .attrs = attrs, .inputs = {real({0, 3}), integers({0}, 0, 3)}},
      {.name = "target out of range",
       .attrs = attrs,
       .inputs = {real({2, 5}), fixed(bad)},
       .error =
           "[cross_entropy] target out of range: expected 0 <= target < 5 or the ignored index -100, got 5 in row 1"},
      {.name = "other number of targets",
       .attrs = attrs,
       .inputs = {real({2, 5}), integers({3}, 0, 5)},
       .error = "[cross_entropy] wrong shape of targets: expected [2], got i64 [3]"},
  };
}

}  // namespace

const OpDef cross_entropy_op = {
    .name = "cross_entropy",
    .input_names = {"logits", "targets"},
    .shape =
        [](ShapeArgs& s) {
          check_pair(s);
          s.output({s.shape(0)[0]}, s.dtype(0));
          s.output({s.shape(0)[0], 2}, s.dtype(0));
        },
    .forward =
        [](ForwardArgs& f) { kernels::cross_entropy(f.in(0), f.in(1), f.attrs<RowsAttrs>(), f.out(0), f.out(1)); },
    .derivative =
        [](VjpArgs& v) {
          const Variable logits = v.in(0);
          const Variable targets = v.in(1);
          const Variable lse = v.out(1);
          v.set(0, apply(cross_entropy_backward_op, v.raw_attrs(), {&logits, &targets, &v.cotangent(), &lse}));
        },
    .saves = {.inputs = 0b11, .outputs = 0b10},
    .auxiliary_outputs = 0b10,
    .reference = rows_reference,
    .examples = rows_examples,
};

const OpDef cross_entropy_backward_op = {
    .name = "cross_entropy_backward",
    .input_names = {"logits", "targets", "g", "lse"},
    .shape =
        [](ShapeArgs& s) {
          check_pair(s);
          rules::require_shape(s, 2, s.shape(1), "the cotangent");
          rules::require_shape(s, 3, {s.shape(0)[0], 2}, "lse");
          rules::require_same_dtype(s, 0, 2);
          s.output(s.shape(0), s.dtype(0));
        },
    .forward =
        [](ForwardArgs& f) {
          kernels::cross_entropy_backward(f.in(0), f.in(1), f.attrs<RowsAttrs>(), f.in(2), f.in(3), f.out(0));
        },
    .derivative = vjp_via_reference,
    .saves = {.inputs = 0b1111},
    .auxiliary_inputs = 0b1000,
    .reference = backward_reference,
    .complete = complete_backward,
    .examples =
        [] {
          const Tensor some_ignored = Tensor::from({1, -100, 4, -100}, {4}, {.dtype = DType::i64});
          const RowsAttrs attrs{-100, 0.0};
          const RowsAttrs smooth{-100, 0.1};
          return std::vector<Example>{
              {.name = "rows", .attrs = attrs, .inputs = {real({3, 5}), integers({3}, 0, 5), real({3}), absent()}},
              {.name = "some ignored",
               .attrs = attrs,
               .inputs = {real({4, 5}), fixed(some_ignored), real({4}), absent()}},
              {.name = "smoothed, some ignored",
               .attrs = smooth,
               .inputs = {real({4, 5}), fixed(some_ignored), real({4}), absent()}},
              {.name = "one row, one past a vector",
               .attrs = attrs,
               .inputs = {real({1, 17}), integers({1}, 0, 17), real({1}), absent()}},
              {.name = "no rows", .attrs = attrs, .inputs = {real({0, 3}), integers({0}, 0, 3), real({0}), absent()}},
              {.name = "cotangent of another shape",
               .attrs = attrs,
               .inputs = {real({3, 5}), integers({3}, 0, 5), real({4}), real({3, 2})},
               .error = "wrong shape of the cotangent: expected [3], got f64 [4]"},
          };
        },
};

Variable cross_entropy_rows(const Variable& logits, const Variable& targets, const CrossEntropyOptions& options) {
  const detail::CalledAs called("cross_entropy_rows");
  CrossEntropyOptions by_row = options;
  by_row.reduction = Reduction::none;
  return cross_entropy(logits, targets, by_row);
}

Variable cross_entropy(const Variable& logits, const Variable& targets, const CrossEntropyOptions& options) {
  const detail::CalledAs called("cross_entropy");
  class_losses::check(logits, targets, options, "cross_entropy");
  // Smoothing with weights is rare, so it uses the logarithms of all probabilities. Ignored rows are replaced by zeros.
  if (options.weight.defined() && options.label_smoothing > 0.0) {
    const Tensor ignored = full({}, static_cast<double>(options.ignore_index), {.dtype = DType::i64});
    const Variable kept = unsqueeze(not_equal(targets, ignored), -1);
    const Variable given = where(kept, logits, zeros({}, {.dtype = logits.dtype()}));
    return class_losses::nll(log_softmax(given), targets, options, "cross_entropy");
  }
  const Variable rows = reshape(logits, {targets.numel(), logits.size(-1)});
  const Variable flat = reshape(targets, {targets.numel()});
  Variable outputs[2];
  const Variable* inputs[] = {&rows, &flat};
  apply_into(cross_entropy_op, RowsAttrs{options.ignore_index, options.label_smoothing}, inputs, outputs);
  if (!options.weight.defined()) return class_losses::reduced(outputs[0], targets, options);
  const Variable weights = class_losses::row_weights(targets, logits.dtype(), options, "cross_entropy");
  return class_losses::reduced(mul(outputs[0], weights), targets, options);
}

}  // namespace gradus
