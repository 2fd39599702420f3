// SPDX-License-Identifier: MIT
// Starting values of weights, held to their definitions.
#include <cmath>
#include <vector>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/creation.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

struct Spread {
  double largest = 0.0;
  double mean = 0.0;
  double mean_square = 0.0;
};

Spread spread(const Tensor& x) {
  const Tensor values = x.to(DType::f64).contiguous();
  const auto count = static_cast<double>(x.numel());
  Spread result;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double value = values.data<double>()[i];
    result.largest = std::max(result.largest, std::abs(value));
    result.mean += value / count;
    result.mean_square += value * value / count;
  }
  return result;
}

// The limits are 6 standard errors. f32 rounds a bound by at most 2^-24 of it.
void check_uniform(const Tensor& x, double bound) {
  const Spread found = spread(x);
  const auto count = static_cast<double>(x.numel());
  const double variance = bound * bound / 3.0;
  INFO("within " << bound << ": " << found.largest << ", mean square " << found.mean_square);
  CHECK(found.largest <= bound * (1.0 + 0x1p-24));
  CHECK(found.largest > bound * (1.0 - 20.0 / count));  // none is nearer with probability e^-20
  CHECK(std::abs(found.mean) < 6.0 * std::sqrt(variance / count));
  CHECK(std::abs(found.mean_square - variance) < 6.0 * variance * std::sqrt(0.8 / count));
}

void check_normal(const Tensor& x, double std) {
  const Spread found = spread(x);
  const auto count = static_cast<double>(x.numel());
  INFO("std " << std << ": largest " << found.largest << ", mean square " << found.mean_square);
  CHECK(found.largest > 3.5 * std);  // 30,000 numbers are all below with probability e^-14
  CHECK(found.largest < 7.0 * std);
  CHECK(std::abs(found.mean) < 6.0 * std / std::sqrt(count));
  CHECK(std::abs(found.mean_square - std * std) < 6.0 * std * std * std::sqrt(2.0 / count));
}

// The largest element of |Q^T Q - gain^2 I| for the shorter side of x as a matrix.
double orthogonality_error(const Tensor& x, double gain = 1.0) {
  const Tensor matrix = x.reshape({x.size(0), -1}).to(DType::f64);
  const Tensor rows = matrix.size(0) > matrix.size(1) ? matrix.transpose(0, 1) : matrix;
  Tensor expected = eye(rows.size(0), {.dtype = DType::f64});
  expected.scale_(gain * gain);
  return largest_error(matmul(rows, rows.transpose(0, 1)).value(), expected);
}

}  // namespace

TEST_CASE("Xavier and Kaiming: the bounds and standard deviations of their papers, for matrices and windows") {
  const uint64_t seed = tests::seed(31);
  INFO("seed " << seed);
  Generator generator(seed);
  for (const DType dtype : {DType::f32, DType::f64}) {
    // Linear: 300 inputs, 100 outputs. conv1d: 60 channels in windows of 5 steps, 100 channels out.
    check_uniform(xavier_uniform({100, 300}, generator, {.gain = 2.0, .dtype = dtype}), 2.0 * std::sqrt(6.0 / 400.0));
    check_uniform(xavier_uniform({100, 60, 5}, generator, {.dtype = dtype}), std::sqrt(6.0 / (300.0 + 500.0)));
    check_normal(xavier_normal({100, 300}, generator, {.dtype = dtype}), std::sqrt(2.0 / 400.0));
    check_normal(xavier_normal({100, 60, 5}, generator, {.gain = 0.5, .dtype = dtype}), 0.5 * std::sqrt(2.0 / 800.0));
    check_uniform(kaiming_uniform({100, 300}, generator, {.dtype = dtype}), std::sqrt(3.0 / 300.0));
    check_uniform(kaiming_uniform({100, 60, 5}, generator, {.mode = FanMode::fan_out, .dtype = dtype}),
                  std::sqrt(3.0 / 500.0));
    check_normal(kaiming_normal({100, 60, 5}, generator, {.gain = std::sqrt(2.0), .dtype = dtype}),
                 std::sqrt(2.0 / 300.0));
    check_normal(kaiming_normal({100, 300}, generator, {.mode = FanMode::fan_out, .dtype = dtype}),
                 std::sqrt(1.0 / 100.0));
  }
  CHECK(xavier_uniform({0, 0}, generator).numel() == 0);
  CHECK(spread(kaiming_normal({5, 4}, generator, {.gain = 0.0})).largest == 0.0);
}

