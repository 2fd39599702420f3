// SPDX-License-Identifier: MIT
// One convention for calls: lists of axes, softmax over any axis and with a mask, sizes of -1, bounds from the end.
#include <cmath>
#include <functional>
#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>

#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"

using namespace gradus;
using namespace gradus::tests;

namespace {

const Tensor& cube() {
  static const Tensor x = detail::RandomTensors(5).floating({2, 3, 4}, DType::f64);
  return x;
}

struct Reduce {
  const char* name;
  std::function<Variable(const Variable&, const Axes&, bool keepdim)> run;
};

#define REDUCE(f)                                                                              \
  Reduce {                                                                                     \
#f, [](const Variable& x, const Axes& axes, bool k) { return f(x, axes, {.keepdim = k}); } \
  }

const std::vector<Reduce>& reductions() {
  static const std::vector<Reduce> all = {REDUCE(sum), REDUCE(mean),      REDUCE(prod), REDUCE(max),   REDUCE(min),
                                          REDUCE(var), REDUCE(logsumexp), REDUCE(norm), REDUCE(stddev)};
  return all;
}

template <class T>
concept NothingGiven = requires {
  T{};
};

bool same(const Variable& a, const Variable& b) { return bitwise_equal(a.value(), b.value()); }

}  // namespace

TEST_CASE("a reduction takes one axis, a list, or axes that are made at run time") {
  const std::vector<int> axes = {0, 2};
  const std::vector<int64_t> none;
  for (const Reduce& reduce : reductions()) {
    INFO(reduce.name);
    const Variable x = cube();
    const Variable listed = reduce.run(x, {0, 2}, false);
    CHECK(listed.shape() == Shape{3});
    CHECK(same(reduce.run(x, axes, false), listed));
    CHECK(same(reduce.run(x, {-1, 0}, false), listed));
    CHECK(reduce.run(x, axes, true).shape() == Shape{1, 3, 1});
    CHECK(same(reduce.run(x, 1, false), reduce.run(x, {1}, false)));
    CHECK(reduce.run(x, none, false).shape() == Shape{});
    CHECK(same(reduce.run(x, none, true), reduce.run(x, {0, 1, 2}, true)));
    const std::string name = reduce.name;
    CHECK(error_text([&] { return reduce.run(x, 3, false); }) ==
          "[" + name + "] axis out of range: expected an axis in [-3, 2], got 3");
    CHECK(error_text([&] { return reduce.run(x, {1, -2}, false); }) == "[" + name + "] axis -2 is named twice");
  }
  const Variable flags = bools({0, 1, 1, 1}, {2, 2});
  CHECK(same(any(flags, 1), any(flags, std::vector<int>{1})));
  CHECK(same(all(flags, 1), bools({0, 1}, {2})));
}

TEST_CASE("the spellings of a reduction that a user tries first") {
  const Variable x = cube();
  const std::vector<int> axes = {1};
  CHECK(same(sum(x, 1), sum(x, axes)));
  CHECK(same(sum(x, {}), sum(x)));
  CHECK(mean(x, axes, {.keepdim = true}).shape() == Shape{2, 1, 4});
  CHECK(same(var(x, 1), var(x, {1})));
  CHECK(same(var(x, {0, 2}), var(x, std::vector<int>{0, 2})));
  CHECK(same(var(x, {}), var(x)));
  CHECK(same(var(x, {.correction = 0.0}), var(x, {}, {.correction = 0.0})));
  CHECK(same(stddev(x, {1, 2}, {.keepdim = true}), stddev(x, std::vector<int>{1, 2}, {.keepdim = true})));
  CHECK(same(norm(x, {.p = 3.0}), norm(x, {}, {.p = 3.0})));
  CHECK(same(norm(x, {0, 1}), norm(x, std::vector<int>{0, 1})));
  CHECK(same(argmax(x, 1), argmax(x, -2)));
}

