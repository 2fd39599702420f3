// SPDX-License-Identifier: MIT
// y[b, t, o] = bias[o] + sum over k, c of weight[o, c, k] x[b, t stride + k dilation - before, c], over the k whose
// step exists. dx and dweight come from the backward op (formulas in tensor/kernels/sequence/conv1d.hpp), and dbias is
// the sum of the cotangents over b and t.
#include <algorithm>

#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/slots.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/kernels/sequence/conv1d.hpp>

namespace gradus {
namespace {

// The inputs of the two ops. The outputs of the backward op are the gradients of the first two.
enum Input : int { kX, kWeight, kGradients, kBias = kGradients, kCotangent = kGradients, kInputs };

// How many steps a convolution reads at once, pads and gives.
struct Geometry {
  int64_t reach;
  Padding padding;
  int64_t steps;
};

Geometry geometry(const Shape& x, const Shape& weight, const Conv1dOptions& options) {
  const int64_t reach = options.dilation * (weight[2] - 1) + 1;
  Padding padding{options.padding.steps(), options.padding.steps()};
  if (options.padding.is_same()) padding = {(reach - 1) / 2, reach - 1 - (reach - 1) / 2};
  return {reach, padding, (x[1] + padding.before + padding.after - reach) / options.stride + 1};
}

void require_range(const ShapeArgs& s, int64_t value, int64_t low, const char* name) {
  GRADUS_CHECK(value >= low && value <= INT32_MAX, "[", s.op_name(), "] ", name, " out of range: expected ", low,
               " to ", INT32_MAX, ", got ", value);
}

Shape check_inputs(const ShapeArgs& s) {
  rules::require_floating(s, kX, "input");
  rules::require_rank(s, kX, 3, "x");
  rules::require_rank(s, kWeight, 3, "weight");
  rules::require_same_dtype(s, kX, kWeight);
  const Shape& x = s.shape(kX);
  const Shape& weight = s.shape(kWeight);
  GRADUS_CHECK(x[2] == weight[1], "[", s.op_name(), "] input channels differ: x is ", s.describe(kX), ", weight is ",
               s.describe(kWeight), " (out, in, steps)");
  const auto& options = s.attrs<Conv1dOptions>();
  require_range(s, weight[2], 1, "steps of the weight");
  require_range(s, options.stride, 1, "stride");
  require_range(s, options.dilation, 1, "dilation");
  require_range(s, options.padding.steps(), 0, "padding");
  GRADUS_CHECK(!options.padding.is_same() || options.stride == 1, "[", s.op_name(),
               "] padding by ConvPadding::same(): expected stride 1, got ", options.stride);
  const Geometry g = geometry(x, weight, options);
  const int64_t padded = x[1] + g.padding.before + g.padding.after;
  GRADUS_CHECK(options.padding.is_same() || g.reach <= padded, "[", s.op_name(),
               "] the weight is longer than the padded input: expected at most ", padded, " steps, got ", g.reach);
  return {x[0], g.steps, weight[0]};
}

kernels::Conv1dForm form_of(const ForwardArgs& f) {
  const auto& options = f.attrs<Conv1dOptions>();
  return {.stride = options.stride,
          .dilation = options.dilation,
          .before = geometry(f.in(kX).shape(), f.in(kWeight).shape(), options).padding.before};
}

// The elements k of all windows that read steps of x: those of output steps [from, to).
Variable part_of_element(const Variable& x, const Variable& weight, const Geometry& g, const Conv1dOptions& options,
                         int64_t k) {
  const int64_t stride = options.stride;
  const int64_t shift = k * options.dilation - g.padding.before;  // output step t reads step t stride + shift
  const int64_t last = x.size(1) - 1 - shift;
  const int64_t from = std::min(g.steps, shift >= 0 ? 0 : (stride - 1 - shift) / stride);
  const int64_t to = last < 0 ? from : std::clamp(last / stride + 1, from, g.steps);
  const Variable read =
      from == to ? narrow(x, 1, 0, 0) : slice(x, 1, from * stride + shift, (to - 1) * stride + shift + 1, stride);
  const Variable product = matmul(read, transpose(select(weight, 2, k), 0, 1));
  return pad(product, {{0, 0}, {from, g.steps - to}, {0, 0}});
}

void conv1d_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const auto& options = attrs.as<Conv1dOptions>();
  const Geometry g = geometry(in[kX]->shape(), in[kWeight]->shape(), options);
  Variable y = part_of_element(*in[kX], *in[kWeight], g, options, 0);
  for (int64_t k = 1; k < in[kWeight]->size(2); ++k) {
    y = add(y, part_of_element(*in[kX], *in[kWeight], g, options, k));
  }
  outputs[0] = in[kBias]->defined() ? add(y, *in[kBias]) : y;
}

void backward_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const Variable no_bias;
  const Variable* inputs[kInputs] = {in[kX], in[kWeight], &no_bias};
  const Variable cotangents[1] = {*in[kCotangent]};
  reference_of_backward(conv1d_op, attrs, inputs, cotangents, mask_of_first(kGradients),
                        std::span<Variable>(outputs, kGradients));
}

