// SPDX-License-Identifier: MIT
// clamp, leaky_relu, elu: functions with a kink. Each derivative is one op, h(x, g) = g f'(x), with
//   dg = h(x, c),   dx = c g f''(x):   0 for clamp and leaky_relu;   h(x, c g) where x <= 0 and 0 elsewhere for elu,
// where c and g are set to 0 each by itself (where), because the derivative of their product would multiply by them.
#include <cmath>

#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/broadcast.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/elementwise/unary_op.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>

namespace gradus {
namespace {

using kernels::ActivationFn;

void check_bounds(const ShapeArgs& s) {
  const auto& bounds = s.attrs<ClampOptions>();
  GRADUS_CHECK(bounds.min <= bounds.max, "[", s.op_name(), "] expected min <= max, got ", bounds.min, " and ",
               bounds.max);
}

constexpr ClampOptions kBounds{.min = -1.0, .max = 0.5};
constexpr LeakyReluOptions kSlope{.negative_slope = 0.1};
constexpr EluOptions kAlpha{.alpha = 0.7};

Domain off(std::vector<double> kinks) { return {.keep_away = std::move(kinks)}; }

std::vector<Example> clamp_examples() {
  std::vector<Example> out = op_examples::unary(off({-1.0, 0.5}), kBounds);
  out.push_back({.name = "from below", .attrs = ClampOptions{.min = 0.25}, .inputs = {real({9}, off({0.25}))}});
  out.push_back({.name = "from above", .attrs = ClampOptions{.max = 0.25}, .inputs = {real({9}, off({0.25}))}});
  out.push_back({.name = "no bound", .attrs = ClampOptions{}, .inputs = {real({3})}});
  out.push_back(op_examples::known("known", {-3, -1, 0, 0.5, 7}, {-1, -1, 0, 0.5, 0.5}, kBounds));
  out.back().no_differences = "is on a bound";
  out.push_back({.name = "bounds crossed",
                 .attrs = ClampOptions{.min = 2.0, .max = 1.0},
                 .inputs = {real({3})},
                 .error = "[clamp] expected min <= max, got 2 and 1"});
  return out;
}

std::vector<Example> clamp_backward_examples() {
  std::vector<Example> out = op_examples::pair(off({-1.0, 0.5}), kBounds);
  out.push_back({.name = "bounds crossed",
                 .attrs = ClampOptions{.min = 2.0, .max = 1.0},
                 .inputs = {real({3}), real({3})},
                 .error = "[clamp_backward] expected min <= max, got 2 and 1"});
  return out;
}

std::vector<Example> leaky_relu_examples() {
  std::vector<Example> out = op_examples::unary(off({0.0}), kSlope);
  out.push_back(op_examples::known("known", {-3, 0, 2}, {-0.75, 0, 2}, LeakyReluOptions{.negative_slope = 0.25}));
  out.back().no_differences = "is on the kink";
  return out;
}

// e^log(2) - 1 = 1
std::vector<Example> elu_examples() {
  std::vector<Example> out = op_examples::unary(off({0.0}), kAlpha);
  out.push_back(op_examples::known("known", {-0.6931471805599453, 0, 2}, {-0.5, 0, 2}, EluOptions{}));
  out.back().no_differences = "is on the kink";
  return out;
}

void leaky_relu_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const double slope = attrs.as<LeakyReluOptions>().negative_slope;
  outputs[0] = where(greater(*in[0], 0.0), *in[0], slope * *in[0]);
}

void elu_reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  outputs[0] = where(greater(*in[0], 0.0), *in[0], attrs.as<EluOptions>().alpha * expm1(*in[0]));
}

}  // namespace

const OpDef clamp_op = {
    .name = "clamp",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          check_bounds(s);
          rules::unary(s);
        },
    .forward =
        [](ForwardArgs& f) {
          const auto& bounds = f.attrs<ClampOptions>();
          kernels::activation(ActivationFn::clamp, bounds.min, bounds.max, f.in(0), f.out(0));
        },
    .derivative = [](VjpArgs& v) { v.set(0, clamp_backward(v.in(0), v.cotangent(), v.attrs<ClampOptions>())); },
    .saves = {.inputs = 0b1},
    .examples = clamp_examples,
    .onnx =
        [](OnnxArgs& o) {
          const auto& a = o.attrs<ClampOptions>();
          o.out(0, o.node("Clip", {o.in(0), o.number(a.min), o.number(a.max)}));
        },
};

const OpDef clamp_backward_op = {
    .name = "clamp_backward",
    .input_names = {"x", "g"},
    .shape =
        [](ShapeArgs& s) {
          check_bounds(s);
          rules::binary(s);
        },
    .forward =
        [](ForwardArgs& f) {
          const auto& bounds = f.attrs<ClampOptions>();
          kernels::activation_backward(ActivationFn::clamp, bounds.min, bounds.max, f.in(0), f.in(1), f.out(0));
        },
    .derivative =
        [](VjpArgs& v) {
          if (v.needs(0)) v.set(0, detail::zeros_from(v.cotangent()));
          if (v.needs(1)) v.set(1, clamp_backward(v.in(0), v.cotangent(), v.attrs<ClampOptions>()));
        },
    .saves = {.inputs = 0b1},
    .examples = clamp_backward_examples,
};

