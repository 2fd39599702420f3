// SPDX-License-Identifier: MIT
// Indexing against values known by hand, in cases that are not in the battery's examples.
#include <cmath>
#include <limits>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::RandomTensors;

namespace {

const double kNaN = std::numeric_limits<double>::quiet_NaN();
const double kInf = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("take_along_axis broadcasts the other axes, as NumPy does") {
  const Tensor x = f64({1, 2, 3, 4, 5, 6}, {2, 3});
  const Variable y = take_along_axis(x, 1, i64({2, -3}, {1, 2}));
  CHECK(bitwise_equal(y.value(), f64({3, 1, 6, 4}, {2, 2})));
  const Variable z = take_along_axis(f64({7, 8}, {1, 2}), -1, i64({1, 0, 0, 0, 1, 1}, {3, 2}));
  CHECK(bitwise_equal(z.value(), f64({8, 7, 7, 7, 8, 8}, {3, 2})));
  CHECK(error_text([&] { return take_along_axis(x, 0, i64({0}, {1})); }) ==
        "[take_along_axis] ranks differ: x is f64 [2, 3], indices are i64 [1]");
}

TEST_CASE("gather takes part of the other axes, as PyTorch does, and refuses more than there is") {
  const Tensor x = f64({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(bitwise_equal(gather(x, 0, i64({1, 0}, {1, 2})).value(), f64({4, 2}, {1, 2})));
  CHECK(bitwise_equal(gather(x, 1, i64({2, 2, 0, 1}, {2, 2})).value(), f64({3, 3, 4, 5}, {2, 2})));
  CHECK(error_text([&] {
          return gather(x, 0, i64({0, 0, 0, 0}, {1, 4}));
        }) == "[gather] indices are larger than x on axis 1: x is f64 [2, 3], indices are i64 [1, 4]");
}

TEST_CASE("integers and bools are taken too, as constants") {
  const Variable words = take_along_axis(i64({10, 20, 30}, {3}), 0, i64({2, 0}, {2}));
  CHECK(bitwise_equal(words.value(), i64({30, 10}, {2})));
  CHECK(bitwise_equal(index_select(bools({1, 0, 1}, {3}), 0, i64({1, 1, 2}, {3})).value(), bools({0, 0, 1}, {3})));
}

TEST_CASE("scatter_add adds to what is there, duplicates in their order") {
  const Tensor base = f64({1, 1, 1, 1, 1, 1}, {2, 3});
  const Variable y = scatter_add(base, 1, i64({0, 0, 2, -1}, {2, 2}), f64({10, 20, 30, 40}, {2, 2}));
  CHECK(bitwise_equal(y.value(), f64({31, 1, 1, 1, 1, 71}, {2, 3})));
  const Variable z = index_add(base, 0, i64({1, 1}, {2}), f64({1, 2, 3, 10, 20, 30}, {2, 3}));
  CHECK(bitwise_equal(z.value(), f64({1, 1, 1, 12, 23, 34}, {2, 3})));
  // 1 + 1e16 - 1e16 shows the order of the additions.
  const Variable ordered = scatter_add(f64({1}, {1}), 0, i64({0, 0}, {2}), f64({1e16, -1e16}, {2}));
  CHECK(ordered.value().at({0}) == 0.0);
  CHECK(error_text([&] {
          return index_add(base, 0, i64({2}, {1}), f64({1, 2, 3}, {1, 3}));
        }) == "[index_add] index out of range: expected -2 <= index < 2, got 2 at position 0");
}

TEST_CASE("scatter_add and index_add of large tensors have the same bits with 1, 2 and 3 threads") {
  const uint64_t seed = tests::seed(8);
  INFO("seed " << seed);
  RandomTensors random(seed);
  const Tensor source = random.floating({3, 500, 67}, DType::f32);
  const Tensor order = random.integers({3, 500, 67}, 0, 11);
  const Tensor rows = random.integers({500}, 0, 11);
  const Tensor base = random.floating({3, 11, 67}, DType::f32);
  const auto run = [&] {
    return std::vector<Tensor>{scatter_add(base, 1, order, source).value(), index_add(base, 1, rows, source).value(),
                               index_select(source, 1, rows).value(), take_along_axis(source, 1, order).value(),
                               sort(source, {.axis = 1}).values.value()};
  };
  std::vector<Tensor> first;
  for (int threads : {1, 2, 3}) {
    const detail::ThreadCountScope scope(threads);
    const std::vector<Tensor> got = run();
    if (first.empty()) first = got;
    for (size_t i = 0; i < got.size(); ++i) CHECK(bitwise_equal(got[i], first[i]));
  }
}

TEST_CASE("masked_select keeps what the mask holds; mask and x broadcast") {
  const Tensor x = f64({1, 2, 3, 4, 5, 6}, {2, 3});
  CHECK(bitwise_equal(masked_select(x, bools({1, 0, 1, 0, 0, 1}, {2, 3})).value(), f64({1, 3, 6}, {3})));
  CHECK(bitwise_equal(masked_select(x, bools({0, 1, 1}, {3})).value(), f64({2, 3, 5, 6}, {4})));
  CHECK(bitwise_equal(masked_select(f64({7}, {1}), bools({1, 0, 1}, {3})).value(), f64({7, 7}, {2})));
  CHECK(masked_select(x, bools({0}, {1})).shape() == Shape{0});
  CHECK(bitwise_equal(masked_select(f64({4}, {}), bools({1}, {})).value(), f64({4}, {1})));
  CHECK(bitwise_equal(flat_nonzero(bools({0, 1, 1, 0}, {2, 2})), i64({1, 2}, {2})));
  CHECK(error_text([&] { return masked_select(x, x); }) ==
        "[masked_select] expected a mask of dtype bool, got f64 [2, 3]");
  const Variable in = leaf(x);
  const Variable g = grad({sum(square(masked_select(in, bools({0, 1, 1}, {3}))))}, {in})[0];
  CHECK(bitwise_equal(g.value(), f64({0, 4, 6, 0, 10, 12}, {2, 3})));
}

TEST_CASE("sort is stable, puts NaN last in either direction, and knows infinities and signed zeros") {
  const Tensor x = f64({3, kNaN, -kInf, 1, kNaN, kInf, 1}, {7});
  const Sorted up = sort(x);
  CHECK(bitwise_equal(up.indices.value(), i64({2, 3, 6, 0, 5, 1, 4}, {7})));
  CHECK(up.values.value().at({0}) == -kInf);
  CHECK(std::isnan(up.values.value().at({6})));
  const Sorted down = sort(x, {.descending = true});
  CHECK(bitwise_equal(down.indices.value(), i64({5, 0, 3, 6, 2, 1, 4}, {7})));
  CHECK(bitwise_equal(argsort(f64({0.0, -0.0, 0.0}, {3}), {.descending = true}).value(), i64({0, 1, 2}, {3})));
  const Sorted columns = sort(f64({3, 1, 2, 4, 1, 5}, {3, 2}), {.axis = 0});
  CHECK(bitwise_equal(columns.values.value(), f64({1, 1, 2, 4, 3, 5}, {3, 2})));
  CHECK(bitwise_equal(columns.indices.value(), i64({2, 0, 1, 1, 0, 2}, {3, 2})));
}

TEST_CASE("topk gives the first of sort, for few and for many") {
  const uint64_t seed = tests::seed(9);
  INFO("seed " << seed);
  const Tensor x = RandomTensors(seed).integers({5, 40}, 0, 10).to(DType::f64);  // with ties
  for (bool largest : {true, false}) {
    const Sorted all = sort(x, {.descending = largest});
    for (int64_t k : {0, 1, 3, 20, 40}) {
      const Sorted first = topk(x, k, {.largest = largest});
      CHECK(bitwise_equal(first.values.value(), all.values.value().slice(1, 0, k).clone()));
      CHECK(bitwise_equal(first.indices.value(), all.indices.value().slice(1, 0, k).clone()));
    }
  }
  CHECK(bitwise_equal(topk(f64({kNaN, 1, 2}, {3}), 2).values.value(), f64({2, 1}, {2})));
  CHECK(error_text([&] { return topk(x, -1); }) == "[topk] expected k >= 0, got -1");
}

TEST_CASE("indexing: derivatives of compositions") {
  const std::vector<DrawnFunction> functions = {
      {"broadcast take",
       {real({1, 3}), real({2, 3})},
       [](const std::vector<Variable>& x) {
         const Variable y = take_along_axis(x[0] * x[0], 1, i64({0, 2, 1, 1}, {2, 2}));
         return std::vector<Variable>{y * y, gather(x[1] * x[1], 0, i64({1, 0}, {1, 2}))};
       }},
      {"scatter",
       {real({2, 3}), real({2, 2})},
       [](const std::vector<Variable>& x) {
         const Variable y = scatter_add(x[0], -1, i64({0, 0, 2, 1}, {2, 2}), x[1]);
         return std::vector<Variable>{y * y};
       }},
      {"sorted prefix",
       {real({2, 5}, spaced())},
       [](const std::vector<Variable>& x) {
         const Sorted best = topk(x[0], 3);
         return std::vector<Variable>{best.values * best.values * best.values};
       }},
      {"masked",
       {real({3}), real({2, 1})},
       [](const std::vector<Variable>& x) {
         return std::vector<Variable>{masked_select(x[0] * x[1], bools({1, 0, 1, 1, 1, 0}, {2, 3}))};
       }},
  };
  for (const DrawnFunction& f : functions) check_derivatives(f);
}
