// SPDX-License-Identifier: MIT
// A leaky memory over a sequence: y_t = a y_{t-1} + x_t, y_{-1} = 0; x, y [B, T, D], a [D]. With g the cotangent of y:
//   dx_t = g_t + a dx_{t+1}        the same recurrence, from the end to the beginning
//   da   = sum over b, t of dx_t y_{t-1}
#include <gradus/examples/new_layer/new_layer.hpp>

#include <ostream>

#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/tensor/random/random.hpp>

namespace gradus::examples {
namespace {

constexpr int64_t kTime = 1;

void memory_shape(ShapeArgs& s) {
  GRADUS_CHECK(s.shape(0).rank() == 3 && s.shape(1) == Shape({s.shape(0)[2]}) && s.dtype(0) == s.dtype(1), "[",
               s.op_name(), "] expected x [B, T, D] and a [D] of one dtype, got ", s.describe(0), " and ",
               s.describe(1));
  s.output(s.shape(0), s.dtype(0));
}

template <class T>
void run(const Tensor& x, const Tensor& a, Tensor& y) {
  const int64_t batch = x.size(0), steps = x.size(1), width = x.size(2);
  const T* in = x.data<T>();
  const T* decay = a.data<T>();
  T* out = y.mutable_data_<T>();
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t t = 0; t < steps; ++t) {
      for (int64_t d = 0; d < width; ++d) {
        const int64_t at = (b * steps + t) * width + d;
        out[at] = in[at] + (t > 0 ? decay[d] * out[at - width] : T(0));
      }
    }
  }
}

void memory_forward(ForwardArgs& f) {
  const Tensor x = f.in(0).contiguous(), a = f.in(1).contiguous();
  dispatch_float(x.dtype(), [&]<class T>() { run<T>(x, a, f.out(0)); });
}

// y_{t-1} for every t: zeros in front, and the last step removed.
Variable one_step_late(const Variable& y) {
  const Tensor zero = zeros({y.size(0), 1, y.size(2)}, {.dtype = y.dtype()});
  return concat({zero, narrow(y, kTime, 0, y.size(kTime) - 1)}, kTime);
}

Variable backwards(const OpDef& op, const Variable& g, const Variable& a) {
  const Variable turned = flip(g, {static_cast<int>(kTime)});
  return flip(apply(op, {}, {&turned, &a}), {static_cast<int>(kTime)});
}

// The second attempt, which follows the formula above.
const OpDef memory_op = {
    .name = "leaky_memory",
    .input_names = {"x", "a"},
    .shape = memory_shape,
    .forward = memory_forward,
    .derivative =
        [](VjpArgs& v) {
          const Variable dx = backwards(memory_op, v.cotangent(), v.in(1));
          v.set(0, dx);
          if (v.needs(1)) v.set(1, sum(dx * one_step_late(v.out(0)), {0, 1}));
        },
    .saves = {.inputs = 0b10, .outputs = 0b1},
};

// The first attempt, with an error: it passes the gradient of each step to the step after it.
const OpDef first_attempt_op = {
    .name = "leaky_memory",
    .input_names = {"x", "a"},
    .shape = memory_shape,
    .forward = memory_forward,
    .derivative =
        [](VjpArgs& v) {
          const Variable dx = backwards(memory_op, v.cotangent(), v.in(1));
          v.set(0, one_step_late(dx));
          if (v.needs(1)) v.set(1, sum(dx * one_step_late(v.out(0)), {0, 1}));
        },
    .saves = {.inputs = 0b10, .outputs = 0b1},
};

GradcheckReport check(const OpDef& op) {
  Generator generator(1);
  const auto draw = [&](const Shape& shape) {
    return uniform(shape, generator, {.low = -0.9, .high = 0.9, .dtype = DType::f64});
  };
  return gradcheck(
      [&](const std::vector<Variable>& in) {
        const Variable x = tanh(in[0]);
        return apply(op, {}, {&x, &in[1]});
      },
      {{.name = "x", .value = draw({2, 5, 3}), .axes = {{"batch item"}, {"time step"}, {"unit"}}},
       {.name = "decay", .value = draw({3}), .axes = {{"unit"}}}},
      {.order = 2, .name = "leaky memory"});
}

}  // namespace

bool new_layer(std::ostream& out, bool color) {
  out << "The first attempt:\n\n";
  const GradcheckReport wrong = check(first_attempt_op);
  out << wrong.text(color) << "\nThe derivative of x comes one step late: dx is to be returned as it is. Mended:\n\n";
  const GradcheckReport right = check(memory_op);
  out << right.text(color);
  return !wrong.ok && right.ok;
}

}  // namespace gradus::examples
