// SPDX-License-Identifier: MIT
// Comparisons (bool, no derivative) and the choice between two tensors by a bool one.
#include <cmath>
#include <limits>

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

using kernels::CompareFn;

struct CompareAttrs {
  CompareFn fn;
};

const char* name_of(CompareFn fn) {
  constexpr const char* kNames[] = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"};
  return kNames[static_cast<int>(fn)];
}

Variable compare(CompareFn fn, const Variable& a, const Variable& b) {
  const detail::CalledAs called(name_of(fn));
  return detail::broadcast_binary(compare_op, CompareAttrs{fn}, a, b);
}

/// The same comparison, but with a number that the tensor's dtype can hold. A comparison with NaN is false, except
/// `ne`.
template <class T>
struct NumberTest {
  CompareFn fn;
  T number;
};

// For integers, "less than 2.5" becomes "less than 3", and "at most 2.5" becomes "at most 2".
NumberTest<int64_t> test_of_integers(CompareFn fn, double b) {
  constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
  constexpr NumberTest<int64_t> kNever{CompareFn::lt, kLeast};
  constexpr NumberTest<int64_t> kAlways{CompareFn::ge, kLeast};
  const bool is_equality = fn == CompareFn::eq || fn == CompareFn::ne;
  if (std::isnan(b) || (is_equality && b != std::trunc(b))) return fn == CompareFn::ne ? kAlways : kNever;
  if (b >= 0x1p63 || b < -0x1p63) {
    const bool below = fn == CompareFn::lt || fn == CompareFn::le;
    return fn == CompareFn::ne || (!is_equality && below == (b > 0)) ? kAlways : kNever;
  }
  const bool up = fn == CompareFn::lt || fn == CompareFn::ge;
  const double whole = up ? std::ceil(b) : std::floor(b);
  return {fn, static_cast<int64_t>(whole)};
}

// A number that is too large for float is treated as between the largest float and infinity; others are rounded.
NumberTest<double> test_of_floats(CompareFn fn, double b) {
  constexpr double kMost = std::numeric_limits<float>::max();
  constexpr double kRoundsToInfinity = 0x1.ffffffp127;
  if (!std::isfinite(b) || std::abs(b) < kRoundsToInfinity) return {fn, b};
  if (fn == CompareFn::eq || fn == CompareFn::ne) return {fn, std::nan("")};
  const bool below = fn == CompareFn::lt || fn == CompareFn::le;
  if (b > 0) return {below ? CompareFn::le : CompareFn::gt, kMost};
  return {below ? CompareFn::lt : CompareFn::ge, -kMost};
}

Variable compare(CompareFn fn, const Variable& a, double b) {
  const detail::CalledAs called(name_of(fn));
  if (a.dtype() == DType::i64) {
    const NumberTest<int64_t> test = test_of_integers(fn, b);
    return compare(test.fn, a, detail::whole_number(test.number));
  }
  const NumberTest<double> test = a.dtype() == DType::f32 ? test_of_floats(fn, b) : NumberTest<double>{fn, b};
  return compare(test.fn, a, detail::number_like(a, test.number, name_of(fn)));
}

std::vector<Example> compare_examples() {
  std::vector<Example> out;
  for (CompareFn fn : {CompareFn::eq, CompareFn::ne, CompareFn::lt, CompareFn::le, CompareFn::gt, CompareFn::ge}) {
    out.push_back({.name = "integers " + std::to_string(static_cast<int>(fn)),
                   .attrs = CompareAttrs{fn},
                   .inputs = {integers({3, 17}, 0, 3), integers({3, 17}, 0, 3)}});
  }
  out.push_back({.name = "numbers", .attrs = CompareAttrs{CompareFn::lt}, .inputs = {real({9}), real({9})}});
  out.push_back({.name = "known",
                 .attrs = CompareAttrs{CompareFn::le},
                 .inputs = {fixed(Tensor::from({1, 2, 3}, {3}, {.dtype = DType::f64})),
                            fixed(Tensor::from({2, 2, 2}, {3}, {.dtype = DType::f64}))},
                 .expected = {Tensor::from({1, 1, 0}, {3}, {.dtype = DType::boolean})}});
  out.push_back({.name = "dtypes differ",
                 .attrs = CompareAttrs{CompareFn::lt},
                 .inputs = {real({2}), integers({2}, 0, 3)},
                 .error = "[compare] operands differ: a is f64 [2], b is i64 [2]"});
  const auto bools = [](double a, double b, double c) {
    return Tensor::from({a, b, c}, {3}, {.dtype = DType::boolean});
  };
  out.push_back({.name = "bools",
                 .attrs = CompareAttrs{CompareFn::lt},
                 .inputs = {fixed(bools(0, 1, 0)), fixed(bools(1, 1, 0))},
                 .expected = {bools(1, 0, 0)}});
  return out;
}

void where_shape(ShapeArgs& s) {
  rules::require_dtype(s, 0, DType::boolean, "a condition");
  rules::require_equal(s, 1, 2);
  rules::require_shape(s, 0, s.shape(1), "the condition");
  s.output(s.shape(1), s.dtype(1));
}

}  // namespace

