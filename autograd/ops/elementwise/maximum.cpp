// SPDX-License-Identifier: MIT
// y = max(a, b) and y = min(a, b): the gradient goes to the chosen operand, or half to each where they are equal.
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/broadcast.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/elementwise/forward.hpp>
#include <gradus/autograd/ops/elementwise/unary_op.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>

namespace gradus {
namespace {

using detail::forward;
using kernels::BinaryFn;
using Compare = Variable (*)(const Variable&, const Variable&);

/// kLoses(x, y): y is chosen over x.
template <Compare kLoses>
void vjp(VjpArgs& v) {
  const Variable a = v.in(0);
  const Variable b = v.in(1);
  const Variable zero = detail::number_like(a, 0.0);
  const Variable shared = where(equal(a, b), 0.5 * v.cotangent(), v.cotangent());
  if (v.needs(0)) v.set(0, where(kLoses(a, b), zero, shared));
  if (v.needs(1)) v.set(1, where(kLoses(b, a), zero, shared));
}

// Numbers that are not close to those of the other input.
std::vector<Example> distant_examples(bool larger) {
  std::vector<Example> out = op_examples::pair(spaced(0.6), {}, spaced(0.6, 0.5));
  const TensorOptions f64{.dtype = DType::f64};
  const Tensor a = Tensor::from({1, 2, 3}, {3}, f64);
  const Tensor b = Tensor::from({2, 2, -1}, {3}, f64);
  out.push_back({.name = "ties",
                 .inputs = {fixed(a), fixed(b)},
                 .expected = {larger ? Tensor::from({2, 2, 3}, {3}, f64) : Tensor::from({1, 2, -1}, {3}, f64)},
                 .no_differences = "has a tie"});
  const TensorOptions whole{.dtype = DType::i64};
  out.push_back({.name = "integers",
                 .inputs = {fixed(a.to(DType::i64)), fixed(b.to(DType::i64))},
                 .expected = {larger ? Tensor::from({2, 2, 3}, {3}, whole) : Tensor::from({1, 2, -1}, {3}, whole)}});
  return out;
}

}  // namespace

const OpDef maximum_op = {
    .name = "maximum",
    .input_names = {"a", "b"},
    .shape = rules::binary_numbers,
    .forward = forward<BinaryFn::maximum>,
    .derivative = vjp<less>,
    .saves = {.inputs = 0b11},
    .examples = [] { return distant_examples(true); },
    .onnx = [](OnnxArgs& o) { o.become("Max"); },
};

const OpDef minimum_op = {
    .name = "minimum",
    .input_names = {"a", "b"},
    .shape = rules::binary_numbers,
    .forward = forward<BinaryFn::minimum>,
    .derivative = vjp<greater>,
    .saves = {.inputs = 0b11},
    .examples = [] { return distant_examples(false); },
    .onnx = [](OnnxArgs& o) { o.become("Min"); },
};

Variable maximum(const Variable& a, const Variable& b) {
  const detail::CalledAs called("maximum");
  return detail::broadcast_binary(maximum_op, {}, a, b);
}
Variable minimum(const Variable& a, const Variable& b) {
  const detail::CalledAs called("minimum");
  return detail::broadcast_binary(minimum_op, {}, a, b);
}
Variable maximum(const Variable& a, double b) {
  const detail::CalledAs called("maximum");
  return maximum(a, detail::number_like(a, b, "maximum"));
}
Variable minimum(const Variable& a, double b) {
  const detail::CalledAs called("minimum");
  return minimum(a, detail::number_like(a, b, "minimum"));
}

}  // namespace gradus
