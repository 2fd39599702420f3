// SPDX-License-Identifier: MIT
// Padded, blocked or dropped elements have no effect: NaN and infinities there change no bit of values, first and
// second derivatives. Sequences without steps have gradients of zeros.
#include <functional>
#include <limits>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/creation.hpp>

#include "tests/support/literals.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::RandomTensors;

namespace {

using Values = std::vector<Variable>;
using Function = std::function<Values(const Values&)>;

constexpr double kContents[] = {1e300, std::numeric_limits<double>::infinity(),
                                -std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()};

// Outputs, and first and second derivatives by all inputs, for random cotangents. The cotangents are `content` where
// `skipped` is true for the first output.
std::vector<Tensor> everything(const Function& f, const Values& inputs, const Tensor& skipped, double content,
                               uint64_t seed) {
  RandomTensors random(seed);
  const auto cotangents = [&](const Values& of) {
    std::vector<Variable> out;
    for (const Variable& value : of) out.emplace_back(random.floating(value.shape()));
    return out;
  };
  std::vector<Tensor> all;
  const Values outputs = f(inputs);
  for (const Variable& output : outputs) all.push_back(output.value());
  std::vector<Variable> given = cotangents(outputs);
  if (skipped.defined()) given[0] = masked_fill(given[0], skipped, content);
  const Values first = grad(outputs, inputs, {.create_graph = true, .cotangents = given});
  for (const Variable& gradient : first) all.push_back(gradient.value());
  Values recorded;
  for (const Variable& gradient : first) {
    if (gradient.requires_grad()) recorded.push_back(gradient);
  }
  if (recorded.empty()) return all;
  for (const Variable& gradient : grad(recorded, inputs, {.allow_unused = true, .cotangents = cotangents(recorded)})) {
    if (gradient.defined()) all.push_back(gradient.value());
  }
  return all;
}

void check_same(const std::vector<Tensor>& expected, const std::vector<Tensor>& got) {
  REQUIRE(expected.size() == got.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    INFO("value or derivative " << i);
    CHECK(all_finite(expected[i]));
    CHECK(bitwise_equal(expected[i], got[i]));
  }
}

// x with `content` wherever `mask` is true.
Tensor filled(const Tensor& x, const Tensor& mask, double content) { return masked_fill(x, mask, content).value(); }

// bool [B, T, width], true from each length on.
Tensor beyond(const Tensor& lengths, int64_t time, int64_t width) {
  const Tensor steps = arange(0.0, static_cast<double>(time), {.dtype = DType::i64});
  const Variable past = less_equal(unsqueeze(lengths, 1), unsqueeze(steps, 0));
  return expand(unsqueeze(past, 2), {lengths.size(0), time, width}).value().contiguous();
}

struct Cell {
  const char* name;
  int64_t gates;
  int states;
  std::function<SequenceOutput(const Values& in, const Tensor& lengths, bool reverse)> run;
};

std::vector<Cell> cells() {
  const auto gru = [](bool reset_after) {
    return [=](const Values& in, const Tensor& lengths, bool reverse) {
      return gru_sequence(in[0], in[1], in[2], in[3], lengths, {.reverse = reverse, .reset_after = reset_after});
    };
  };
  return {{"rnn", 1, 1,
           [](const Values& in, const Tensor& lengths, bool reverse) {
             return rnn_sequence(in[0], in[1], in[2], in[3], lengths, {.reverse = reverse});
           }},
          {"rnn, relu", 1, 1,
           [](const Values& in, const Tensor& lengths, bool reverse) {
             return rnn_sequence(in[0], in[1], in[2], in[3], lengths,
                                 {.reverse = reverse, .activation = RnnActivation::relu});
           }},
          {"gru", 3, 1, gru(true)},
          {"gru, reset before", 3, 1, gru(false)},
          {"lstm", 4, 2, [](const Values& in, const Tensor& lengths, bool reverse) {
             return lstm_sequence(in[0], in[1], in[4], in[2], in[3], lengths, {.reverse = reverse});
           }}};
}

Values sequence_inputs(const Cell& cell, int64_t batch, int64_t time, int64_t hidden, RandomTensors& random) {
  Values out = {leaf(random.floating({batch, time, cell.gates * hidden})), leaf(random.floating({batch, hidden})),
                leaf(random.floating({cell.gates * hidden, hidden})), leaf(random.floating({cell.gates * hidden}))};
  if (cell.states == 2) out.push_back(leaf(random.floating({batch, hidden})));
  return out;
}

Values outputs_of(const SequenceOutput& out) {
  Values all = {out.output, out.h};
  if (out.c.defined()) all.push_back(out.c);
  return all;
}

}  // namespace

