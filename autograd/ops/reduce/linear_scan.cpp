// SPDX-License-Identifier: MIT
// s_t = a_t s_{t-1} + b_t, and s_0 = b_0. With the cotangents g, let G_t = g_t + a_{t+1} G_{t+1}, a linear scan from
// the other end: db_t = G_t,  da_t = G_t s_{t-1},  da_0 = 0.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/broadcast.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/reduce/scan.hpp>
#include <gradus/autograd/ops/rules.hpp>

namespace gradus {
namespace {

using scans::ScanOrder;

enum Input : int { kA, kB };

struct LinearScanAttrs {
  int64_t axis;
  ScanOrder order;
};

void reference(const Attrs& attrs, InputSpan in, Variable* outputs) {
  const auto& [axis, order] = attrs.as<LinearScanAttrs>();
  outputs[0] = *in[kB];
  if (in[kB]->size(axis) == 0) return;
  const std::vector<Variable> a = scans::slices(*in[kA], axis, order);
  std::vector<Variable> s = scans::slices(*in[kB], axis, order);
  for (size_t t = 1; t < s.size(); ++t) s[t] = add(mul(a[t], s[t - 1]), s[t]);
  outputs[0] = scans::joined(s, axis, order);
}

void scan_vjp(VjpArgs& v) {
  const auto& [axis, order] = v.attrs<LinearScanAttrs>();
  const Variable& g = v.cotangent();
  if (g.size(axis) == 0) return;
  const Variable a = v.in(kA);
  const Variable next_a = scans::zero_after(scans::without_first(a, axis, order), axis, order);
  const Variable sums = apply(linear_scan_op, LinearScanAttrs{axis, scans::opposite(order)}, {&next_a, &g});
  if (v.needs(kB)) v.set(kB, sums);
  if (!v.needs(kA)) return;
  // Computed again without the last element: otherwise the second derivative would multiply that element by a zero.
  const Variable first_a = scans::without_last(a, axis, order);
  const Variable first_b = scans::without_last(v.in(kB), axis, order);
  const Variable s = apply(linear_scan_op, v.raw_attrs(), {&first_a, &first_b});
  v.set(kA, scans::zero_before(mul(scans::without_first(sums, axis, order), s), axis, order));
}

std::vector<Example> scan_examples() {
  const auto up = ScanOrder::forward;
  const auto down = ScanOrder::reverse;
  const auto two = [](const Shape& shape) {
    return std::vector<InputSpec>{real(shape, between(-1.2, 1.2)), real(shape)};
  };
  const Tensor a = Tensor::from({7, 2, -1, 0, 3}, {5}, {.dtype = DType::f64});
  const Tensor b = Tensor::from({1, 3, 2, -4, 5}, {5}, {.dtype = DType::f64});
  return {
      {.name = "first axis", .attrs = LinearScanAttrs{0, up}, .inputs = two({4, 5})},
      {.name = "last axis, one past a vector", .attrs = LinearScanAttrs{-1, up}, .inputs = two({3, 17})},
      {.name = "middle, reverse", .attrs = LinearScanAttrs{1, down}, .inputs = two({2, 3, 4})},
      {.name = "wider than a strip, reverse", .attrs = LinearScanAttrs{0, down}, .inputs = two({3, 67})},
      {.name = "one", .attrs = LinearScanAttrs{0, up}, .inputs = two({1})},
      {.name = "empty axis", .attrs = LinearScanAttrs{0, up}, .inputs = two({0, 2})},
      {.name = "no rows", .attrs = LinearScanAttrs{1, down}, .inputs = two({0, 2})},
      {.name = "known",
       .attrs = LinearScanAttrs{0, up},
       .inputs = {fixed(a), fixed(b)},
       .expected = {Tensor::from({1, 5, -3, -4, -7}, {5}, {.dtype = DType::f64})}},
      {.name = "known, reverse",
       .attrs = LinearScanAttrs{0, down},
       .inputs = {fixed(a), fixed(b)},
       .expected = {Tensor::from({106, 15, 6, -4, 5}, {5}, {.dtype = DType::f64})}},
      {.name = "scalars",
       .attrs = LinearScanAttrs{0, up},
       .inputs = {real({}), real({})},
       .error = "[linear_scan] axis out of range: expected no axis, since the rank is 0, got 0"},
      {.name = "shapes differ",
       .attrs = LinearScanAttrs{0, up},
       .inputs = {real({2, 3}), real({3, 2})},
       .error = "[linear_scan] operands differ: a is f64 [2, 3], b is f64 [3, 2]"},
  };
}

}  // namespace

const OpDef linear_scan_op = {
    .name = "linear_scan",
    .input_names = {"a", "b"},
    .shape =
        [](ShapeArgs& s) {
          rules::binary(s);
          normalize_axis(s.attrs<LinearScanAttrs>().axis, s.shape(kA).rank(), "linear_scan");
        },
    .forward =
        [](ForwardArgs& f) {
          const auto& [axis, order] = f.attrs<LinearScanAttrs>();
          kernels::linear_scan(f.in(kA), f.in(kB), normalize_axis(axis, f.in(kA).rank(), "linear_scan"), order,
                               f.out(0));
        },
    .derivative = scan_vjp,
    .saves = {.inputs = 0b11},
    .reference = reference,
    .examples = scan_examples,
};

Variable linear_scan(const Variable& a, const Variable& b, int64_t axis, LinearScanOptions options) {
  return detail::broadcast_binary(linear_scan_op, LinearScanAttrs{axis, scans::order_of(options.reverse)}, a, b);
}

}  // namespace gradus
