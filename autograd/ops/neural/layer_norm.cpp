// SPDX-License-Identifier: MIT
// Normalised rows: z = (x - mean) rstd, y = z weight + bias, with mean and rstd = 1 / sqrt(mean((x - mean)^2) + eps) of
// each row. RMS norm uses 0 as the mean and has no bias. With h = g weight:
//   dx = rstd (h - mean(h) - z mean(h z)), for RMS norm without the term mean(h)
//   dweight = sum of g z over the rows,  dbias = sum of g
// mean and rstd are auxiliary outputs, which the backward op uses.
#include <cmath>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/reduce/reduce_axes.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/rows/layer_norm.hpp>

namespace gradus {
namespace {

struct NormAttrs {
  double eps;
};

// Layer norm has the inputs x, weight, bias and the outputs y, mean, rstd; RMS norm x, weight and y, rstd. The backward
// ops have x, weight, g and then the auxiliary outputs of the forward op.
template <bool kCentered>
constexpr int kInputs = kCentered ? 3 : 2;
template <bool kCentered>
constexpr int kStatistics = kCentered ? 2 : 1;

void check_row_vector(const ShapeArgs& s, int i, const char* name) {
  if (!s.has(i)) return;
  rules::require_same_dtype(s, 0, i);
  rules::require_shape(s, i, {s.shape(0)[1]}, name);
}

void check_norm_inputs(const ShapeArgs& s) {
  rules::require_floating(s, 0, "input");
  rules::require_rank(s, 0, 2, "x");
  check_row_vector(s, 1, "weight");
}

template <bool kCentered>
void norm_shape(ShapeArgs& s) {
  check_norm_inputs(s);
  if (kCentered) check_row_vector(s, 2, "bias");
  s.output(s.shape(0), s.dtype(0));
  for (int k = 0; k < kStatistics<kCentered>; ++k) s.output({s.shape(0)[0]}, s.dtype(0));
}

template <bool kCentered>
void norm_forward(ForwardArgs& f) {
  const Tensor* weight = f.has(1) ? &f.in(1) : nullptr;
  const double eps = f.attrs<NormAttrs>().eps;
  if constexpr (kCentered) {
    kernels::layer_norm(f.in(0), weight, f.has(2) ? &f.in(2) : nullptr, eps, f.out(0), &f.out(1), f.out(2));
  } else {
    kernels::layer_norm(f.in(0), weight, nullptr, eps, f.out(0), nullptr, f.out(1));
  }
}

template <bool kCentered>
void norm_vjp(VjpArgs& v) {
  constexpr int kStats = kStatistics<kCentered>;
  if (kCentered && v.needs(2)) v.set(2, sum(v.cotangent(), {0}));
  if (!v.needs(0) && !v.needs(1)) return;
  const bool weighted = v.has(1);
  const Variable x = v.in(0);
  const Variable weight = weighted ? v.in(1) : Variable();
  const Variable first = v.out(1);
  const Variable last = v.out(kStats);
  const Variable* inputs[] = {&x, &weight, &v.cotangent(), &first, &last};
  Variable gradients[2];
  apply_into(kCentered ? layer_norm_backward_op : rms_norm_backward_op, v.raw_attrs(), InputSpan(inputs, 3 + kStats),
             std::span<Variable>(gradients, weighted ? 2 : 1));
  v.set(0, gradients[0]);
  if (weighted) v.set(1, gradients[1]);
}

// The largest |x| of each row [N, 1], but at least `least`; 1 where that is 0 or not finite. A constant.
Variable row_scale(const Variable& x, double least) {
  Variable one = ones({}, {.dtype = x.dtype()});
  if (x.numel() == 0) return one;
  const Variable largest = maximum(max(abs(x), {1}, {.keepdim = true}).detach(), least);
  return where(logical_and(greater(largest, 0.0), less(largest, HUGE_VAL)), largest, one);
}

// Numerator and denominator are divided by the scale of the row, so that squares do not over- or underflow.
template <bool kCentered>
void norm_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const Variable& x = *in[0];
  const double root_eps = std::sqrt(attrs.as<NormAttrs>().eps);
  const Variable centered = kCentered ? center(x, 0b10) : x;
  const Variable scale = row_scale(centered, root_eps);
  const Variable z = div(centered, scale);
  const Variable scaled_eps = square(root_eps / scale);
  outputs[0] = div(z, sqrt(add(mean(square(z), {1}, {.keepdim = true}), scaled_eps)));
  if (in[1]->defined()) outputs[0] = mul(outputs[0], *in[1]);
  if (kCentered && in[kInputs<kCentered> - 1]->defined()) outputs[0] = add(outputs[0], *in[kInputs<kCentered> - 1]);
}

template <bool kCentered>
void backward_shape(ShapeArgs& s) {
  check_norm_inputs(s);
  rules::require_same_dtype(s, 0, 2);
  rules::require_shape(s, 2, s.shape(0), "the cotangent");
  for (int k = 0; k < kStatistics<kCentered>; ++k) rules::require_shape(s, 3 + k, {s.shape(0)[0]}, "the statistics");
  s.output(s.shape(0), s.dtype(0));
  if (s.has(1)) s.output(s.shape(1), s.dtype(0));
}

template <bool kCentered>
void backward_forward(ForwardArgs& f) {
  Tensor* dweight = f.has(1) ? &f.out(1) : nullptr;
  kernels::layer_norm_backward(f.in(0), f.has(1) ? &f.in(1) : nullptr, f.in(2), kCentered ? &f.in(3) : nullptr,
                               f.in(2 + kStatistics<kCentered>), f.attrs<NormAttrs>().eps, f.out(0), dweight);
}

template <bool kCentered>
void backward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const OpDef& op = kCentered ? layer_norm_op : rms_norm_op;
  const Variable no_bias;
  const Variable* inputs[] = {in[0], in[1], &no_bias};
  const Variable cotangents[3] = {*in[2]};
  Variable gradients[3];
  reference_of_backward(op, attrs, InputSpan(inputs, kInputs<kCentered>),
                        std::span(cotangents, 1 + kStatistics<kCentered>), 0b11, gradients);
  outputs[0] = gradients[0];
  if (in[1]->defined()) outputs[1] = gradients[1];
}

