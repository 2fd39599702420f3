// SPDX-License-Identifier: MIT
// Counts, indices and steps that do not fit 16 or 32 bits.
#include <climits>
#include <cmath>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using gradus::tests::error_text;

namespace {

constexpr int64_t kMany = 65536;

Tensor draw(const Shape& shape, uint64_t seed) { return detail::RandomTensors(tests::seed(seed)).floating(shape); }

// Derivatives of a sequence layer's outputs with respect to elements of gates_x [1, T, G], by differences.
template <class Sequence>
void check_long_sequence(int64_t gates, const Sequence& sequence) {
  const Tensor x = draw({1, kMany + 1, gates}, 3);
  const auto loss_of = [&](const Variable& gates_x) { return sum(square(sequence(gates_x).output)); };
  const Variable input = leaf(x);
  const Tensor gradient = grad({loss_of(input)}, {input})[0].value();
  constexpr double kStep = 1e-4;
  // Step 65,536 is step 0 in 16 bits.
  for (const int64_t t : {int64_t{0}, kMany}) {
    Tensor up = x.clone();
    Tensor down = x.clone();
    up.select(1, t).slice(1, 0, 1).add_(full({1, 1}, kStep, {.dtype = DType::f64}));
    down.select(1, t).slice(1, 0, 1).add_(full({1, 1}, -kStep, {.dtype = DType::f64}));
    const NoGrad off;
    const double slope = (tests::number(loss_of(up)) - tests::number(loss_of(down))) / (2 * kStep);
    INFO("step " << t << ", seed " << tests::seed(3));
    // Sums around 1e4 are rounded at 1e-12, so the slope is known to about 1e-8.
    CHECK(std::abs(slope) > 1e-6);
    CHECK(gradient.at({0, t, 0}) == Approx(slope).epsilon(1e-6).margin(1e-7));
  }
}

struct ManyAttrs {
  int outputs;
};

// y_k = (k + 1) sum of all inputs
const OpDef many_op = {
    .name = "many",
    .shape =
        [](ShapeArgs& s) {
          for (int k = 0; k < s.attrs<ManyAttrs>().outputs; ++k) s.output({}, DType::f64);
        },
    .forward =
        [](ForwardArgs& f) {
          double total = 0.0;
          for (int i = 0; i < f.num_inputs(); ++i) total += f.in(i).item<double>();
          for (int k = 0; k < f.attrs<ManyAttrs>().outputs; ++k) f.out(k).fill_((k + 1) * total);
        },
    .derivative =
        [](VjpArgs& v) {
          Variable total = scalar(0.0, {.dtype = DType::f64});
          for (int k = 0; k < v.num_outputs(); ++k) {
            if (v.has_cotangent(k)) total = total + v.cotangent(k) * static_cast<double>(k + 1);
          }
          for (int i = 0; i < v.num_inputs(); ++i) v.set(i, total);
        },
};

}  // namespace

TEST_CASE("an op of 65,536 inputs and more") {
  for (const int64_t count : {kMany - 1, kMany, kMany + 1}) {
    std::vector<Variable> parts(static_cast<size_t>(count), Variable(ones({1})));
    Parameter last(ones({1}));
    Parameter first(ones({1}));
    parts.front() = first;
    parts.back() = last;
    backward(sum(concat(parts, 0) * arange(count)));
    INFO(count << " parts");
    CHECK(last.grad().at({0}) == static_cast<double>(count - 1));
    CHECK(first.grad().at({0}) == 0.0);
  }
  std::vector<Variable> rows(static_cast<size_t>(kMany), Variable(ones({2})));
  Parameter row(ones({2}));
  rows.back() = row;
  backward(sum(stack(rows, 0)));
  CHECK(bitwise_equal(row.grad(), ones({2})));
}

