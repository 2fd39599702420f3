// SPDX-License-Identifier: MIT
// c = a b over equal leading axes;  da = g b^T,  db = a^T g. Transposes are views: the kernel reads them without a
// copy.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/gemm/tensor_matmul.hpp>

namespace gradus {
namespace {

void matmul_shape(ShapeArgs& s) {
  rules::require_floating(s, 0, "input");
  rules::require_same_dtype(s, 0, 1);
  const Shape& a = s.shape(0);
  const Shape& b = s.shape(1);
  GRADUS_CHECK(a.rank() >= 2 && b.rank() == a.rank(), "[matmul] expected two matrices, or equal batches of them: a is ",
               s.describe(0), ", b is ", s.describe(1));
  const int row = a.rank() - 2;
  GRADUS_CHECK(a[row + 1] == b[row], "[matmul] inner sizes differ: a is ", s.describe(0), ", b is ", s.describe(1));
  bool same_batch = true;
  for (int axis = 0; axis < row; ++axis) same_batch = same_batch && a[axis] == b[axis];
  GRADUS_CHECK(same_batch, "[matmul] batches differ: a is ", s.describe(0), ", b is ", s.describe(1));
  s.output(a.with(row + 1, b[row + 1]), s.dtype(0));
}

Shape batch_of(const Shape& shape) { return shape.without(shape.rank() - 1).without(shape.rank() - 2); }

Variable with_batch(const Variable& x, const Shape& batch) {
  Shape shape = batch.inserted(batch.rank(), x.size(-2));
  return expand(x, shape.inserted(shape.rank(), x.size(-1)));
}

std::vector<Example> matmul_examples() {
  return {
      {.name = "matrices", .inputs = {real({3, 4}), real({4, 5})}},
      {.name = "one past a vector", .inputs = {real({1, 17}), real({17, 9})}},
      {.name = "batches", .inputs = {real({2, 3, 4}), real({2, 4, 2})}},
      {.name = "two batch axes", .inputs = {real({2, 2, 1, 3}), real({2, 2, 3, 2})}},
      {.name = "no inner size", .inputs = {real({2, 0}), real({0, 3})}},
      {.name = "no rows", .inputs = {real({0, 3}), real({3, 2})}},
      {.name = "inner sizes",
       .inputs = {real({3, 4}), real({5, 6})},
       .error = "[matmul] inner sizes differ: a is f64 [3, 4], b is f64 [5, 6]"},
      {.name = "batches differ",
       .inputs = {real({2, 3, 4}), real({3, 4, 2})},
       .error = "[matmul] batches differ: a is f64 [2, 3, 4], b is f64 [3, 4, 2]"},
      {.name = "dtypes differ",
       .inputs = {typed({3, 4}, DType::f32), typed({4, 2}, DType::f64)},
       .error = "[matmul] dtypes differ: f32 [3, 4] and f64 [4, 2]"},
  };
}

void linear_shape(ShapeArgs& s) {
  rules::require_floating(s, 0, "input");
  rules::require_same_dtype(s, 0, 1);
  rules::require_rank(s, 0, 2, "x");
  rules::require_rank(s, 1, 2, "weight");
  GRADUS_CHECK(s.shape(0)[1] == s.shape(1)[1], "[linear] inner sizes differ: x is ", s.describe(0), ", weight is ",
               s.describe(1), " (out, in)");
  if (s.has(2)) {
    rules::require_same_dtype(s, 0, 2);
    rules::require_shape(s, 2, {s.shape(1)[0]}, "bias");
  }
  s.output({s.shape(0)[0], s.shape(1)[0]}, s.dtype(0));
}

}  // namespace

const OpDef matmul_op = {
    .name = "matmul",
    .input_names = {"a", "b"},
    .shape = matmul_shape,
    .forward = [](ForwardArgs& f) { kernels::matmul(f.in(0), f.in(1), f.out(0)); },
    .derivative =
        [](VjpArgs& v) {
          if (v.needs(0)) v.set(0, matmul(v.cotangent(), transpose(v.in(1), -2, -1)));
          if (v.needs(1)) v.set(1, matmul(transpose(v.in(0), -2, -1), v.cotangent()));
        },
    .saves = {.inputs = 0b11},
    .examples = matmul_examples,
    .onnx = [](OnnxArgs& o) { o.become("MatMul"); },
};

// y = x w^T + b;  dx = g w,  dw = g^T x,  db = sum of g over the rows
const OpDef linear_op = {
    .name = "linear",
    .input_names = {"x", "weight", "bias"},
    .shape = linear_shape,
    .forward = [](ForwardArgs& f) { kernels::linear(f.in(0), f.in(1), f.has(2) ? &f.in(2) : nullptr, f.out(0)); },
    .derivative =
        [](VjpArgs& v) {
          if (v.needs(0)) v.set(0, matmul(v.cotangent(), v.in(1)));
          if (v.needs(1)) v.set(1, matmul(transpose(v.cotangent(), 0, 1), v.in(0)));
          if (v.needs(2)) v.set(2, sum(v.cotangent(), {0}));
        },
    .saves = {.inputs = 0b11},
    .optional_inputs = 0b100,
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "bias", .inputs = {real({5, 3}), real({4, 3}), real({4})}},
              {.name = "no bias", .inputs = {real({2, 17}), real({9, 17}), absent()}},
              {.name = "one of all", .inputs = {real({1, 1}), real({1, 1}), real({1})}},
              {.name = "no rows", .inputs = {real({0, 3}), real({2, 3}), real({2})}},
              {.name = "inner sizes",
               .inputs = {real({5, 3}), real({4, 2}), absent()},
               .error = "[linear] inner sizes differ: x is f64 [5, 3], weight is f64 [4, 2]"},
              {.name = "bias of another size",
               .inputs = {real({5, 3}), real({4, 3}), real({3})},
               .error = "[linear] wrong shape of bias: expected [4], got f64 [3]"},
          };
        },
    .onnx =
        [](OnnxArgs& o) {
          OnnxArgs::Names inputs = {o.in(0), o.in(1)};
          if (o.has(2)) inputs.push_back(o.in(2));
          o.out(0, o.node("Gemm", inputs, {{"transB", 1}}));
        },
};

