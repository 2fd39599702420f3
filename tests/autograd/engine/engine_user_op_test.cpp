// SPDX-License-Identifier: MIT
// A user's own op takes the same path as the library's ops: recording, refusals, errors of its vjp.
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/inspect.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>

#include "tests/support/catch.hpp"

using namespace gradus;
using gradus::tests::contains_text;

namespace {

Tensor number(double value) { return scalar(value, {.dtype = DType::f64}); }

void same_shape(ShapeArgs& s) { s.output(s.shape(0), s.dtype(0)); }
void copy_forward(ForwardArgs& f) { f.out(0).copy_(f.in(0)); }

const OpDef rounding_op = {
    .name = "rounding",
    .shape = same_shape,
    .forward = copy_forward,
    .derivative = Derivative::none("it is piecewise constant"),
};

const OpDef wrong_shape_op = {
    .name = "wrong_shape",
    .shape = same_shape,
    .forward = copy_forward,
    .derivative = [](VjpArgs& v) { v.set(0, sum(v.cotangent())); },
};

const OpDef silent_op = {
    .name = "silent",
    .shape = same_shape,
    .forward = copy_forward,
    .derivative = [](VjpArgs&) {},
};

bool fail_now = false;
const OpDef failing_op = {
    .name = "failing",
    .shape = same_shape,
    .forward = copy_forward,
    .derivative =
        [](VjpArgs& v) {
          GRADUS_CHECK(!fail_now, "[failing] as asked");
          v.set(0, v.cotangent());
        },
};

// y_k = (k + 1) x, k = 0 ... 11: more outputs than fit without heap memory.
const OpDef many_op = {
    .name = "many",
    .shape =
        [](ShapeArgs& s) {
          for (int k = 0; k < 12; ++k) s.output(s.shape(0), s.dtype(0));
        },
    .forward =
        [](ForwardArgs& f) {
          for (int k = 0; k < 12; ++k) f.out(k) = f.in(0).clone();
          for (int k = 0; k < 12; ++k) f.out(k).scale_(k + 1);
        },
    .derivative =
        [](VjpArgs& v) {
          Variable total;
          for (int k = 0; k < 12; ++k) {
            if (!v.has_cotangent(k)) continue;
            const Variable part = affine(v.cotangent(k), k + 1, 0.0);
            total = total.defined() ? total + part : part;
          }
          v.set(0, total);
        },
};

// x^2 with its reference: the fused form keeps 2x as an auxiliary output.
extern const OpDef fused_square_op;
const OpDef fused_square_backward_op = {
    .name = "fused_square_backward",
    .shape = same_shape,
    .forward =
        [](ForwardArgs& f) {
          // inputs x, g, slope
          f.out(0).copy_(f.in(1));
          double* out = f.out(0).mutable_data_<double>();
          for (int64_t i = 0; i < f.out(0).numel(); ++i) out[i] *= f.in(2).contiguous().data<double>()[i];
        },
    .derivative = vjp_via_reference,
    .saves = {.inputs = 0b11},
    .auxiliary_inputs = 0b100,
    .reference =
        [](const Attrs& attrs, InputSpan in, Variable* outputs) {
          const Variable cotangents[] = {*in[1], Variable()};
          Variable gradients[1];
          reference_of_backward(fused_square_op, attrs, in.first(1), cotangents, 1, gradients);
          outputs[0] = gradients[0];
        },
};
const OpDef fused_square_op = {
    .name = "fused_square",
    .shape =
        [](ShapeArgs& s) {
          s.output(s.shape(0), s.dtype(0));
          s.output(s.shape(0), s.dtype(0));
        },
    .forward =
        [](ForwardArgs& f) {
          const Tensor x = f.in(0).contiguous();
          double* y = f.out(0).mutable_data_<double>();
          double* slope = f.out(1).mutable_data_<double>();
          for (int64_t i = 0; i < x.numel(); ++i) {
            y[i] = x.data<double>()[i] * x.data<double>()[i];
            slope[i] = 2.0 * x.data<double>()[i];
          }
        },
    .derivative =
        [](VjpArgs& v) {
          const Variable x = v.in(0);
          const Variable slope = v.out(1);
          CHECK(!slope.requires_grad());
          v.set(0, apply(fused_square_backward_op, {}, {&x, &v.cotangent(), &slope}));
        },
    .saves = {.inputs = 0b1, .outputs = 0b10},
    .auxiliary_outputs = 0b10,
    .reference = [](const Attrs&, InputSpan in, Variable* outputs) { outputs[0] = mul(*in[0], *in[0]); },
};

Variable fused_square(const Variable& x) {
  Variable outputs[2];
  const Variable* inputs[] = {&x};
  apply_into(fused_square_op, {}, inputs, outputs);
  return outputs[0];
}

}  // namespace

