// SPDX-License-Identifier: MIT
// Layer norm within the cells, against the formulas of Ba et al. 2016 in scalar code.
#include <cmath>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::RandomTensors;

namespace {

using Numbers = std::vector<double>;

constexpr size_t kNormUnits = 4, kNormInput = 3;

const RecurrentOptions kNormed[] = {{.cell = CellKind::rnn,
                                     .input_size = kNormInput,
                                     .hidden_size = kNormUnits,
                                     .layer_norm = true,
                                     .dtype = DType::f64},
                                    {.cell = CellKind::rnn,
                                     .input_size = kNormInput,
                                     .hidden_size = kNormUnits,
                                     .activation = RnnActivation::relu,
                                     .layer_norm = true,
                                     .dtype = DType::f64},
                                    {.cell = CellKind::gru,
                                     .input_size = kNormInput,
                                     .hidden_size = kNormUnits,
                                     .layer_norm = true,
                                     .dtype = DType::f64},
                                    {.cell = CellKind::gru,
                                     .input_size = kNormInput,
                                     .hidden_size = kNormUnits,
                                     .reset_after = false,
                                     .layer_norm = true,
                                     .dtype = DType::f64},
                                    {.cell = CellKind::lstm,
                                     .input_size = kNormInput,
                                     .hidden_size = kNormUnits,
                                     .layer_norm = true,
                                     .dtype = DType::f64},
                                    {.cell = CellKind::lstm,
                                     .input_size = kNormInput,
                                     .hidden_size = kNormUnits,
                                     .proj_size = 2,
                                     .layer_norm = true,
                                     .dtype = DType::f64}};

Numbers numbers_of(const Variable& x) {
  const Tensor dense = x.value().contiguous();
  return {dense.data<double>(), dense.data<double>() + dense.numel()};
}

double squash(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// Rows [begin, end) of weight times x.
Numbers rows_times(const Numbers& weight, const Numbers& x, size_t begin, size_t end) {
  Numbers out;
  for (size_t row = begin; row < end; ++row) {
    double sum = 0.0;
    for (size_t k = 0; k < x.size(); ++k) sum += weight[row * x.size() + k] * x[k];
    out.push_back(sum);
  }
  return out;
}

// Normalises x and applies the weights and biases from `begin` on.
Numbers normed(const Numbers& x, const Numbers& weight, const Numbers& bias, size_t begin) {
  double mean = 0.0, variance = 0.0;
  for (const double v : x) mean += v / static_cast<double>(x.size());
  for (const double v : x) variance += (v - mean) * (v - mean) / static_cast<double>(x.size());
  Numbers out;
  for (size_t k = 0; k < x.size(); ++k) {
    out.push_back((x[k] - mean) / std::sqrt(variance + 1e-5) * weight[begin + k] + bias[begin + k]);
  }
  return out;
}

struct NormedScalarCell {
  const RecurrentOptions& options;
  Numbers weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, norm_ih, norm_hh, norm_c, bias_c;

  NormedScalarCell(const RecurrentOptions& given, const RecurrentWeights& w)
      : options(given),
        weight_ih(numbers_of(w.weight_ih)),
        weight_hh(numbers_of(w.weight_hh)),
        bias_ih(numbers_of(w.bias_ih)),
        bias_hh(numbers_of(w.bias_hh)),
        norm_ih(numbers_of(w.norm_ih)),
        norm_hh(numbers_of(w.norm_hh)) {
    if (options.proj_size > 0) weight_hr = numbers_of(w.weight_hr);
    if (options.cell != CellKind::lstm) return;
    norm_c = numbers_of(w.norm_c);
    bias_c = numbers_of(w.bias_c);
  }

  Numbers from_x(const Numbers& x, size_t begin, size_t end) const {
    return normed(rows_times(weight_ih, x, begin, end), norm_ih, bias_ih, begin);
  }
  Numbers from_h(const Numbers& h, size_t begin, size_t end) const {
    return normed(rows_times(weight_hh, h, begin, end), norm_hh, bias_hh, begin);
  }

  void step(const Numbers& x, Numbers& h, Numbers& c) const {
    constexpr size_t n = kNormUnits;
    if (options.cell == CellKind::rnn) {
      const Numbers a = from_x(x, 0, n), b = from_h(h, 0, n);
      const bool relu = options.activation == RnnActivation::relu;
      for (size_t k = 0; k < n; ++k) h[k] = relu ? std::max(a[k] + b[k], 0.0) : std::tanh(a[k] + b[k]);
    } else if (options.cell == CellKind::gru) {
      const Numbers a = from_x(x, 0, 2 * n), b = from_h(h, 0, 2 * n), d = from_x(x, 2 * n, 3 * n);
      Numbers reset_h = h;
      for (size_t k = 0; k < n; ++k) reset_h[k] *= squash(a[k] + b[k]);
      const Numbers q = from_h(options.reset_after ? h : reset_h, 2 * n, 3 * n);
      for (size_t k = 0; k < n; ++k) {
        const double r = options.reset_after ? squash(a[k] + b[k]) : 1.0, z = squash(a[n + k] + b[n + k]);
        h[k] = (1.0 - z) * std::tanh(d[k] + r * q[k]) + z * h[k];
      }
    } else {
      const Numbers a = from_x(x, 0, 4 * n), b = from_h(h, 0, 4 * n);
      for (size_t k = 0; k < n; ++k) {
        c[k] = squash(a[n + k] + b[n + k]) * c[k] + squash(a[k] + b[k]) * std::tanh(a[2 * n + k] + b[2 * n + k]);
      }
      Numbers out = normed(c, norm_c, bias_c, 0);
      for (size_t k = 0; k < n; ++k) out[k] = squash(a[3 * n + k] + b[3 * n + k]) * std::tanh(out[k]);
      h = options.proj_size > 0 ? rows_times(weight_hr, out, 0, static_cast<size_t>(options.proj_size)) : out;
    }
  }
};

void draw_parameters(Recurrent& layer, RandomTensors& random) {
  for (const NamedParameter& named : layer.parameters()) {
    named.parameter->assign_(random.floating(named.parameter->shape()));
  }
}

// The names of all ops that run.
std::set<std::string> ops_of(const std::function<void()>& run) {
  std::set<std::string> names;
  const ApplyObserver observer{
      .call = [](void* state, const OpDef& op, const Attrs&, const Variable* const*, size_t, const Variable*,
                 size_t) { static_cast<std::set<std::string>*>(state)->insert(op.name); },
      .state = &names};
  const ApplyObserver* before = context().apply_observer;
  context().apply_observer = &observer;
  run();
  context().apply_observer = before;
  return names;
}

}  // namespace

TEST_CASE("normalised cells follow the formulas of Ba et al. 2016") {
  const uint64_t seed = tests::seed(99);
  INFO("seed " << seed);
  for (const RecurrentOptions& options : kNormed) {
    INFO(cell_name(options.cell) << ", projection " << options.proj_size << ", reset after " << options.reset_after);
    Generator generator(seed);
    Recurrent layer(options, generator);
    RandomTensors random(seed);
    draw_parameters(layer, random);
    const Tensor x = random.floating({1, 3, kNormInput});
    const Tensor h0 = random.floating({1, 1, layer.state_size()});
    const bool has_cell = options.cell == CellKind::lstm;
    const Variable c0 = has_cell ? Variable(random.floating({1, 1, kNormUnits})) : Variable();
    const RecurrentOutput out = layer(x, {.h0 = h0, .c0 = c0});
    Numbers h = numbers_of(h0), c = has_cell ? numbers_of(c0) : Numbers();
    const NormedScalarCell cell(options, layer.weights(0));
    for (int64_t t = 0; t < 3; ++t) {
      cell.step(numbers_of(x.select(1, t)), h, c);
      const Numbers found = numbers_of(out.output.value().select(1, t));
      REQUIRE(found.size() == h.size());
      // Sums of at most 4 products; measured: 4e-16.
      for (size_t k = 0; k < h.size(); ++k) CHECK(std::abs(found[k] - h[k]) < 1e-13);
    }
    for (size_t k = 0; k < c.size(); ++k) CHECK(std::abs(numbers_of(out.c)[k] - c[k]) < 1e-13);
  }
}

TEST_CASE("normalised layers go step by step, from symbols, in segments, and never run a fused cell") {
  const uint64_t seed = tests::seed(100);
  INFO("seed " << seed);
  for (const RecurrentOptions& options : kNormed) {
    INFO(cell_name(options.cell));
    Generator generator(seed);
    Recurrent layer(options, generator);
    RandomTensors random(seed);
    draw_parameters(layer, random);
    const Variable table = leaf(random.floating({5, kNormInput}));
    const Tensor symbols = randint({2, 6}, generator, {.low = 0, .high = 5});
    RecurrentOutput whole;
    const std::set<std::string> ops = ops_of([&] {
      whole = layer(embedding(table, symbols));
      static_cast<void>(grad({sum(whole.output)}, {table}));
    });
    CHECK(ops.count("layer_norm") == 1);
    for (const char* fused : {"rnn_sequence", "gru_sequence", "lstm_sequence"}) CHECK(ops.count(fused) == 0);
    RecurrentState state = layer.initial_state(2);
    for (int64_t t = 0; t < 6; ++t) {
      state = layer.step(embedding(table, symbols.select(1, t)), state);
      CHECK(largest_error(select(state.h, 1, 0).value(), select(whole.output, 1, t).value()) < 1e-14);
    }
    CHECK(largest_error(layer(EmbeddedSymbols{table, symbols}).output.value(), whole.output.value()) < 1e-14);
    const RecurrentOutput cut = checkpoint_over_time(layer, embedding(table, symbols));
    CHECK(largest_error(cut.output.value(), whole.output.value()) < 1e-14);
  }
}

TEST_CASE("norms start as 1, all biases as 0, and a clone has them") {
  Generator generator(101);
  Lstm lstm({.input_size = 2, .hidden_size = 3, .num_layers = 2, .forget_bias = 1.0, .layer_norm = true}, generator);
  std::vector<std::string> names;
  for (const NamedTensor& named : lstm.clone()->state_dict()) names.push_back(named.name);
  const std::vector<std::string> one = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0",
                                        "norm_ih_l0",   "norm_hh_l0",   "norm_c_l0",  "bias_c_l0"};
  REQUIRE(names.size() == 16);
  CHECK(std::vector<std::string>(names.begin(), names.begin() + 8) == one);
  const RecurrentWeights& w = lstm.weights(0);
  CHECK(bitwise_equal(w.norm_ih.value(), ones({12})));
  CHECK(bitwise_equal(w.norm_c.value(), ones({3})));
  CHECK(bitwise_equal(w.bias_hh.value(), zeros({12})));
  CHECK(bitwise_equal(w.bias_ih.value(), concat({zeros({3}), ones({3}), zeros({6})}).value()));
}

TEST_CASE("a stepper refuses layer norm, and recur says what does not fit") {
  Generator generator(102);
  Gru normed_gru({.input_size = 2, .hidden_size = 3, .layer_norm = true}, generator);
  CHECK_THROWS_WITH(RecurrentStepper(normed_gru),
                    "[RecurrentStepper] a gru with layer_norm is not supported: call step of the layer instead");
  Gru gru({.input_size = 2, .hidden_size = 3}, generator);
  RecurrentStepper stepper(gru);
  CHECK_THROWS_WITH(stepper.reload_(normed_gru), tests::contains_text("proj_size 0, layer norm in f32"));
  CHECK_THROWS_WITH(normed_gru.recur(0, zeros({2, 4, 9}), zeros({2, 2}), {}),
                    "[gru] wrong gates_x: expected [2, 4, 6], got f32 [2, 4, 9]");
}