TEST_CASE("padding: sequences do not touch steps beyond a length, nor the states of rows of length 0") {
  const uint64_t seed = tests::seed(81);
  INFO("seed " << seed);
  for (const Tensor& lengths : {i64({5, 4, 1, 0}, {4}), i64({0, 0, 0, 0}, {4}), i64({2, 3, 2, 1}, {4})}) {
    for (const Cell& cell : cells()) {
      for (const bool reverse : {false, true}) {
        INFO(cell.name << (reverse ? ", reverse" : "") << ", lengths " << to_string(lengths));
        RandomTensors random(seed);
        const Values inputs = sequence_inputs(cell, 4, 5, 2, random);
        const auto run = [&](double content) {
          Values given = inputs;
          given[0] = leaf(filled(inputs[0].value(), beyond(lengths, 5, cell.gates * 2), content));
          const Function f = [&](const Values& in) { return outputs_of(cell.run(in, lengths, reverse)); };
          return everything(f, given, beyond(lengths, 5, 2), content, seed);
        };
        const std::vector<Tensor> expected = run(0.0);
        for (const double content : kContents) check_same(expected, run(content));
      }
    }
  }
}

TEST_CASE("padding: a state that is not used meets no weight") {
  const uint64_t seed = tests::seed(82);
  INFO("seed " << seed);
  for (const Cell& cell : cells()) {
    INFO(cell.name);
    RandomTensors random(seed);
    const Values inputs = sequence_inputs(cell, 2, 3, 2, random);
    const auto run = [&](double content) {
      const auto spoiled = [&](const Variable& state) {
        return Variable(filled(state.value(), bools({0, 0, 1, 1}, {2, 2}), content));
      };
      const Variable h0 = spoiled(inputs[1]);
      const Variable c0 = cell.states == 2 ? spoiled(inputs[4]) : Variable();
      const Function f = [&](const Values& in) {
        return Values{cell.run({in[0], h0, in[1], in[2], c0}, i64({3, 0}, {2}), false).output};
      };
      return everything(f, {inputs[0], inputs[2], inputs[3]}, Tensor(), 0.0, seed);
    };
    const std::vector<Tensor> expected = run(0.0);
    for (const double content : kContents) check_same(expected, run(content));
  }
}

TEST_CASE("padding: sequences of no steps give empty outputs, the states as they were, and gradients of zeros") {
  const uint64_t seed = tests::seed(83);
  INFO("seed " << seed);
  for (const Cell& cell : cells()) {
    for (const bool reverse : {false, true}) {
      for (const bool padded : {false, true}) {
        INFO(cell.name << (reverse ? ", reverse" : ""));
        RandomTensors random(seed);
        const Values inputs = sequence_inputs(cell, 2, 0, 3, random);
        const SequenceOutput out = cell.run(inputs, padded ? i64({0, 0}, {2}) : Tensor(), reverse);
        CHECK(out.output.shape() == Shape{2, 0, 3});
        CHECK(bitwise_equal(out.h.value(), inputs[1].value()));
        const Values of_output = grad({sum(out.output)}, inputs, {.retain_graph = true});
        for (const Variable& gradient : of_output) CHECK(all_zero(gradient.value()));
        const Values of_state = grad({sum(out.h)}, inputs, {.allow_unused = true});
        for (size_t i = 0; i < inputs.size(); ++i) {
          CAPTURE(i);
          if (cell.states == 2 && i == 4) continue;  // h does not depend on c0
          REQUIRE(of_state[i].defined());
          CHECK(of_state[i].shape() == inputs[i].shape());
          CHECK((i == 1 ? bitwise_equal(of_state[i].value(), ones({2, 3}, {.dtype = DType::f64}))
                        : all_zero(of_state[i].value())));
        }
      }
    }
  }
}