TEST_CASE("user op: one without a derivative says why when a derivative is asked for, and only then") {
  const Variable x = leaf(number(2));
  const Variable y = apply(rounding_op, {}, {&x});
  CHECK(y.item<double>() == 2.0);
  CHECK_THROWS_WITH(grad({y}, {x}), contains_text("[rounding] is not differentiable: it is piecewise constant"));
  CHECK(grad({y.detach() * x}, {x})[0].item<double>() == 2.0);
}

TEST_CASE("user op: a gradient of the wrong shape is named") {
  const Variable x = leaf(zeros({2, 3}));
  const Variable y = apply(wrong_shape_op, {}, {&x});
  CHECK_THROWS_WITH(grad({sum(y)}, {x}),
                    contains_text("[wrong_shape] vjp gave a gradient of the wrong shape for input 0: "
                                  "expected f32 [2, 3], got f32 []"));
}

TEST_CASE("user op: an input whose gradient is never set counts as unused") {
  const Variable x = leaf(number(2));
  const Variable y = apply(silent_op, {}, {&x});
  CHECK(!grad({y}, {x}, {.allow_unused = true})[0].defined());
}

TEST_CASE("user op: after an exception in a vjp the graph can be differentiated again") {
  const Variable x = leaf(number(2));
  const Variable inner = apply(failing_op, {}, {&x});
  const Variable y = exp(inner) + inner * x + exp(x);
  fail_now = true;
  CHECK_THROWS_WITH(grad({y}, {x}, {.retain_graph = true}), contains_text("[failing] as asked"));
  fail_now = false;
  const double expected = std::exp(2.0) + 2.0 + 2.0 + std::exp(2.0);
  CHECK(grad({y}, {x}, {.retain_graph = true})[0].item<double>() == Approx(expected));
  CHECK(grad({y}, {x})[0].item<double>() == Approx(expected));
}

TEST_CASE("user op: twelve outputs, some of them unused") {
  const Variable x = leaf(number(3));
  Variable outputs[12];
  const Variable* inputs[] = {&x};
  apply_into(many_op, {}, inputs, outputs);
  CHECK(outputs[11].item<double>() == 36.0);
  CHECK(grad({outputs[11] + outputs[2]}, {x})[0].item<double>() == 15.0);
}

TEST_CASE("user op: a fused op runs its kernels at first order and its reference beyond") {
  const Variable x = leaf(number(3));
  const PathCounts before = path_counts();
  const Variable first = grad({fused_square(x) * x}, {x}, {.create_graph = true})[0];
  CHECK(first.item<double>() == Approx(27.0));
  CHECK(path_counts().reference == before.reference);
  CHECK(path_counts().fused == before.fused + 2);
  const Variable second = grad({first}, {x}, {.create_graph = true})[0];
  CHECK(second.item<double>() == Approx(18.0));
  CHECK(path_counts().reference > before.reference);
  const Variable third = grad({second}, {x}, {.create_graph = true})[0];
  CHECK(third.item<double>() == Approx(6.0));
  CHECK(grad({third + x}, {x})[0].item<double>() == Approx(1.0));
}

TEST_CASE("user op: the reference is differentiated inside a walk over the graph it came from") {
  // Every second derivative below starts a walk inside a walk. It must not change the marks of the outer walk.
  const Variable x = leaf(number(0.5));
  const Variable y = x * 2.0;
  const Variable z = fused_square(y) * y + fused_square(x);
  const std::vector<Variable> first = grad({z}, {x, y}, {.create_graph = true});
  CHECK(first[0].item<double>() == Approx(3.0 * 2.0 + 1.0));
  CHECK(first[1].item<double>() == Approx(3.0));
  const std::vector<Variable> second = grad({first[0]}, {x, y}, {.create_graph = true});
  CHECK(second[0].item<double>() == Approx(24.0 + 2.0));
  CHECK(second[1].item<double>() == Approx(12.0));
  CHECK(grad({second[0]}, {x})[0].item<double>() == Approx(48.0));
}

TEST_CASE("run_reference refuses an op without one") {
  const Variable x = leaf(number(2));
  const Variable* inputs[] = {&x};
  Variable outputs[1];
  CHECK_THROWS_WITH(run_reference(silent_op, {}, inputs, outputs), contains_text("[silent] has no reference"));
}

// Mixing would add the cotangents of one pass to those of the other: 17 instead of 11.
TEST_CASE("user op: a pass within a pass over the same graph is refused, not mixed up with it") {
  const Variable x = leaf(number(3.0));
  const Variable b = x * x;
  const Variable h = hook_gradient(x * 5.0, [&](const Variable&) {
    static_cast<void>(grad({b}, {x}, {.retain_graph = true, .allow_unused = true}));
  });
  CHECK_THROWS_WITH(grad({h + b}, {x}),
                    contains_text("[grad] the graph of [mul] is being differentiated by another pass"));
  // The hook may build its own graph, and the outer graph is unchanged.
  const Variable fine = hook_gradient(x * 5.0, [&](const Variable& g) {
    const EnableGrad on;
    const Variable own = leaf(g.value());
    static_cast<void>(grad({own * own}, {own}));
  });
  CHECK(grad({fine + b}, {x})[0].item<double>() == 11.0);
}