const OpDef compare_op = {
    .name = "compare",
    .input_names = {"a", "b"},
    .shape =
        [](ShapeArgs& s) {
          rules::require_equal(s, 0, 1);
          s.output(s.shape(0), DType::boolean);
        },
    .forward = [](ForwardArgs& f) { kernels::compare(f.attrs<CompareAttrs>().fn, f.in(0), f.in(1), f.out(0)); },
    .derivative = Derivative::discrete_output(),
    .examples = compare_examples,
    .onnx =
        [](OnnxArgs& o) {
          constexpr const char* kTypes[] = {"Equal", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"};
          const CompareFn fn = o.attrs<CompareAttrs>().fn;
          OnnxArgs::Names inputs = {o.in(0), o.in(1)};
          for (std::string& input : inputs) {  // ONNX does not order bools
            if (o.in_dtype(0) == DType::boolean) input = o.node("Cast", {input}, {{"to", kOnnxInt64}});
          }
          const std::string y = o.node(kTypes[static_cast<int>(fn)], inputs);
          o.out(0, fn == CompareFn::ne ? o.node("Not", {y}) : y);
        },
};

// da = g where the condition is true, else 0; db = g where it is false, else 0
const OpDef where_op = {
    .name = "where",
    .input_names = {"condition", "a", "b"},
    .shape = where_shape,
    .forward = [](ForwardArgs& f) { kernels::where(f.in(0), f.in(1), f.in(2), f.out(0)); },
    .derivative =
        [](VjpArgs& v) {
          const Variable zero = expand(detail::number_like(v.cotangent(), 0.0), v.cotangent().shape());
          const Variable condition = v.in(0);
          if (v.needs(1)) v.set(1, where(condition, v.cotangent(), zero));
          if (v.needs(2)) v.set(2, where(condition, zero, v.cotangent()));
        },
    .saves = {.inputs = 0b1},
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "matrix", .inputs = {booleans({3, 5}), real({3, 5}), real({3, 5})}},
              {.name = "one past a vector", .inputs = {booleans({17}), real({17}), real({17})}},
              {.name = "scalar", .inputs = {booleans({}), real({}), real({})}},
              {.name = "empty", .inputs = {booleans({0}), real({0}), real({0})}},
              {.name = "integers",
               .inputs = {fixed(Tensor::from({1, 0}, {2}, {.dtype = DType::boolean})),
                          fixed(Tensor::from({1, 2}, {2}, {.dtype = DType::i64})),
                          fixed(Tensor::from({3, 4}, {2}, {.dtype = DType::i64}))},
               .expected = {Tensor::from({1, 4}, {2}, {.dtype = DType::i64})}},
              {.name = "condition of numbers",
               .inputs = {real({2}), real({2}), real({2})},
               .error = "[where] expected a condition of dtype bool, got f64 [2]"},
              {.name = "shapes differ",
               .inputs = {booleans({2}), real({2}), real({3})},
               .error = "[where] operands differ: a is f64 [2], b is f64 [3]"},
          };
        },
    .onnx = [](OnnxArgs& o) { o.become("Where"); },
};

Variable equal(const Variable& a, const Variable& b) { return compare(CompareFn::eq, a, b); }
Variable not_equal(const Variable& a, const Variable& b) { return compare(CompareFn::ne, a, b); }
Variable less(const Variable& a, const Variable& b) { return compare(CompareFn::lt, a, b); }
Variable less_equal(const Variable& a, const Variable& b) { return compare(CompareFn::le, a, b); }
Variable greater(const Variable& a, const Variable& b) { return compare(CompareFn::gt, a, b); }
Variable greater_equal(const Variable& a, const Variable& b) { return compare(CompareFn::ge, a, b); }
Variable equal(const Variable& a, double b) { return compare(CompareFn::eq, a, b); }
Variable not_equal(const Variable& a, double b) { return compare(CompareFn::ne, a, b); }
Variable less(const Variable& a, double b) { return compare(CompareFn::lt, a, b); }
Variable less_equal(const Variable& a, double b) { return compare(CompareFn::le, a, b); }
Variable greater(const Variable& a, double b) { return compare(CompareFn::gt, a, b); }
Variable greater_equal(const Variable& a, double b) { return compare(CompareFn::ge, a, b); }

Variable isnan(const Variable& x) {
  const detail::CalledAs called("isnan");
  return not_equal(x, x);
}
Variable isinf(const Variable& x) {
  const detail::CalledAs called("isinf");
  return equal(abs(x), HUGE_VAL);
}

Variable where(const Variable& condition, const Variable& a, const Variable& b) {
  const detail::CalledAs called("where");
  const Shape shape = broadcast_shapes(broadcast_shapes(a.shape(), b.shape(), "where"), condition.shape(), "where");
  const Variable mask = expand(condition, shape);
  const Variable left = expand(a, shape);
  const Variable right = expand(b, shape);
  return apply(where_op, {}, {&mask, &left, &right});
}

Variable masked_fill(const Variable& x, const Variable& mask, double value) {
  const detail::CalledAs called("masked_fill");
  GRADUS_CHECK(broadcast_shapes(x.shape(), mask.shape(), "masked_fill") == x.shape(),
               "[masked_fill] expected a mask that broadcasts to x, got x ", describe(x), ", mask ", describe(mask));
  return where(mask, detail::number_like(x, value, "masked_fill"), x);
}

}  // namespace gradus