const OpDef leaky_relu_op = {
    .name = "leaky_relu",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward =
        [](ForwardArgs& f) {
          const double slope = f.attrs<LeakyReluOptions>().negative_slope;
          kernels::activation(ActivationFn::leaky_relu, slope, 0.0, f.in(0), f.out(0));
        },
    .derivative =
        [](VjpArgs& v) { v.set(0, leaky_relu_backward(v.in(0), v.cotangent(), v.attrs<LeakyReluOptions>())); },
    .saves = {.inputs = 0b1},
    .reference = leaky_relu_reference,
    .examples = leaky_relu_examples,
    .onnx =
        [](OnnxArgs& o) {
          o.become("LeakyRelu", {{"alpha", o.attrs<LeakyReluOptions>().negative_slope}});
        },
};

const OpDef leaky_relu_backward_op = {
    .name = "leaky_relu_backward",
    .input_names = {"x", "g"},
    .shape = rules::binary,
    .forward =
        [](ForwardArgs& f) {
          const double slope = f.attrs<LeakyReluOptions>().negative_slope;
          kernels::activation_backward(ActivationFn::leaky_relu, slope, 0.0, f.in(0), f.in(1), f.out(0));
        },
    .derivative =
        [](VjpArgs& v) {
          if (v.needs(0)) v.set(0, detail::zeros_from(v.cotangent()));
          if (v.needs(1)) v.set(1, leaky_relu_backward(v.in(0), v.cotangent(), v.attrs<LeakyReluOptions>()));
        },
    .saves = {.inputs = 0b1},
    .reference = detail::reference_of_unary_backward<leaky_relu_op>,
    .examples = [] { return op_examples::pair(off({0.0}), kSlope); },
};

const OpDef elu_op = {
    .name = "elu",
    .input_names = {"x"},
    .shape = rules::unary,
    .forward =
        [](ForwardArgs& f) {
          kernels::activation(ActivationFn::elu, f.attrs<EluOptions>().alpha, 0.0, f.in(0), f.out(0));
        },
    .derivative = [](VjpArgs& v) { v.set(0, elu_backward(v.in(0), v.cotangent(), v.attrs<EluOptions>())); },
    .saves = {.inputs = 0b1},
    .reference = elu_reference,
    .examples = elu_examples,
    .onnx =
        [](OnnxArgs& o) {
          o.become("Elu", {{"alpha", o.attrs<EluOptions>().alpha}});
        },
};

const OpDef elu_backward_op = {
    .name = "elu_backward",
    .input_names = {"x", "g"},
    .shape = rules::binary,
    .forward =
        [](ForwardArgs& f) {
          kernels::activation_backward(ActivationFn::elu, f.attrs<EluOptions>().alpha, 0.0, f.in(0), f.in(1), f.out(0));
        },
    .derivative =
        [](VjpArgs& v) {
          const auto& options = v.attrs<EluOptions>();
          const Variable x = v.in(0);
          if (v.needs(0)) {
            const Variable straight = greater(x, 0.0);
            const Variable c = masked_fill(v.cotangent(), straight, 0.0);
            const Variable g = masked_fill(v.in(1), straight, 0.0);
            v.set(0, elu_backward(x, c * g, options));
          }
          if (v.needs(1)) v.set(1, elu_backward(x, v.cotangent(), options));
        },
    .saves = {.inputs = 0b11},
    .reference = detail::reference_of_unary_backward<elu_op>,
    .examples = [] { return op_examples::pair(off({0.0}), kAlpha); },
};

Variable clamp(const Variable& x, const ClampOptions& options) {
  if (!x.defined() || x.dtype() != DType::i64) return apply(clamp_op, options, {&x});
  const detail::CalledAs called("clamp");
  GRADUS_CHECK(options.min <= options.max, "[clamp] expected min <= max, got ", options.min, " and ", options.max);
  const Variable raised = options.min == -HUGE_VAL ? x : maximum(x, options.min);
  return options.max == HUGE_VAL ? raised : minimum(raised, options.max);
}
Variable clamp_backward(const Variable& x, const Variable& g, const ClampOptions& options) {
  return apply(clamp_backward_op, options, {&x, &g});
}
Variable leaky_relu(const Variable& x, const LeakyReluOptions& options) { return apply(leaky_relu_op, options, {&x}); }
Variable leaky_relu_backward(const Variable& x, const Variable& g, const LeakyReluOptions& options) {
  return apply(leaky_relu_backward_op, options, {&x, &g});
}
Variable elu(const Variable& x, const EluOptions& options) { return apply(elu_op, options, {&x}); }
Variable elu_backward(const Variable& x, const Variable& g, const EluOptions& options) {
  return apply(elu_backward_op, options, {&x, &g});
}

}  // namespace gradus
