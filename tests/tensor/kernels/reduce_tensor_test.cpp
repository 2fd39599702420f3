// SPDX-License-Identifier: MIT
// Compares reductions of whole tensors, over any axes of any layout, with the definition, element by element. Tests
// large ones with any number of threads.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gradus/tensor/kernels/reduce/tensor_reduce.hpp>
#include <gradus/tensor/random/random.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/index_map.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus {
namespace {

using kernels::ReduceFn;
using tests::Index;
using tests::RandomNumbers;

constexpr ReduceFn kFns[] = {ReduceFn::sum, ReduceFn::max, ReduceFn::min, ReduceFn::prod};

// Small integers (sums and products of a few are exact), in a storage with space around them.
Tensor numbered(RandomNumbers& random, const Layout& layout, DType dtype) {
  int64_t size = 1;
  for (const int64_t at : tests::places(layout)) size = std::max(size, at + 1);
  Tensor block = Tensor::empty({size}, DType::f64);
  auto* data = block.mutable_data_<double>();
  for (int64_t i = 0; i < size; ++i) data[i] = static_cast<double>(random.integer(-2, 2));
  return block.to(dtype).view(layout);
}

double value_at(const Tensor& x, const Index& index) {
  Layout layout = x.layout();
  for (const int64_t i : index) layout = layout.select(0, i);
  const Tensor element = x.view(layout);
  return element.to(DType::f64).item<double>();
}

double combined(ReduceFn fn, double a, double b) {
  switch (fn) {
    case ReduceFn::sum:
      return a + b;
    case ReduceFn::max:
      return std::max(a, b);
    case ReduceFn::min:
      return std::min(a, b);
    case ReduceFn::prod:
      break;
  }
  return a * b;
}

Shape reduced(RandomNumbers& random, const Shape& shape) {
  Shape out = shape;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (random.integer(0, 1) == 0) out = out.with(axis, 1);
  }
  return out;
}

// The elements of x that become the element `index` of y.
std::vector<double> sources(const Tensor& x, const Shape& y, const Index& index) {
  std::vector<double> out;
  for (const Index& from : tests::all_indices(x.shape())) {
    bool mine = true;
    for (size_t k = 0; k < from.size(); ++k) mine = mine && (y[static_cast<int>(k)] == 1 || from[k] == index[k]);
    if (mine) out.push_back(value_at(x, from));
  }
  return out;
}

// Calls check(x, y shape) for random shapes of rank 0 to 8, axes and layouts.
template <class Check>
void for_random_reductions(uint64_t seed, DType dtype, const Check& check) {
  RandomNumbers random(seed);
  for (int round = 0; round < 150; ++round) {
    const auto rank = static_cast<int>(random.integer(0, round % 10 == 0 ? 8 : 4));
    const Shape shape = tests::random_shape(random, rank, rank > 4 ? 2 : 5);
    const Tensor x = numbered(random, tests::random_layout(random, shape, round % 3 == 0), dtype);
    check(x, reduced(random, shape));
  }
}

int count_wrong(const Tensor& x, const Tensor& y, ReduceFn fn) {
  int wrong = 0;
  for (const Index& index : tests::all_indices(y.shape())) {
    double want = kernels::neutral_of(fn);
    for (const double value : sources(x, y.shape(), index)) want = combined(fn, want, value);
    wrong += value_at(y, index) == want ? 0 : 1;
  }
  return wrong;
}

}  // namespace

TEST_CASE("reduce: any set of axes of any layout gives what the definition gives") {
  const uint64_t seed = tests::seed(61);
  INFO("seed " << seed);
  for (const DType dtype : {DType::f32, DType::f64}) {
    for_random_reductions(seed, dtype, [&](const Tensor& x, const Shape& shape) {
      INFO("x " << describe(x) << ", y " << to_string(shape));
      for (const ReduceFn fn : kFns) {
        Tensor y = Tensor::empty(shape, dtype);
        kernels::reduce(fn, x, y);
        CHECK(count_wrong(x, y, fn) == 0);
      }
    });
  }
}