template <bool kCentered>
void complete_backward(const Attrs& attrs, std::vector<Variable>& inputs) {
  const OpDef& op = kCentered ? layer_norm_op : rms_norm_op;
  const Variable no_bias;
  const Variable* forward_inputs[] = {&inputs[0], &inputs[1], &no_bias};
  Variable outputs[3];
  apply_into(op, attrs, InputSpan(forward_inputs, kInputs<kCentered>),
             std::span<Variable>(outputs, 1 + kStatistics<kCentered>));
  for (int k = 1; k <= kStatistics<kCentered>; ++k) inputs[2 + static_cast<size_t>(k)] = outputs[k].detach();
}

InputSpec rows(int64_t count, int64_t width) { return real({count, width}, spaced()); }

template <bool kCentered>
std::vector<Example> norm_examples() {
  std::vector<Example> out = {
      {.name = "plain", .attrs = NormAttrs{1e-5}, .inputs = {rows(3, 5), absent()}},
      {.name = "weight", .attrs = NormAttrs{1e-5}, .inputs = {rows(4, 6), real({6})}},
      {.name = "one past a vector", .attrs = NormAttrs{1e-5}, .inputs = {rows(2, 17), real({17})}},
      {.name = "one element", .attrs = NormAttrs{0.5}, .inputs = {real({1, 1}), real({1})}},
      {.name = "no rows", .attrs = NormAttrs{1e-5}, .inputs = {real({0, 3}), real({3})}},
      {.name = "no columns", .attrs = NormAttrs{1e-5}, .inputs = {real({2, 0}), real({0})}},
      {.name = "weight of another size",
       .attrs = NormAttrs{1e-5},
       .inputs = {real({3, 5}), real({4})},
       .error = "norm] wrong shape of weight: expected [5], got f64 [4]"},
  };
  if (!kCentered) return out;
  for (Example& example : out) example.inputs.push_back(absent());
  out.push_back({.name = "bias", .attrs = NormAttrs{1e-5}, .inputs = {rows(3, 5), absent(), real({5})}});
  out.push_back({.name = "weight and bias", .attrs = NormAttrs{0.1}, .inputs = {rows(3, 9), real({9}), real({9})}});
  out.push_back({.name = "bias of another size",
                 .attrs = NormAttrs{1e-5},
                 .inputs = {real({3, 5}), absent(), real({3})},
                 .error = "[layer_norm] wrong shape of bias: expected [5], got f64 [3]"});
  return out;
}

template <bool kCentered>
std::vector<Example> backward_examples() {
  std::vector<Example> out = {
      {.name = "plain", .attrs = NormAttrs{1e-5}, .inputs = {rows(3, 5), absent(), real({3, 5})}},
      {.name = "weight", .attrs = NormAttrs{0.1}, .inputs = {rows(4, 6), real({6}), real({4, 6})}},
      {.name = "one past a vector", .attrs = NormAttrs{1e-5}, .inputs = {rows(2, 17), real({17}), real({2, 17})}},
      {.name = "one element", .attrs = NormAttrs{0.5}, .inputs = {real({1, 1}), real({1}), real({1, 1})}},
      {.name = "no rows", .attrs = NormAttrs{1e-5}, .inputs = {real({0, 3}), real({3}), real({0, 3})}},
      {.name = "cotangent of another shape",
       .attrs = NormAttrs{1e-5},
       .inputs = {real({3, 5}), absent(), real({3, 4})},
       .error = "norm_backward] wrong shape of the cotangent: expected [3, 5], got f64 [3, 4]"},
  };
  for (Example& example : out) {
    for (int k = 0; k < kStatistics<kCentered>; ++k) {
      example.inputs.push_back(example.error.empty() ? absent() : real({3}));
    }
  }
  return out;
}