std::vector<Example> working_examples() {
  const auto same = ConvPadding::same();
  const auto sizes = [](const Shape& x, const Shape& weight) {
    return std::vector<InputSpec>{real(x), real(weight), real({weight[0]})};
  };
  return {
      {.name = "plain", .attrs = Conv1dOptions{}, .inputs = sizes({2, 7, 3}, {4, 3, 3})},
      {.name = "same, even", .attrs = Conv1dOptions{.padding = same}, .inputs = sizes({2, 5, 2}, {3, 2, 4})},
      {.name = "same, dilated",
       .attrs = Conv1dOptions{.padding = same, .dilation = 3},
       .inputs = sizes({1, 6, 1}, {2, 1, 4})},
      {.name = "stride, padding and dilation",
       .attrs = Conv1dOptions{.stride = 2, .padding = 3, .dilation = 2},
       .inputs = sizes({2, 9, 2}, {3, 2, 3})},
      {.name = "steps that no window reads",
       .attrs = Conv1dOptions{.stride = 4},
       .inputs = sizes({2, 9, 2}, {2, 2, 2})},
      {.name = "windows of padding alone", .attrs = Conv1dOptions{.padding = 5}, .inputs = sizes({1, 2, 2}, {2, 2, 3})},
      {.name = "one past a vector, no bias",
       .attrs = Conv1dOptions{.padding = 1},
       .inputs = {real({1, 3, 17}), real({9, 17, 2}), absent()}},
      {.name = "one of all", .attrs = Conv1dOptions{}, .inputs = sizes({1, 1, 1}, {1, 1, 1})},
      {.name = "no batch", .attrs = Conv1dOptions{}, .inputs = sizes({0, 4, 2}, {3, 2, 2})},
      {.name = "no steps", .attrs = Conv1dOptions{.padding = same}, .inputs = sizes({2, 0, 2}, {3, 2, 3})},
      {.name = "no input channels", .attrs = Conv1dOptions{}, .inputs = sizes({2, 4, 0}, {3, 0, 2})},
      {.name = "no output channels", .attrs = Conv1dOptions{}, .inputs = sizes({2, 4, 2}, {0, 2, 2})},
  };
}

std::vector<Example> examples() {
  std::vector<Example> out = working_examples();
  const std::vector<InputSpec> inputs = {real({2, 4, 3}), real({5, 3, 2}), absent()};
  const std::vector<Example> refused = {
      {.name = "x of another rank",
       .attrs = Conv1dOptions{},
       .inputs = {real({2, 4}), real({5, 3, 2}), absent()},
       .error = "[conv1d] expected x of rank 3, got f64 [2, 4]"},
      {.name = "input channels",
       .attrs = Conv1dOptions{},
       .inputs = {real({2, 4, 3}), real({5, 2, 3}), absent()},
       .error = "[conv1d] input channels differ: x is f64 [2, 4, 3], weight is f64 [5, 2, 3] (out, in, steps)"},
      {.name = "weight of no steps",
       .attrs = Conv1dOptions{},
       .inputs = {real({2, 4, 3}), real({5, 3, 0}), absent()},
       .error = "[conv1d] steps of the weight out of range: expected 1 to 2147483647, got 0"},
      {.name = "weight too long",
       .attrs = Conv1dOptions{},
       .inputs = {real({2, 4, 3}), real({5, 3, 5}), absent()},
       .error = "[conv1d] the weight is longer than the padded input: expected at most 4 steps, got 5"},
      {.name = "stride 0",
       .attrs = Conv1dOptions{.stride = 0},
       .inputs = inputs,
       .error = "[conv1d] stride out of range: expected 1 to 2147483647, got 0"},
      {.name = "dilation 0",
       .attrs = Conv1dOptions{.dilation = 0},
       .inputs = inputs,
       .error = "[conv1d] dilation out of range: expected 1 to 2147483647, got 0"},
      {.name = "negative padding",
       .attrs = Conv1dOptions{.padding = -1},
       .inputs = inputs,
       .error = "[conv1d] padding out of range: expected 0 to 2147483647, got -1"},
      {.name = "same with a stride",
       .attrs = Conv1dOptions{.stride = 2, .padding = ConvPadding::same()},
       .inputs = inputs,
       .error = "[conv1d] padding by ConvPadding::same(): expected stride 1, got 2"},
      {.name = "bias of another size",
       .attrs = Conv1dOptions{},
       .inputs = {real({2, 4, 3}), real({5, 3, 2}), real({3})},
       .error = "[conv1d] wrong shape of bias: expected [5], got f64 [3]"},
  };
  out.insert(out.end(), refused.begin(), refused.end());
  return out;
}