TEST_CASE("calculate_gain: the numbers of PyTorch; after relu and leaky_relu the mean square stays 1") {
  CHECK(calculate_gain(Nonlinearity::linear) == 1.0);
  CHECK(calculate_gain(Nonlinearity::sigmoid) == 1.0);
  CHECK(calculate_gain(Nonlinearity::tanh) == 5.0 / 3.0);
  CHECK(calculate_gain(Nonlinearity::relu) == std::sqrt(2.0));
  CHECK(calculate_gain(Nonlinearity::leaky_relu) == std::sqrt(2.0 / (1.0 + 1e-4)));
  CHECK(calculate_gain(Nonlinearity::leaky_relu, {.negative_slope = 3.0}) == std::sqrt(0.2));
  CHECK(calculate_gain(Nonlinearity::selu) == 0.75);
  const uint64_t seed = tests::seed(33);
  INFO("seed " << seed);
  Generator generator(seed);
  const Tensor z = normal({200'000}, generator, {.dtype = DType::f64});
  // The standard error of the mean square is below gain^2 sqrt(3 / 200,000) = 0.008.
  const double of_relu = calculate_gain(Nonlinearity::relu);
  CHECK(std::abs(of_relu * of_relu * spread(relu(z).value()).mean_square - 1.0) < 0.05);
  const double of_leaky = calculate_gain(Nonlinearity::leaky_relu, {.negative_slope = 0.5});
  const Variable leaky = leaky_relu(z, {.negative_slope = 0.5});
  CHECK(std::abs(of_leaky * of_leaky * spread(leaky.value()).mean_square - 1.0) < 0.05);
}

TEST_CASE("orthogonal: orthonormal rows, or columns of a tall matrix, times the gain") {
  const uint64_t seed = tests::seed(32);
  INFO("seed " << seed);
  Generator generator(seed);
  // Measured over four seeds: at most 1.8e-15 in f64 and 1.7e-7 in f32.
  for (const Shape& shape : {Shape{20, 33}, Shape{33, 20}, Shape{64, 64}, Shape{128, 64}, Shape{1, 7}, Shape{7, 1},
                             Shape{6, 5, 4}, Shape{40, 5, 4}}) {
    INFO(to_string(shape));
    const Tensor x = orthogonal(shape, generator, {.dtype = DType::f64});
    CHECK(x.shape() == shape);
    CHECK(orthogonality_error(x) < 1e-14);
    CHECK(orthogonality_error(orthogonal(shape, generator, {.gain = 3.0}), 3.0) < 1e-5);
    CHECK(orthogonality_error(orthogonal(shape, generator, {.gain = 3.0, .dtype = DType::f64}), 3.0) < 1e-13);
  }
  CHECK(orthogonal({0, 4}, generator).numel() == 0);
}

TEST_CASE("orthogonal: every orthogonal matrix is equally likely") {
  const uint64_t seed = tests::seed(34);
  INFO("seed " << seed);
  Generator generator(seed);
  // Then the trace has mean 0 and variance 1, and that of the square has mean 1 and variance 2 (Diaconis and
  // Shahshahani 1994). A decomposition whose signs are left as they come fails this. The limits are 6 standard errors
  // or more.
  constexpr int kMatrices = 4000;
  double trace = 0.0, squared = 0.0, of_square = 0.0;
  for (int m = 0; m < kMatrices; ++m) {
    const Tensor q = orthogonal({5, 5}, generator, {.dtype = DType::f64});
    double one = 0.0;
    for (int64_t i = 0; i < 5; ++i) {
      one += q.at({i, i});
      for (int64_t j = 0; j < 5; ++j) of_square += q.at({i, j}) * q.at({j, i}) / kMatrices;
    }
    trace += one / kMatrices;
    squared += one * one / kMatrices;
  }
  const double error = 6.0 / std::sqrt(static_cast<double>(kMatrices));
  CHECK(std::abs(trace) < error);
  CHECK(std::abs(squared - 1.0) < 1.5 * error);
  CHECK(std::abs(of_square - 1.0) < 1.5 * error);
}

TEST_CASE("per_gate: each gate of a packed weight is drawn for itself") {
  const uint64_t seed = tests::seed(35);
  INFO("seed " << seed);
  Generator generator(seed), same(seed);
  Gru gru({.input_size = 6, .hidden_size = 8, .dtype = DType::f64}, generator);
  Lstm lstm({.input_size = 6, .hidden_size = 8, .dtype = DType::f64}, generator);
  same.set_state(generator.state());
  for (auto& [layer, gates] : {std::pair<Module*, int64_t>(&gru, 3), {&lstm, 4}}) {
    for (const NamedParameter& named : layer->parameters()) {
      if (named.name != "weight_hh_l0") continue;
      Parameter& weight = *named.parameter;
      weight.assign_(per_gate(weight.shape(), gates, [&](const Shape& one) {
        CHECK(one == Shape{8, 8});
        return orthogonal(one, generator, {.dtype = DType::f64});
      }));
      for (int64_t g = 0; g < gates; ++g) {
        const Tensor gate = weight.value().slice(0, 8 * g, 8 * (g + 1));
        CHECK(orthogonality_error(gate) < 1e-14);
        CHECK(bitwise_equal(gate, orthogonal({8, 8}, same, {.dtype = DType::f64})));
      }
    }
  }
  // Drawn over the packed matrix, a gate has rows that are shorter than 1.
  CHECK(orthogonality_error(orthogonal({24, 8}, generator).slice(0, 0, 8)) > 0.1);
  const Tensor bias =
      per_gate({12}, 4, [](const Shape& one, int64_t gate) { return full(one, gate == 1 ? 1.0 : 0.0); });
  CHECK(bitwise_equal(bias, Tensor::from({0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0}, {12})));
  const Tensor identities = per_gate({4, 2}, 2, [](const Shape& one) { return eye(one[0], one[1]); });
  CHECK(bitwise_equal(identities, Tensor::from({1, 0, 0, 1, 1, 0, 0, 1}, {4, 2})));
}

TEST_CASE("dirac: conv1d with padding by same() gives the channels as they are") {
  Generator generator(3);
  const Tensor x = normal({2, 7, 3}, generator);
  for (const int64_t width : {1, 2, 3, 4, 5}) {
    INFO("width " << width);
    CHECK(bitwise_equal(conv1d(x, dirac({3, 3, width}), {}, {.padding = ConvPadding::same()}).value(), x));
    const Tensor wider = conv1d(x, dirac({5, 3, width}), {}, {.padding = ConvPadding::same()}).value();
    CHECK(bitwise_equal(wider.slice(2, 0, 3).contiguous(), x));
    CHECK(spread(wider.slice(2, 3, 5)).largest == 0.0);
    const Tensor fewer = conv1d(x, dirac({2, 3, width}), {}, {.padding = ConvPadding::same()}).value();
    CHECK(bitwise_equal(fewer, x.slice(2, 0, 2).contiguous()));
  }
  CHECK(dirac({3, 3, 0}).numel() == 0);
  CHECK(dirac({1, 1, 1}, {.dtype = DType::f64}).item<double>() == 1.0);
}

TEST_CASE("starting values: the same bits for a seed and for 1 and 2 threads") {
  const auto all_of = [](uint64_t seed, DType dtype) {
    Generator g(seed);
    return std::vector<Tensor>{
        xavier_uniform({300, 400}, g, {.dtype = dtype}),
        xavier_normal({300, 400}, g, {.dtype = dtype}),
        kaiming_uniform({300, 400}, g, {.dtype = dtype}),
        kaiming_normal({300, 400}, g, {.dtype = dtype}),
        orthogonal({70, 60}, g, {.dtype = dtype}),
        per_gate({210, 60}, 3, [&](const Shape& one) { return orthogonal(one, g, {.dtype = dtype}); })};
  };
  for (const DType dtype : {DType::f32, DType::f64}) {
    std::vector<Tensor> two_threads;
    {
      const detail::ThreadCountScope scope(2);
      two_threads = all_of(8, dtype);
    }
    const detail::ThreadCountScope scope(1);
    const std::vector<Tensor> one_thread = all_of(8, dtype), other = all_of(9, dtype);
    for (size_t i = 0; i < one_thread.size(); ++i) {
      INFO("function " << i);
      CHECK(one_thread[i].dtype() == dtype);
      CHECK(bitwise_equal(one_thread[i], two_threads[i]));
      CHECK_FALSE(bitwise_equal(one_thread[i], other[i]));
    }
  }
  Generator a(4), b(4);
  CHECK(bitwise_equal(orthogonal({9, 7}, a), orthogonal({9, 7}, b, {.dtype = DType::f64}).to(DType::f32)));
}

TEST_CASE("starting values: messages") {
  Generator g(1);
  using tests::error_text;
  CHECK(error_text([&] { (void)xavier_uniform({3}, g); }) ==
        "[xavier_uniform] expected a weight of rank 2 or more, got [3]");
  CHECK(error_text([&] { (void)xavier_normal({3}, g); }) ==
        "[xavier_normal] expected a weight of rank 2 or more, got [3]");
  CHECK(error_text([&] { (void)kaiming_uniform({3}, g); }) ==
        "[kaiming_uniform] expected a weight of rank 2 or more, got [3]");
  CHECK(error_text([&] { (void)kaiming_normal({}, g); }) ==
        "[kaiming_normal] expected a weight of rank 2 or more, got []");
  CHECK(error_text([&] { (void)orthogonal({3}, g); }) == "[orthogonal] expected a weight of rank 2 or more, got [3]");
  CHECK(error_text([&] {
          (void)xavier_normal({3, 2}, g, {.gain = -1.0});
        }) == "[xavier_normal] expected a finite gain >= 0, got -1");
  CHECK(error_text([&] {
          (void)kaiming_uniform({3, 2}, g, {.gain = std::nan("")});
        }) == "[kaiming_uniform] expected a finite gain >= 0, got nan");
  CHECK(error_text([&] {
          (void)orthogonal({3, 2}, g, {.dtype = DType::i64});
        }) == "[orthogonal] expected a floating dtype (f32 or f64), got i64");
  CHECK(error_text([] { (void)calculate_gain(Nonlinearity::leaky_relu, {.negative_slope = INFINITY}); }) ==
        "[calculate_gain] expected a finite negative_slope, got inf");
  CHECK(error_text([] {
          (void)dirac({3, 2});
        }) == "[dirac] expected the shape of a weight of conv1d, [out, in, width], got [3, 2]");
  const auto zeros_of = [](const Shape& one) { return zeros(one); };
  CHECK(error_text([&] {
          (void)per_gate({10, 2}, 3, zeros_of);
        }) == "[per_gate] expected a shape whose first axis is a multiple of 3 gates, got [10, 2]");
  CHECK(error_text([&] {
          (void)per_gate({10, 2}, 0, zeros_of);
        }) == "[per_gate] expected a shape whose first axis is a multiple of 0 gates, got [10, 2]");
  CHECK(error_text([&] {
          (void)per_gate({4, 2}, 2, [](const Shape&) { return zeros({2}); });
        }) == "[per_gate] expected values [2, 2] of one dtype for each gate, got f32 [2] for gate 0");
  CHECK(error_text([&] {
          (void)per_gate({4}, 2, [](const Shape& one, int64_t gate) {
            return zeros(one, {.dtype = gate == 0 ? DType::f32 : DType::f64});
          });
        }) == "[per_gate] expected values [2] of one dtype for each gate, got f64 [2] for gate 1");
}