TEST_CASE("permute, squeeze and flip take lists that are made at run time") {
  const std::vector<int> order = {2, 0, 1};
  const Variable x = cube();
  CHECK(same(permute(x, order), permute(x, {-1, 0, 1})));
  CHECK(same(flip(x, std::vector<int>{0, 2}), flip(flip(x, 0), -1)));
  CHECK(same(flip(x), flip(x, {0, 1, 2})));
  const Variable thin = reshape(x, {1, 24, 1});
  CHECK(squeeze(thin).shape() == Shape{24});
  CHECK(squeeze(thin, {0, -1}).shape() == Shape{24});
  CHECK(squeeze(thin, -1).shape() == Shape{1, 24});
  CHECK(error_text([&] { return squeeze(thin, {0, 1}); }) == "[squeeze] expected size 1 on axis 1 of [1, 24, 1]");
  CHECK(error_text([&] { return permute(x, {0, 1}); }) == "[permute] wrong number of axes: expected 3, got 2");
  CHECK(error_text([&] { return permute(x, {0, 1, -2}); }) == "[permute] axis -2 is named twice");
  CHECK(error_text([&] { return flip(x, 3); }) == "[flip] axis out of range: expected an axis in [-3, 2], got 3");
  check_derivatives({"lists of axes", {real({2, 3, 1})}, [order](const std::vector<Variable>& in) {
                       const Variable turned = permute(in[0], order);
                       return std::vector<Variable>{square(squeeze(flip(turned, std::vector<int>{1, 2})))};
                     }});
}

TEST_CASE("reshape works out a size of -1") {
  const Variable x = cube();
  CHECK(reshape(x, {-1}).shape() == Shape{24});
  CHECK(reshape(x, {2, -1, 6}).shape() == Shape{2, 2, 6});
  const std::vector<int64_t> sizes = {-1, 8};
  CHECK(reshape(x, sizes).shape() == Shape{3, 8});
  CHECK(same(reshape(x, Shape{3, 8}), reshape(x, sizes)));
  CHECK(error_text([&] {
          return reshape(x, {7, -1});
        }) == "[reshape] element counts differ: input is [2, 3, 4] (24 elements), asked for [7, -1]");
  CHECK(error_text([&] {
          return reshape(x, {5, 5});
        }) == "[reshape] element counts differ: input is f64 [2, 3, 4], asked for [5, 5]");
  check_derivatives({"reshape", {real({2, 3})}, [](const std::vector<Variable>& in) {
                       return std::vector<Variable>{square(reshape(in[0], {3, -1}))};
                     }});
}

TEST_CASE("slice and narrow count negative bounds from the end") {
  const Variable x = f64({0, 1, 2, 3, 4}, {5});
  CHECK(same(slice(x, 0, -3), f64({2, 3, 4}, {3})));
  CHECK(same(slice(x, 0, 1, -1), f64({1, 2, 3}, {3})));
  CHECK(same(slice(x, 0, -5, kToEnd, 2), f64({0, 2, 4}, {3})));
  CHECK(same(narrow(x, 0, -2, 2), f64({3, 4}, {2})));
  CHECK(narrow(x, 0, 5, 0).numel() == 0);
  CHECK(error_text([&] { return slice(x, 0, -6); }) ==
        "[slice] range out of bounds: expected start <= stop, both in [-5, 5], on axis 0 of [5], got [-6, "
        "9223372036854775807)");
  const std::string range =
      "[narrow] range out of bounds: expected start in [-5, 5] and as many elements from there on axis 0 of [5], got ";
  CHECK(error_text([&] { return narrow(x, 0, -2, 3); }) == range + "start -2 and length 3");
  CHECK(error_text([&] { return narrow(x, 0, 3, INT64_MAX); }) == range + "start 3 and length 9223372036854775807");
  CHECK(error_text([&] { return narrow(x, 0, 3, -1); }) == range + "start 3 and length -1");
  check_derivatives(
      {"from the end", {real({5, 2})}, [](const std::vector<Variable>& in) {
         return std::vector<Variable>{square(slice(in[0], 0, -4, -1, 2)), square(narrow(in[0], -1, -1, 1))};
       }});
}

