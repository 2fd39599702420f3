// SPDX-License-Identifier: MIT
// Every op on integers and on bools: it computes what it computes on the same numbers in f64, or refuses with a
// sentence of its own.
#include <cmath>
#include <limits>
#include <set>
#include <string>

#include <gradus/autograd/check/battery/op_case.hpp>
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/random/random.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::as_variables;
using detail::OpCase;
using detail::Tensors;
using detail::Variables;

namespace {

// Small whole numbers, or 0 and 1, made of drawn ones.
Tensor rounded(const Tensor& drawn, DType dtype) {
  Tensor out = drawn.clone();
  auto* values = out.mutable_data_<double>();
  for (int64_t i = 0; i < out.numel(); ++i) {
    if (!(std::abs(values[i]) < 1e6)) values[i] = 3.0;  // NaN, infinities and what i64 does not hold
    values[i] = dtype == DType::boolean ? (values[i] > 0 ? 1.0 : 0.0) : std::trunc(2.0 * values[i]);
  }
  return out;
}

// Whether the op took the dtype in the place of f64.
bool takes(const OpCase& c, DType dtype) {
  Tensors typed = c.inputs();
  Tensors plain = typed;
  bool any_floating = false;
  for (size_t i = 0; i < typed.size(); ++i) {
    if (!typed[i].defined() || !is_floating(typed[i].dtype())) continue;
    any_floating = true;
    plain[i] = rounded(typed[i], dtype);
    typed[i] = plain[i].to(dtype);
  }
  if (!any_floating) return false;
  INFO(c.name() << " on " << dtype_name(dtype));
  Variables got;
  const std::string refusal = error_text([&] {
    got = c.outputs(as_variables(typed));
    return 0;
  });
  if (got.empty() && refusal != "(no error)") {
    CHECK(refusal.rfind("[" + std::string(c.op.name) + "] ", 0) == 0);
    CHECK_THAT(refusal, contains_text("expected "));
    CHECK_THAT(refusal, contains_text(", got "));
    return false;
  }
  const Variables want = c.outputs(as_variables(plain));
  for (size_t k = 0; k < got.size(); ++k) {
    REQUIRE(got[k].shape() == want[k].shape());
    CHECK(largest_error(got[k].value().to(DType::f64), want[k].value().to(DType::f64)) == 0.0);
  }
  return true;
}

std::set<std::string> ops_that_take(DType dtype) {
  std::set<std::string> names;
  for (const OpDef* op : all_ops()) {
    if (op->examples == nullptr || op->complete != nullptr) continue;
    const std::vector<Example> examples = op->examples();
    for (const Example& example : examples) {
      if (example.error.empty() && takes(OpCase{*op, example, seed(3)}, dtype)) names.insert(op->name);
    }
  }
  return names;
}

bool same(const Variable& a, const Tensor& b) { return bitwise_equal(a.value(), b); }

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();

Tensor whole(std::initializer_list<int64_t> values) {
  return Tensor::from(std::span<const int64_t>(values.begin(), values.size()), {static_cast<int64_t>(values.size())});
}

}  // namespace

TEST_CASE("the ops that take integers and bools, and what they give") {
  const std::set<std::string> any_dtype = {
      "alias", "argmax",       "argmin", "compare", "concat", "cumprod",         "cumsum", "diagonal", "expand",
      "flip",  "index_select", "max",    "min",     "pad",    "permute",         "prod",   "repeat",   "reshape",
      "roll",  "slice",        "sort",   "split",   "sum",    "take_along_axis", "topk",   "unbind",   "where"};
  std::set<std::string> numbers = any_dtype;
  numbers.insert({"abs", "add", "affine", "ceil", "floor", "index_add", "maximum", "minimum", "mul", "round",
                  "scatter_add", "sign", "square", "sub"});
  CHECK(ops_that_take(DType::i64) == numbers);
  CHECK(ops_that_take(DType::boolean) == any_dtype);
}

TEST_CASE("functions of integers and bools, with their values") {
  const Tensor x = i64({3, -1, 2, 2, 0, 5}, {2, 3});
  const Tensor b = bools({1, 0, 1, 1, 1, 0}, {2, 3});
  CHECK(same(sum(b), i64({4}, {})));
  CHECK(same(sum(b, 1), i64({2, 2}, {2})));
  CHECK(same(sum(x, 0), i64({5, -1, 7}, {3})));
  CHECK(same(sum(x.transpose(0, 1), 0, {.keepdim = true}), i64({4, 7}, {1, 2})));
  CHECK(same(sum(x.slice(0, 0, 1).expand({4, 3}), 0), i64({12, -4, 8}, {3})));
  CHECK(same(sum(zeros({0, 2}, {.dtype = DType::i64}), 0), i64({0, 0}, {2})));
  CHECK(same(prod(b, 0), i64({1, 0, 0}, {3})));
  CHECK(same(prod(zeros({0}, {.dtype = DType::i64})), i64({1}, {})));
  CHECK(same(cumsum(b, 1), i64({1, 1, 2, 1, 2, 2}, {2, 3})));
  CHECK(same(max(x, 0), i64({3, 0, 5}, {3})));
  CHECK(same(min(x), i64({-1}, {})));
  CHECK(same(max(b, 1), bools({1, 1}, {2})));
  CHECK(same(argmax(x, 1), i64({0, 2}, {2})));
  CHECK(same(argmin(x.transpose(0, 1), 0), i64({1, 1}, {2})));
  CHECK(same(argmax(x), i64({5}, {})));
  CHECK(same(Variable(x) + 1.0, i64({4, 0, 3, 3, 1, 6}, {2, 3})));
  CHECK(same(2.0 - Variable(x), i64({-1, 3, 0, 0, 2, -3}, {2, 3})));
  CHECK(same(-Variable(x), i64({-3, 1, -2, -2, 0, -5}, {2, 3})));
  CHECK(same(Variable(x) * x.slice(0, 0, 1), i64({9, 1, 4, 6, 0, 10}, {2, 3})));
  CHECK(same(where(b, x, -Variable(x)), i64({3, 1, 2, 2, 0, -5}, {2, 3})));
  CHECK(same(where(b, b, logical_not(b)), bools({1, 1, 1, 1, 1, 1}, {2, 3})));
  CHECK(same(less(b, logical_not(b)), bools({0, 1, 0, 0, 0, 1}, {2, 3})));
  CHECK(same(equal(b, 1.0), b));
  CHECK(same(sort(x, {.descending = true}).values, i64({3, 2, -1, 5, 2, 0}, {2, 3})));
  CHECK(same(sort(b).indices, i64({1, 0, 2, 2, 0, 1}, {2, 3})));
  CHECK(same(topk(x, 1).values, i64({3, 5}, {2, 1})));
  CHECK(same(concat({x, x}, 1), i64({3, -1, 2, 3, -1, 2, 2, 0, 5, 2, 0, 5}, {2, 6})));
  CHECK(same(scatter_add(zeros({3}, {.dtype = DType::i64}), 0, i64({1, 1, 2}, {3}), i64({1, 1, 1}, {3})),
             i64({0, 2, 1}, {3})));
  CHECK(same(index_add(x, 0, i64({1, 1}, {2}), x), i64({3, -1, 2, 7, -1, 12}, {2, 3})));
  CHECK(same(square(x), i64({9, 1, 4, 4, 0, 25}, {2, 3})));
}

