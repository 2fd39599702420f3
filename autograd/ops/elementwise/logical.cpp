// SPDX-License-Identifier: MIT
// logical and, or and exclusive or of bools; not x is x xor true.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/broadcast.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/tensor/detail/called_as.hpp>
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>

namespace gradus {
namespace {

using kernels::LogicalFn;

struct LogicalAttrs {
  LogicalFn fn;
};

Variable logical(LogicalFn fn, const Variable& a, const Variable& b) {
  return detail::broadcast_binary(logical_op, LogicalAttrs{fn}, a, b);
}

Tensor bools(std::initializer_list<double> values) {
  return Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = DType::boolean});
}

Example truth_table(const char* name, LogicalFn fn, std::initializer_list<double> expected) {
  return {.name = name,
          .attrs = LogicalAttrs{fn},
          .inputs = {fixed(bools({0, 0, 1, 1})), fixed(bools({0, 1, 0, 1}))},
          .expected = {bools(expected)}};
}

std::vector<Example> logical_examples() {
  const LogicalAttrs attrs{LogicalFn::conjunction};
  return {
      truth_table("and", LogicalFn::conjunction, {0, 0, 0, 1}),
      truth_table("or", LogicalFn::disjunction, {0, 1, 1, 1}),
      truth_table("exclusive or", LogicalFn::exclusive, {0, 1, 1, 0}),
      {.name = "matrix", .attrs = attrs, .inputs = {booleans({3, 17}), booleans({3, 17})}},
      {.name = "scalar", .attrs = attrs, .inputs = {booleans({}), booleans({})}},
      {.name = "empty", .attrs = attrs, .inputs = {booleans({0}), booleans({0})}},
      {.name = "numbers",
       .attrs = attrs,
       .inputs = {real({2}), real({2})},
       .error = "[logical] expected operands of dtype bool, got f64 [2]"},
      {.name = "shapes differ",
       .attrs = attrs,
       .inputs = {booleans({2}), booleans({3})},
       .error = "[logical] operands differ: a is bool [2], b is bool [3]"},
  };
}

}  // namespace

const OpDef logical_op = {
    .name = "logical",
    .input_names = {"a", "b"},
    .shape =
        [](ShapeArgs& s) {
          rules::require_dtype(s, 0, DType::boolean, "operands");
          rules::require_equal(s, 0, 1);
          s.output(s.shape(0), DType::boolean);
        },
    .forward = [](ForwardArgs& f) { kernels::logical(f.attrs<LogicalAttrs>().fn, f.in(0), f.in(1), f.out(0)); },
    .derivative = Derivative::discrete_output(),
    .examples = logical_examples,
    .onnx =
        [](OnnxArgs& o) {
          const LogicalFn fn = o.attrs<LogicalAttrs>().fn;
          o.become(fn == LogicalFn::conjunction ? "And" : fn == LogicalFn::disjunction ? "Or" : "Xor");
        },
};

Variable logical_and(const Variable& a, const Variable& b) {
  const detail::CalledAs called("logical_and");
  return logical(LogicalFn::conjunction, a, b);
}
Variable logical_or(const Variable& a, const Variable& b) {
  const detail::CalledAs called("logical_or");
  return logical(LogicalFn::disjunction, a, b);
}
Variable logical_xor(const Variable& a, const Variable& b) {
  const detail::CalledAs called("logical_xor");
  return logical(LogicalFn::exclusive, a, b);
}
Variable logical_not(const Variable& x) {
  const detail::CalledAs called("logical_not");
  return logical(LogicalFn::exclusive, x, full({}, 1.0, {.dtype = DType::boolean}));
}

}  // namespace gradus