TEST_CASE("softmax, log_softmax, sparsemax and entmax15 take x, then an axis, then what is kept") {
  const Variable x = cube();
  const Variable keep = bools({1, 0, 1}, {3, 1});
  using Row = Variable (*)(const Variable&, int64_t, const Variable&);
  for (const Row f : {Row{softmax}, Row{log_softmax}, Row{sparsemax}, Row{entmax15}}) {
    CHECK(same(f(x, -1, {}), f(x, 2, {})));
    CHECK(same(f(x, 1, {}), transpose(f(transpose(x, 1, 2), -1, {}), 1, 2)));
    const Variable rest = concat({slice(x, 1, 0, 1), slice(x, 1, 2, 3)}, 1);
    const Variable y = f(x, 1, keep);
    const Variable kept = concat({slice(y, 1, 0, 1), slice(y, 1, 2, 3)}, 1);
    CHECK(largest_error(kept.value(), f(rest, 1, {}).value()) < 1e-15);
  }
  CHECK(all_zero(select(softmax(x, 1, keep), 1, 1).value()));
  CHECK(error_text([&] { return log_softmax(x, 3); }) ==
        "[log_softmax] axis out of range: expected an axis in [-3, 2], got 3");
  CHECK(error_text([&] { return log_softmax(x, 1, f64({1}, {1})); }) ==
        "[log_softmax] expected keep of dtype bool, got f64 [2, 3, 4]");
}

TEST_CASE("log_softmax of what is kept: blocked elements are -infinity and have no gradient") {
  const double inf = HUGE_VAL;
  const double nan = std::nan("");
  const Variable x = leaf(f64({1, nan, 3, inf, nan, -inf}, {2, 3}));
  const Variable y = log_softmax(x, -1, bools({1, 0, 1, 0, 0, 0}, {2, 3}));
  const double low = -std::log1p(std::exp(2.0));
  CHECK(largest_error(where(greater(y, -inf), y, zeros_like(y)).value(), f64({low, 0, 2 + low, 0, 0, 0}, {2, 3})) <
        1e-15);
  CHECK(same(equal(y, -inf), bools({0, 1, 0, 1, 1, 1}, {2, 3})));
  const Tensor g = grad({sum(where(isinf(y), zeros_like(y), y * f64({1, 2, 3}, {3})))}, {x})[0].value();
  const double p = std::exp(low);
  CHECK(largest_error(g, f64({1 - 4 * p, 0, 3 - 4 * (1 - p), 0, 0, 0}, {2, 3})) < 1e-14);
  check_derivatives({"log_softmax of what is kept", {real({3, 4})}, [](const std::vector<Variable>& in) {
                       const Variable keep = bools({1, 0, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1}, {3, 4});
                       const Variable z = log_softmax(in[0], 0, keep);
                       return std::vector<Variable>{where(keep, z, zeros_like(z)), exp(z)};
                     }});
}

TEST_CASE("concat, stack and unbind work on axis 0 unless told otherwise") {
  const Variable x = cube();
  CHECK(same(concat({x, x}), concat({x, x}, 0)));
  CHECK(same(stack({x, x}), stack({x, x}, 0)));
  CHECK(same(unbind(x)[1], select(x, 0, 1)));
}

TEST_CASE("zeros_like, ones_like and full_like of a Variable are constants") {
  const Variable x = leaf(cube());
  CHECK(!Variable(zeros_like(x)).requires_grad());
  CHECK(same(zeros_like(x), zeros({2, 3, 4}, {.dtype = DType::f64})));
  CHECK(same(Variable(ones_like(x)), zeros_like(x) + 1.0));
  CHECK(same(Variable(full_like(x, 2.5)), ones_like(x) * 2.5));
}

TEST_CASE("options of views without the number they are about do not compile") {
  STATIC_REQUIRE(!NothingGiven<SplitEveryOptions>);
  STATIC_REQUIRE(!NothingGiven<ChunkOptions>);
  STATIC_REQUIRE(!NothingGiven<RollOptions>);
  CHECK(chunk(cube(), {.axis = 1, .count = 3}).size() == 3);
  CHECK(split_every(cube(), {.size = 2}).size() == 2);
  CHECK(same(roll(cube(), {.shift = 4}), Variable(cube())));
}