TEST_CASE("integers wrap around, and keep all of their bits") {
  const Tensor ends = whole({kMost, kLeast, kMost - 1});
  CHECK(same(add(ends, whole({1, -1, 1})), whole({kLeast, kMost, kMost})));
  CHECK(same(sub(ends, whole({-1, 1, 0})), whole({kLeast, kMost, kMost - 1})));
  CHECK(same(mul(ends, whole({2, 2, 1})), whole({-2, 0, kMost - 1})));
  CHECK(same(neg(ends), whole({-kMost, kLeast, 1 - kMost})));
  CHECK(same(abs(ends), whole({kMost, kLeast, kMost - 1})));
  CHECK(same(maximum(ends, whole({kMost - 1, 0, kMost})), whole({kMost, 0, kMost})));
  CHECK(max(ends).item<int64_t>() == kMost);
  CHECK(min(ends).item<int64_t>() == kLeast);
  CHECK(same(sort(ends).values, whole({kLeast, kMost - 1, kMost})));
  CHECK(same(cumsum(ends, 0), whole({kMost, -1, kMost - 2})));
  CHECK(sum(whole({kMost, 1})).item<int64_t>() == kLeast);
  CHECK(same(where(bools({1, 0, 1}, {3}), ends, whole({7, 8, 9})), whole({kMost, 8, kMost - 1})));
}

TEST_CASE("sums and extremes of many integers are exact at any number of threads") {
  Generator generator(1);
  const Tensor x = randint({300, 700}, generator, {.low = -1000, .high = 1000});
  const Tensor flags = greater(x, 0.0).value();
  const Variable exact = x.to(DType::f64);
  for (const int threads : {1, 3}) {
    const detail::ThreadCountScope scope(threads);
    for (const int axis : {0, 1}) {
      CHECK(same(sum(x, axis), sum(exact, axis).value().to(DType::i64)));
      CHECK(same(max(x, axis), max(exact, axis).value().to(DType::i64)));
      CHECK(same(argmin(x, axis), argmin(exact, axis).value()));
      CHECK(same(sum(flags, axis), sum(flags.to(DType::f64), axis).value().to(DType::i64)));
    }
    CHECK(sum(x).item<int64_t>() == static_cast<int64_t>(sum(exact).item<double>()));
  }
}

TEST_CASE("what integers cannot do is refused with what to do instead") {
  const Tensor x = i64({1, 2}, {2});
  const std::string floating =
      "expected a floating input (f32 or f64), got i64 [2]; Tensor::to(DType::f32) converts it";
  CHECK(error_text([&] { return mean(x); }) == "[mean] " + floating);
  CHECK(error_text([&] { return exp(x); }) == "[exp] " + floating);
  CHECK(error_text([&] { return norm(x, {.p = 1.0}); }) == "[norm] " + floating);
  CHECK(error_text([&] { return Variable(x) / x; }) == "[div] " + floating);
  CHECK(error_text([&] { return Variable(x) * 0.5; }) == "[operator*] expected a whole number for i64, got 0.5");
  CHECK(error_text([&] { return Variable(x) + 0.5; }) == "[operator+] expected a whole number for i64, got 0.5");
  const Tensor b = bools({1, 0}, {2});
  CHECK(error_text([&] { return add(b, b); }) ==
        "[add] expected inputs of numbers (f32, f64 or i64), got bool [2]; Tensor::to(DType::i64) converts it");
  CHECK(error_text([&] { return neg(b); }) ==
        "[neg] expected an input of numbers (f32, f64 or i64), got bool [2]; Tensor::to(DType::i64) converts it");
  CHECK(error_text([&] { return pad(b, {{1, 1}}, {.value = 2.0}); }) == "[pad] expected 0 or 1 for bool, got 2");
  CHECK(error_text([&] {
          return pad(x, {{1, 1}}, {.value = 0.5});
        }) == "[pad] expected a whole number for i64, got 0.5");
  CHECK(error_text([&] { return add(x, f64({1, 2}, {2})); }) == "[add] operands differ: a is i64 [2], b is f64 [2]");
}