Variable matmul(const Variable& a, const Variable& b) {
  const detail::CalledAs called("matmul");
  GRADUS_CHECK(a.rank() >= 1 && b.rank() >= 1, "[matmul] expected vectors, matrices or batches, got ", describe(a),
               " and ", describe(b));
  // Checked here too, so that the message shows the operands as they were given.
  GRADUS_CHECK(a.size(-1) == b.size(b.rank() == 1 ? 0 : -2), "[matmul] inner sizes differ: a is ", describe(a),
               ", b is ", describe(b));
  if (a.rank() == 1) return squeeze(matmul(unsqueeze(a, 0), b), b.rank() == 1 ? 0 : -2);
  if (b.rank() == 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
  if (a.rank() == b.rank() && batch_of(a.shape()) == batch_of(b.shape())) return apply(matmul_op, {}, {&a, &b});
  if (b.rank() == 2) {
    // One product of all rows. A batch of products would have to sum its gradients for b.
    const Variable rows = reshape(a, {a.shape().without(a.rank() - 1).numel(), a.size(-1)});
    const Variable flat = apply(matmul_op, {}, {&rows, &b});
    return reshape(flat, a.shape().with(a.rank() - 1, b.size(-1)));
  }
  const Shape batch = broadcast_shapes(batch_of(a.shape()), batch_of(b.shape()), "matmul");
  const Variable left = with_batch(a, batch);
  const Variable right = with_batch(b, batch);
  return apply(matmul_op, {}, {&left, &right});
}

Variable outer(const Variable& a, const Variable& b) {
  const detail::CalledAs called("outer");
  GRADUS_CHECK(a.rank() == 1 && b.rank() == 1, "[outer] expected two vectors, got ", describe(a), " and ", describe(b));
  return mul(unsqueeze(a, 1), b);
}

Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  const detail::CalledAs called("linear");
  if (x.rank() == 2) return apply(linear_op, {}, {&x, &weight, &bias});
  GRADUS_CHECK(x.rank() >= 1, "[linear] expected x [.., in], got ", describe(x));
  const Variable rows = reshape(x, {x.shape().without(x.rank() - 1).numel(), x.size(-1)});
  const Variable flat = apply(linear_op, {}, {&rows, &weight, &bias});
  return reshape(flat, x.shape().with(x.rank() - 1, flat.size(-1)));
}

}  // namespace gradus