std::vector<Example> backward_examples() {
  std::vector<Example> out = working_examples();
  for (Example& example : out) {
    const Shape& x = example.inputs[kX].shape;
    const Shape& weight = example.inputs[kWeight].shape;
    example.inputs[kCotangent] = real({x[0], geometry(x, weight, example.attrs.as<Conv1dOptions>()).steps, weight[0]});
  }
  out.push_back({.name = "cotangent of another shape",
                 .attrs = Conv1dOptions{},
                 .inputs = {real({2, 4, 3}), real({5, 3, 2}), real({2, 4, 5})},
                 .error = "[conv1d_backward] wrong shape of the cotangent: expected [2, 3, 5], got f64 [2, 4, 5]"});
  return out;
}

}  // namespace

const OpDef conv1d_op = {
    .name = "conv1d",
    .input_names = {"x", "weight", "bias"},
    .shape =
        [](ShapeArgs& s) {
          const Shape y = check_inputs(s);
          if (s.has(kBias)) {
            rules::require_same_dtype(s, kX, kBias);
            rules::require_shape(s, kBias, {s.shape(kWeight)[0]}, "bias");
          }
          s.output(y, s.dtype(kX));
        },
    .forward =
        [](ForwardArgs& f) {
          kernels::conv1d(f.in(kX), f.in(kWeight), f.has(kBias) ? &f.in(kBias) : nullptr, form_of(f), f.out(0));
        },
    .derivative =
        [](VjpArgs& v) {
          if (v.needs(kX) || v.needs(kWeight)) {
            const Variable in[] = {v.in(kX), v.in(kWeight)};
            const Variable* inputs[] = {&in[0], &in[1], &v.cotangent()};
            Variable gradients[kGradients];
            apply_into(conv1d_backward_op, v.raw_attrs(), inputs, gradients);
            for (int i = 0; i < kGradients; ++i) v.set(i, gradients[i]);
          }
          if (v.needs(kBias)) v.set(kBias, sum(v.cotangent(), {0, 1}));
        },
    .saves = {.inputs = mask_of(kX, kWeight)},
    .optional_inputs = mask_of(kBias),
    .reference = conv1d_reference,
    .examples = examples,
    .onnx =
        [](OnnxArgs& o) {
          const auto& options = o.attrs<Conv1dOptions>();
          const Padding padding = geometry(o.in_shape(kX), o.in_shape(kWeight), options).padding;
          const std::vector<int64_t> swapped = {0, 2, 1};
          OnnxArgs::Names inputs = {o.node("Transpose", {o.in(kX)}, {{"perm", swapped}}), o.in(kWeight)};
          if (o.has(kBias)) inputs.push_back(o.in(kBias));
          const std::string y = o.node("Conv", inputs,
                                       {{"strides", std::vector<int64_t>{options.stride}},
                                        {"dilations", std::vector<int64_t>{options.dilation}},
                                        {"pads", std::vector<int64_t>{padding.before, padding.after}}});
          o.out(0, o.node("Transpose", {y}, {{"perm", swapped}}));
        },
};

const OpDef conv1d_backward_op = {
    .name = "conv1d_backward",
    .input_names = {"x", "weight", "g"},
    .shape =
        [](ShapeArgs& s) {
          rules::require_shape(s, kCotangent, check_inputs(s), "the cotangent");
          for (int i = 0; i < kGradients; ++i) s.output(s.shape(i), s.dtype(kX));
        },
    .forward =
        [](ForwardArgs& f) {
          kernels::conv1d_backward(f.in(kX), f.in(kWeight), f.in(kCotangent), form_of(f), f.out(kX), f.out(kWeight));
        },
    .derivative = vjp_via_reference,
    .saves = {.inputs = mask_of_first(kInputs)},
    .reference = backward_reference,
    .examples = backward_examples,
};

Variable conv1d(const Variable& x, const Variable& weight, const Variable& bias, const Conv1dOptions& options) {
  return apply(conv1d_op, options, {&x, &weight, &bias});
}

}  // namespace gradus