TEST_CASE("any and all: any set of axes of any layout gives what the definition gives") {
  const uint64_t seed = tests::seed(62);
  INFO("seed " << seed);
  for_random_reductions(seed, DType::boolean, [&](const Tensor& x, const Shape& shape) {
    INFO("x " << describe(x) << ", y " << to_string(shape));
    Tensor one = Tensor::empty(shape, DType::boolean);
    Tensor every = Tensor::empty(shape, DType::boolean);
    kernels::any(x, one);
    kernels::all(x, every);
    int wrong = 0;
    for (const Index& index : tests::all_indices(shape)) {
      const std::vector<double> values = sources(x, shape, index);
      const auto trues = std::count(values.begin(), values.end(), 1.0);
      wrong += value_at(one, index) == (trues > 0 ? 1.0 : 0.0) ? 0 : 1;
      wrong += value_at(every, index) == (trues == static_cast<int64_t>(values.size()) ? 1.0 : 0.0) ? 0 : 1;
    }
    CHECK(wrong == 0);
  });
}

TEST_CASE("argmax, argmin, variance, norm: any set of axes of any layout gives what the definition gives") {
  const uint64_t seed = tests::seed(63);
  INFO("seed " << seed);
  for_random_reductions(seed, DType::f64, [&](const Tensor& x, const Shape& shape) {
    if (x.numel() == 0) return;
    INFO("x " << describe(x) << ", y " << to_string(shape));
    Tensor largest = Tensor::empty(shape, DType::i64), smallest = Tensor::empty(shape, DType::i64);
    Tensor variance = Tensor::empty(shape, DType::f64), norm = Tensor::empty(shape, DType::f64);
    kernels::argmax(x, largest);
    kernels::argmin(x, smallest);
    kernels::variance(x, 0.0, kernels::Root::no, variance);
    kernels::vector_norm(x, 3.0, norm);
    for (const Index& index : tests::all_indices(shape)) {
      const std::vector<double> values = sources(x, shape, index);
      double sum = 0.0, squares = 0.0, cubes = 0.0;
      for (const double value : values) sum += value;
      const double mean = sum / static_cast<double>(values.size());
      for (const double value : values) {
        squares += (value - mean) * (value - mean);
        cubes += std::fabs(value * value * value);
      }
      const auto first_largest = std::max_element(values.begin(), values.end()) - values.begin();
      const auto first_smallest = std::min_element(values.begin(), values.end()) - values.begin();
      CHECK(value_at(largest, index) == static_cast<double>(first_largest));
      CHECK(value_at(smallest, index) == static_cast<double>(first_smallest));
      CHECK(value_at(variance, index) == Approx(squares / static_cast<double>(values.size())).margin(1e-14));
      CHECK(value_at(norm, index) == Approx(std::cbrt(cubes)).margin(1e-14));
    }
  });
}

TEST_CASE("reduce: large tensors have the same bits at any number of threads, and the right values") {
  Generator generator(7);
  const Shape shapes[] = {{1000003}, {7, 70001}, {70001, 7}, {1501, 4111}, {3, 1501, 203}, {211, 19, 311}};
  for (const Shape& shape : shapes) {
    const Tensor x = uniform(shape, generator, {.low = -1.0, .high = 1.0});
    for (uint32_t axes = 1; axes < 1U << shape.rank(); ++axes) {
      Shape out = shape;
      for (int k = 0; k < shape.rank(); ++k) {
        if ((axes >> k & 1U) != 0) out = out.with(k, 1);
      }
      for (const ReduceFn fn : {ReduceFn::sum, ReduceFn::max}) {
        INFO(to_string(shape) << " to " << to_string(out) << ", function " << static_cast<int>(fn));
        Tensor first;
        for (const int threads : {1, 2, 3}) {
          const detail::ThreadCountScope scope(threads);
          Tensor y = Tensor::empty(out, DType::f32);
          kernels::reduce(fn, x, y);
          if (first.defined()) CHECK(bitwise_equal(first, y));
          first = y;
        }
        Tensor exact = Tensor::empty(out, DType::f64);
        kernels::reduce(fn, x.to(DType::f64), exact);
        Tensor difference = first.to(DType::f64);
        difference.add_(exact, -1.0);
        Tensor off = Tensor::empty(Shape(std::vector<int64_t>(static_cast<size_t>(out.rank()), 1)), DType::f64);
        Tensor size = off.clone();
        kernels::reduce(ReduceFn::max, difference, off);
        kernels::reduce(ReduceFn::min, difference, size);
        const double bound = fn == ReduceFn::max ? 0.0 : 2e-7 * static_cast<double>(x.numel() / first.numel());
        CHECK(std::max(off.item<double>(), -size.item<double>()) <= bound);
      }
    }
  }
}

