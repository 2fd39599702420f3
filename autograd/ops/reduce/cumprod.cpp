// SPDX-License-Identifier: MIT
// y_i = x_0 * ... * x_i. With the cotangents g, let R_i = g_i + x_{i+1} R_{i+1}, a linear scan from the other end:
//   dx_i = (x_0 * ... * x_{i-1}) R_i
// Exclusive, y_i = x_0 * ... * x_{i-1} and y_0 = 1:  R_i = g_{i+1} + x_{i+1} R_{i+1},  and dx is 0 for the last
// element. Nothing is divided, so zeros are right.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/reduce/reduce_axes.hpp>
#include <gradus/autograd/ops/reduce/scan.hpp>

namespace gradus {
namespace {

using scans::ScanAttrs;
using scans::ScanForm;
using scans::ScanOrder;

// The products of all elements before each one.
Variable products_before(const Variable& x, int64_t axis, ScanOrder order) {
  return apply(cumprod_op, ScanAttrs{axis, {order, true}}, {&x});
}

void cumprod_vjp(VjpArgs& v) {
  const auto& [axis, form] = v.attrs<ScanAttrs>();
  const ScanOrder order = form.order;
  const Variable x = v.in(0);
  if (x.size(axis) == 0) return;
  const LinearScanOptions back{.reverse = order == ScanOrder::forward};
  const Variable next_x = scans::without_first(x, axis, order);
  if (form.exclusive) {
    const Variable rest = linear_scan(next_x, scans::without_first(v.cotangent(), axis, order), axis, back);
    const Variable before = products_before(scans::without_last(x, axis, order), axis, order);
    return v.set(0, scans::zero_after(mul(before, rest), axis, order));
  }
  const Variable rest = linear_scan(scans::zero_after(next_x, axis, order), v.cotangent(), axis, back);
  v.set(0, mul(products_before(x, axis, order), rest));
}

std::vector<Example> cumprod_examples() {
  const ScanForm up{};
  const ScanForm down{.order = ScanOrder::reverse};
  const ScanForm before{.exclusive = true};
  const ScanForm after{.order = ScanOrder::reverse, .exclusive = true};
  const Domain near_one = between(-1.6, 1.6);
  // No zero, one at the start, one at the end, two, three, all.
  const Tensor zeros = Tensor::from({2, -1, 3, 5, 0, 2, 3, 4, 2, 3, 4, 0, 2, 0, 3, 0, 0, 0, 2, 0, 0, 0, 0, 0}, {6, 4},
                                    {.dtype = DType::f64});
  const Tensor whole = Tensor::from({3, -4, 2}, {3}, {.dtype = DType::i64});
  return {
      {.name = "rows", .attrs = ScanAttrs{1, up}, .inputs = {real({3, 17}, positive())}},
      {.name = "first axis", .attrs = ScanAttrs{0, up}, .inputs = {real({4, 5}, near_one)}},
      {.name = "middle, reverse", .attrs = ScanAttrs{1, down}, .inputs = {real({2, 3, 4})}},
      {.name = "exclusive", .attrs = ScanAttrs{-1, before}, .inputs = {real({2, 5}, near_one)}},
      {.name = "exclusive, reverse", .attrs = ScanAttrs{0, after}, .inputs = {real({4, 3}, near_one)}},
      {.name = "wider than a strip, reverse", .attrs = ScanAttrs{0, down}, .inputs = {real({3, 67})}},
      {.name = "one", .attrs = ScanAttrs{0, up}, .inputs = {real({1})}},
      {.name = "empty axis", .attrs = ScanAttrs{0, before}, .inputs = {real({0, 2})}},
      {.name = "no rows", .attrs = ScanAttrs{1, up}, .inputs = {real({0, 2})}},
      {.name = "zeros",
       .attrs = ScanAttrs{1, up},
       .inputs = {fixed(zeros)},
       .expected = {Tensor::from({2, -2, -6, -30, 0, 0, 0, 0, 2, 6, 24, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {6, 4},
                                 {.dtype = DType::f64})}},
      {.name = "zeros, exclusive", .attrs = ScanAttrs{1, before}, .inputs = {fixed(zeros)}},
      {.name = "zeros, reverse", .attrs = ScanAttrs{1, down}, .inputs = {fixed(zeros)}},
      {.name = "zeros, exclusive, reverse", .attrs = ScanAttrs{1, after}, .inputs = {fixed(zeros)}},
      {.name = "scalar",
       .attrs = ScanAttrs{0, up},
       .inputs = {real({})},
       .error = "[cumprod] axis out of range: expected no axis, since the rank is 0, got 0"},
      {.name = "integers",
       .attrs = ScanAttrs{0, up},
       .inputs = {fixed(whole)},
       .expected = {Tensor::from({3, -12, -24}, {3}, {.dtype = DType::i64})}},
      {.name = "integers, exclusive, reverse",
       .attrs = ScanAttrs{0, after},
       .inputs = {fixed(whole)},
       .expected = {Tensor::from({-8, 2, 1}, {3}, {.dtype = DType::i64})}},
  };
}

}  // namespace

const OpDef cumprod_op = {
    .name = "cumprod",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          s.output(s.shape(0), dtype_of_sum(s.dtype(0)));
          normalize_axis(s.attrs<ScanAttrs>().axis, s.shape(0).rank(), "cumprod");
        },
    .forward =
        [](ForwardArgs& f) {
          const auto& [axis, form] = f.attrs<ScanAttrs>();
          kernels::cumprod(f.in(0).to(f.out(0).dtype()), normalize_axis(axis, f.in(0).rank(), "cumprod"), form,
                           f.out(0));
        },
    .derivative = cumprod_vjp,
    .saves = {.inputs = 0b1},
    .reference =
        [](const Attrs& attrs, InputSpan inputs, Variable* outputs) {
          outputs[0] =
              scans::by_steps(*inputs[0], attrs.as<ScanAttrs>(), 1.0,
                              [](const Variable& product, const Variable& part) { return mul(product, part); });
        },
    .examples = cumprod_examples,
};

Variable cumprod(const Variable& x, int64_t axis, ScanOptions options) {
  return apply(cumprod_op, ScanAttrs{axis, scans::form_of(options)}, {&x});
}

}  // namespace gradus