Variable rows_of(const Variable& x, int axes, const char* op) {
  GRADUS_CHECK(axes >= 1 && axes <= x.rank(), "[", op, "] expected 1 <= axes <= ", x.rank(), ", got ", axes);
  int64_t width = 1;
  for (int k = x.rank() - axes; k < x.rank(); ++k) width *= x.shape()[k];
  int64_t count = 1;
  for (int k = 0; k < x.rank() - axes; ++k) count *= x.shape()[k];
  return reshape(x, {count, width});
}

// A weight or bias with the shape of the normalised axes, as one vector.
Variable flat(const Variable& parameter, const Variable& x, int axes, const char* op, const char* name) {
  if (!parameter.defined()) return parameter;
  const Shape expected(std::span<const int64_t>(x.shape().end() - axes, static_cast<size_t>(axes)));
  GRADUS_CHECK(parameter.shape() == expected, "[", op, "] wrong shape of ", name, ": expected ", expected, ", got ",
               describe(parameter));
  return reshape(parameter, {expected.numel()});
}

}  // namespace

const OpDef layer_norm_op = {
    .name = "layer_norm",
    .input_names = {"x", "weight", "bias"},
    .shape = norm_shape<true>,
    .forward = norm_forward<true>,
    .derivative = norm_vjp<true>,
    .saves = {.inputs = 0b11, .outputs = 0b110},
    .optional_inputs = 0b110,
    .auxiliary_outputs = 0b110,
    .reference = norm_reference<true>,
    .examples = norm_examples<true>,
    .onnx =
        [](OnnxArgs& o) {
          const int64_t size = o.in_shape(0)[1];
          const std::string weight =
              o.has(1) ? o.in(1) : o.graph().constant(full({size}, 1.0, {.dtype = o.in_dtype(0)}));
          OnnxArgs::Names inputs = {o.in(0), weight};
          if (o.has(2)) inputs.push_back(o.in(2));
          o.out(0, o.node("LayerNormalization", inputs, {{"axis", -1}, {"epsilon", o.attrs<NormAttrs>().eps}}));
        },
};

const OpDef layer_norm_backward_op = {
    .name = "layer_norm_backward",
    .input_names = {"x", "weight", "g", "mean", "rstd"},
    .shape = backward_shape<true>,
    .forward = backward_forward<true>,
    .derivative = vjp_via_reference,
    .saves = {.inputs = 0b111},
    .optional_inputs = 0b10,
    .auxiliary_inputs = 0b11000,
    .reference = backward_reference<true>,
    .complete = complete_backward<true>,
    .examples = backward_examples<true>,
};

const OpDef rms_norm_op = {
    .name = "rms_norm",
    .input_names = {"x", "weight"},
    .shape = norm_shape<false>,
    .forward = norm_forward<false>,
    .derivative = norm_vjp<false>,
    .saves = {.inputs = 0b11, .outputs = 0b10},
    .optional_inputs = 0b10,
    .auxiliary_outputs = 0b10,
    .reference = norm_reference<false>,
    .examples = norm_examples<false>,
    .onnx =
        [](OnnxArgs& o) {
          const std::string mean = o.node("ReduceMean", {o.node("Mul", {o.in(0), o.in(0)}), o.integers({-1})});
          const std::string root = o.node("Sqrt", {o.node("Add", {mean, o.number(o.attrs<NormAttrs>().eps)})});
          const std::string y = o.node("Div", {o.in(0), root});
          o.out(0, o.has(1) ? o.node("Mul", {y, o.in(1)}) : y);
        },
};

const OpDef rms_norm_backward_op = {
    .name = "rms_norm_backward",
    .input_names = {"x", "weight", "g", "rstd"},
    .shape = backward_shape<false>,
    .forward = backward_forward<false>,
    .derivative = vjp_via_reference,
    .saves = {.inputs = 0b111},
    .optional_inputs = 0b10,
    .auxiliary_inputs = 0b1000,
    .reference = backward_reference<false>,
    .complete = complete_backward<false>,
    .examples = backward_examples<false>,
};

Variable layer_norm(const Variable& x, const LayerNormOptions& options) {
  const detail::CalledAs called("layer_norm");
  const Variable in = rows_of(x, options.axes, "layer_norm");
  const Variable weight = flat(options.weight, x, options.axes, "layer_norm", "weight");
  const Variable bias = flat(options.bias, x, options.axes, "layer_norm", "bias");
  const Variable* inputs[] = {&in, &weight, &bias};
  Variable outputs[3];
  apply_into(layer_norm_op, NormAttrs{options.eps}, inputs, outputs);
  return reshape(outputs[0], x.shape());
}

Variable rms_norm(const Variable& x, const RmsNormOptions& options) {
  const detail::CalledAs called("rms_norm");
  const Variable in = rows_of(x, options.axes, "rms_norm");
  const Variable weight = flat(options.weight, x, options.axes, "rms_norm", "weight");
  const Variable* inputs[] = {&in, &weight};
  Variable outputs[2];
  apply_into(rms_norm_op, NormAttrs{options.eps}, inputs, outputs);
  return reshape(outputs[0], x.shape());
}

}  // namespace gradus