TEST_CASE("padding: losses do not touch rows whose target is ignored") {
  const uint64_t seed = tests::seed(84);
  INFO("seed " << seed);
  const Tensor targets = i64({1, -100, 3, -100}, {4});
  const Tensor ignored = bools({0, 1, 0, 1}, {4, 1}).expand({4, 5}).contiguous();
  const Tensor weights = f64({1, 2, 0, 4, 5}, {5});
  const std::vector<std::pair<const char*, Function>> losses = {
      {"cross_entropy", [&](const Values& in) { return Values{cross_entropy(in[0], targets)}; }},
      {"cross_entropy, smoothed",
       [&](const Values& in) { return Values{cross_entropy(in[0], targets, {.label_smoothing = 0.1})}; }},
      {"cross_entropy, weighted",
       [&](const Values& in) { return Values{cross_entropy(in[0], targets, {.weight = weights})}; }},
      {"cross_entropy, weighted and smoothed",
       [&](const Values& in) {
         return Values{cross_entropy(in[0], targets, {.weight = weights, .label_smoothing = 0.1})};
       }},
      {"cross_entropy, rows", [&](const Values& in) { return Values{cross_entropy_rows(in[0], targets)}; }},
      {"nll_loss", [&](const Values& in) { return Values{nll_loss(in[0], targets)}; }},
      {"nll_loss, weighted", [&](const Values& in) { return Values{nll_loss(in[0], targets, {.weight = weights})}; }},
  };
  for (const auto& each : losses) {
    INFO(each.first);
    RandomTensors random(seed);
    const Tensor rows = random.floating({4, 5});
    const auto run = [&](double content) {
      return everything(each.second, {leaf(filled(rows, ignored, content))}, Tensor(), 0.0, seed);
    };
    const std::vector<Tensor> expected = run(0.0);
    for (const double content : kContents) {
      INFO("content " << content);
      check_same(expected, run(content));
    }
  }
}

TEST_CASE("padding: selections do not touch what they leave out") {
  const uint64_t seed = tests::seed(85);
  INFO("seed " << seed);
  const Tensor keep = bools({1, 0, 1, /**/ 1, 1, 0, /**/ 0, 0, 0}, {3, 3});
  const Tensor out = logical_not(keep).value();
  const std::vector<std::pair<const char*, Function>> functions = {
      {"softmax", [&](const Values& in) { return Values{softmax(in[0], -1, keep)}; }},
      {"where", [&](const Values& in) { return Values{where(keep, exp(in[0]), zeros({}, {.dtype = DType::f64}))}; }},
      {"masked_fill", [&](const Values& in) { return Values{masked_fill(in[0] * in[0], out, 2.0)}; }},
  };
  for (const auto& each : functions) {
    INFO(each.first);
    const bool is_function_of_all = std::string(each.first) != "softmax";  // exp and * see every element
    RandomTensors random(seed);
    const Tensor x = random.floating({3, 3});
    const auto run = [&](double content) {
      const Tensor given = is_function_of_all ? x : filled(x, out, content);
      return everything(each.second, {leaf(given)}, out, content, seed);
    };
    const std::vector<Tensor> expected = run(0.0);
    for (const double content : kContents) check_same(expected, run(content));
  }
  // The elements that dropout drops are those whose output is 0.
  const RandomPosition key{.key = 7, .counter = 3};
  RandomTensors random(seed);
  const Tensor x = random.floating({4, 9});
  const Tensor dropped = equal(dropout(x, 0.5, key), 0.0).value();
  REQUIRE(sum(dropped.to(DType::f64)).value().item<double>() > 5);
  const auto run = [&](double content) {
    return everything([&](const Values& in) { return Values{dropout(in[0], 0.5, key)}; },
                      {leaf(filled(x, dropped, content))}, dropped, content, seed);
  };
  const std::vector<Tensor> expected = run(0.0);
  for (const double content : kContents) check_same(expected, run(content));
}