TEST_CASE("reduce: an element that a stride of 0 repeats is read once") {
  const Tensor x = Tensor::from({0.1, 0.2}, {2, 1}, {.dtype = DType::f64}).expand({2, 1000});
  Tensor y = Tensor::empty({2, 1}, DType::f64);
  kernels::sum(x, y);
  CHECK(y.at({0, 0}) == 100.0);
  CHECK(y.at({1, 0}) == 200.0);
  // More elements than any machine can hold.
  Tensor all = Tensor::empty({1, 1}, DType::f32);
  kernels::sum(scalar(1.0).expand({int64_t{1} << 30, int64_t{1} << 20}), all);
  CHECK(all.item<float>() == 0x1p50F);
}

TEST_CASE("variance: a large mean does not swallow it") {
  const Tensor row = Tensor::from({10000001, 10000002, 10000004}, {1, 3});  // in f32, where the mean is rounded to 1
  for (const Tensor& x :
       {row, row.transpose(0, 1).clone().transpose(0, 1), row.expand({2, 3}).clone().slice(0, 1, 2)}) {
    Tensor y = Tensor::empty({1, 1}, DType::f32);
    kernels::variance(x, 1.0, kernels::Root::no, y);
    CHECK(y.item<float>() == Approx(7.0 / 3.0).epsilon(1e-6));
  }
  Tensor columns = Tensor::empty({1, 2}, DType::f32);
  kernels::variance(row.transpose(0, 1).expand({3, 2}).clone(), 1.0, kernels::Root::no, columns);
  CHECK(columns.at({0, 1}) == Approx(7.0 / 3.0).epsilon(1e-6));
  // Equal numbers with a rounded mean must have variance 0, not slightly less.
  Tensor none = Tensor::empty({1}, DType::f64);
  kernels::variance(full({7}, 0.1, {.dtype = DType::f64}), 1.0, kernels::Root::no, none);
  CHECK((none.item<double>() >= 0.0 && none.item<double>() < 1e-30));
}

TEST_CASE("norm: neither overflows nor underflows on the way, NaN and infinity pass") {
  const double inf = std::numeric_limits<double>::infinity();
  const auto norm_of = [](std::initializer_list<double> values, double p, DType dtype = DType::f64) {
    Tensor y = Tensor::empty({1}, dtype);
    kernels::vector_norm(Tensor::from(values, {static_cast<int64_t>(values.size())}, {.dtype = dtype}), p, y);
    return y.to(DType::f64).item<double>();
  };
  for (const double p : {2.0, 3.0}) {
    CHECK(norm_of({3e200, 0.0, 0.0}, p) == Approx(3e200));
    CHECK(norm_of({3e-200, 0.0, -3e-200}, p) == Approx(3e-200 * std::pow(2.0, 1.0 / p)));
    CHECK(norm_of({-inf, 1.0}, p) == inf);
    CHECK(std::isnan(norm_of({1.0, std::nan(""), inf}, p)));
    CHECK(norm_of({0.0, 0.0}, p) == 0.0);
  }
  CHECK(norm_of({3e30, -4e30}, 2.0, DType::f32) == Approx(5e30));
  CHECK(norm_of({3e-30, -4e-30}, 2.0, DType::f32) == Approx(5e-30));
}

}  // namespace gradus