TEST_CASE("an op of 65,536 outputs and more") {
  const Variable x = leaf(arange(kMany + 1, {.dtype = DType::f64}));
  const auto derivative_of = [&](const Variable& loss) { return grad({loss}, {x})[0].value(); };
  Tensor expected = zeros({kMany + 1}, {.dtype = DType::f64});
  expected.slice(0, kMany, kMany + 1).fill_(2.0 * static_cast<double>(kMany));
  CHECK(bitwise_equal(derivative_of(square(unbind(x, 0).back())), expected));
  CHECK(bitwise_equal(derivative_of(sum(square(split_every(x, {.axis = 0, .size = 1}).back()))), expected));
  CHECK(bitwise_equal(derivative_of(sum(square(chunk(x, {.axis = 0, .count = kMany + 1}).back()))), expected));
  const std::vector<int64_t> sizes(static_cast<size_t>(kMany + 1), 1);
  CHECK(bitwise_equal(derivative_of(sum(square(split(x, 0, sizes).back()))), expected));
}

TEST_CASE("an op with 65,537 inputs and outputs at once") {
  const Variable x = leaf(scalar(2.0, {.dtype = DType::f64}));
  const std::vector<const Variable*> inputs(static_cast<size_t>(kMany + 1), &x);
  std::vector<Variable> outputs(static_cast<size_t>(kMany + 1));
  apply_into(many_op, ManyAttrs{static_cast<int>(kMany + 1)}, inputs, outputs);
  const auto count = static_cast<double>(kMany + 1);
  CHECK(tests::number(outputs.back()) == 2.0 * count * count);
  CHECK(tests::number(grad({outputs.back()}, {x})[0]) == count * count);
}

TEST_CASE("RNN and LSTM over 65,537 steps") {
  const Tensor state = draw({1, 1}, 4);
  check_long_sequence(1, [&](const Variable& gates_x) {
    return rnn_sequence(gates_x, state, draw({1, 1}, 5), draw({1}, 6));
  });
  check_long_sequence(4, [&](const Variable& gates_x) {
    return lstm_sequence(gates_x, state, state, draw({4, 1}, 7), draw({4}, 8));
  });
}

TEST_CASE("steps beyond 32 bits") {
  const Variable x = leaf(tests::f64({1, 2, 3}, {3}));
  const Tensor second = tests::f64({0, 1, 0}, {3});
  for (const int64_t step : {int64_t{1} << 31, int64_t{1} << 32, (int64_t{1} << 32) + 1, INT64_MAX}) {
    CHECK(bitwise_equal(grad({sum(slice(x, 0, 1, 3, step))}, {x})[0].value(), second));
    CHECK(bitwise_equal(slice_backward(ones({1}, {.dtype = DType::f64}), {3}, 0, 1, step).value(), second));
    CHECK_THROWS_WITH(slice_backward(ones({2}, {.dtype = DType::f64}), {3}, 0, 1, step),
                      tests::contains_text("range out of bounds"));
  }
}

TEST_CASE("counts that no list can hold are refused before anything is allocated") {
  const Variable endless = scalar(1.0).expand({int64_t{1} << 40});
  const std::string limit = "expected at most 2147483647, got 1099511627776";
  CHECK(error_text([&] { return unbind(endless, 0); }) == "[unbind] too many parts: " + limit);
  CHECK(error_text([&] { return split_every(endless, {.axis = 0, .size = 1}); }) ==
        "[split_every] too many parts: " + limit);
  CHECK(error_text([&] { return chunk(endless, {.axis = 0, .count = int64_t{1} << 40}); }) ==
        "[chunk] too many parts: " + limit);
  const Variable x = ones({1});
  const Variable* input = &x;
  Variable out;
  CHECK(error_text([&] {
          apply_into(many_op, ManyAttrs{1}, InputSpan(&input, static_cast<size_t>(INT_MAX) + 1), {&out, 1});
        }) == "[many] too many inputs: expected at most 2147483647, got 2147483648");
}
