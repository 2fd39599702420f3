// SPDX-License-Identifier: MIT
// Shapes large enough that the work is split: values and gradients must have the same bits with 1, 2 and 3 threads.
#include <functional>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/battery.hpp"
#include "tests/support/catch.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::RandomTensors;
using detail::Tensors;
using detail::Variables;

namespace {

struct Large {
  const char* name;
  std::vector<Shape> shapes;
  std::function<Variables(const Variables&)> run;
};

Tensor indices(const Shape& shape, int64_t high) { return RandomTensors(5).integers(shape, 0, high); }
Variables sequence_outputs(const SequenceOutput& out) {
  return out.c.defined() ? Variables{out.output, out.h, out.c} : Variables{out.output, out.h};
}

std::vector<Large> reductions_and_movement() {
  return {
      {"extremes and products",
       {{1501, 203}},
       [](const Variables& x) {
         return Variables{max(x[0], {0}), min(x[0], {1}), max(x[0]), prod(x[0], {1})};
       }},
      {"moments and norms",
       {{1501, 203}},
       [](const Variables& x) {
         return Variables{var(x[0], {0}),       var(x[0], {1}),      norm(x[0], {1}), norm(x[0], {0}, {.p = 3}),
                          logsumexp(x[0], {0}), logsumexp(x[0], {1})};
       }},
      {"cumsum",
       {{150, 301, 7}},
       [](const Variables& x) {
         return Variables{cumsum(x[0], 1), cumsum(x[0], 2, {.exclusive = true, .reverse = true})};
       }},
      {"cumprod",
       {{150, 301, 7}},
       [](const Variables& x) {
         return Variables{cumprod(x[0], 1), cumprod(x[0], 2, {.exclusive = true, .reverse = true})};
       }},
      {"linear scan",
       {{150, 301, 7}, {150, 301, 7}},
       [](const Variables& x) {
         return Variables{linear_scan(x[0], x[1], 1), linear_scan(x[0], x[1], 2, {.reverse = true})};
       }},
      {"movement",
       {{301, 203}},
       [](const Variables& x) {
         return Variables{flip(x[0], {0, 1}), tile(x[0], {2, 3}), roll(x[0], {.axis = 1, .shift = 5}),
                          chunk(x[0], {.axis = 0, .count = 3})[1], pad(x[0], {{1, 1}, {50, 0}})};
       }},
  };
}

std::vector<Large> sequences() {
  const Tensor lengths = RandomTensors(7).integers({33}, 0, 21);
  return {
      {"additive score",
       {{33, 20, 64}, {33, 21, 64}, {64}},
       [](const Variables& x) { return Variables{additive_score(x[0], x[1], x[2])}; }},
      {"conv1d",
       {{33, 120, 8}, {24, 8, 5}, {24}},
       [](const Variables& x) {
         return Variables{conv1d(x[0], x[1], x[2], {.padding = ConvPadding::same()}),
                          conv1d(x[0], x[1], x[2], {.stride = 2, .dilation = 3})};
       }},
      {"gru",
       {{33, 20, 192}, {33, 64}, {192, 64}, {192}},
       [lengths](const Variables& x) {
         Variables out = sequence_outputs(gru_sequence(x[0], x[1], x[2], x[3], lengths));
         for (Variable& v :
              sequence_outputs(gru_sequence(x[0], x[1], x[2], x[3], {}, {.reverse = true, .reset_after = false}))) {
           out.push_back(v);
         }
         return out;
       }},
      {"lstm",
       {{33, 20, 256}, {33, 64}, {33, 64}, {256, 64}, {256}},
       [lengths](const Variables& x) {
         Variables out = sequence_outputs(lstm_sequence(x[0], x[1], x[2], x[3], x[4], lengths));
         for (Variable& v : sequence_outputs(lstm_sequence(x[0], x[1], x[2], x[3], x[4], {}, {.reverse = true}))) {
           out.push_back(v);
         }
         return out;
       }},
      {"lstm with a projection",
       {{33, 20, 256}, {33, 24}, {33, 64}, {256, 24}, {256}, {24, 64}},
       [lengths](const Variables& x) {
         return sequence_outputs(lstm_sequence(x[0], x[1], x[2], x[3], x[4], lengths, {.w_hr = x[5]}));
       }},
      {"rnn",
       {{33, 20, 96}, {33, 96}, {96, 96}, {96}},
       [lengths](const Variables& x) {
         Variables out = sequence_outputs(rnn_sequence(x[0], x[1], x[2], x[3], lengths));
         const RnnSequenceOptions options{.reverse = true, .activation = RnnActivation::relu};
         for (Variable& v : sequence_outputs(rnn_sequence(x[0], x[1], x[2] * 0.1, x[3], {}, options))) out.push_back(v);
         return out;
       }},
  };
}

std::vector<Large> large_cases() {
  const Tensor keep = RandomTensors(6).booleans({64, 40, 37});
  return {
      {"elementwise",
       {{300, 701}, {300, 701}},
       [](const Variables& x) { return Variables{tanh(x[0] * x[1]) / exp(x[1])}; }},
      {"relu and where",
       {{200001}},
       [](const Variables& x) { return Variables{where(greater(x[0], 0.5), relu(x[0]), x[0])}; }},
      {"broadcast", {{257, 1, 31}, {1, 67, 1}}, [](const Variables& x) { return Variables{x[0] * x[1] + x[1]}; }},
      {"sum of rows", {{1501, 203}}, [](const Variables& x) { return Variables{sum(x[0], {1})}; }},
      {"sum of columns", {{1501, 203}}, [](const Variables& x) { return Variables{sum(x[0], {0})}; }},
      {"sum of all", {{700, 501}}, [](const Variables& x) { return Variables{sum(x[0])}; }},
      {"sum of a middle axis", {{40, 301, 33}}, [](const Variables& x) { return Variables{sum(x[0], {1})}; }},
      {"matmul", {{301, 203}, {203, 257}}, [](const Variables& x) { return Variables{matmul(x[0], x[1])}; }},
      {"batched matmul",
       {{33, 40, 37}, {33, 37, 50}},
       [](const Variables& x) { return Variables{matmul(x[0], x[1])}; }},
      {"linear",
       {{32, 20, 64}, {192, 64}, {192}},
       [](const Variables& x) { return Variables{linear(x[0], x[1], x[2])}; }},
      {"softmax",
       {{64, 40, 37}},
       [keep](const Variables& x) {
         return Variables{softmax(x[0], -1, keep), softmax(x[0])};
       }},
      {"cross entropy",
       {{4001, 33}},
       [](const Variables& x) { return Variables{cross_entropy_rows(x[0], indices({4001}, 33))}; }},
      {"embedding",
       {{503, 64}},
       [](const Variables& x) {
         return Variables{embedding(x[0], indices({64, 50}, 503))};
       }},
      {"dropout",
       {{200001}},
       [](const Variables& x) { return Variables{dropout(x[0], 0.3, {.key = 3, .counter = 9})}; }},
      {"concat and slices",
       {{301, 203}, {301, 99}},
       [](const Variables& x) {
         const Variable both = concat({x[0], x[1]}, 1);
         return Variables{slice(both, 1, 50, 250, 2), unbind(both, 0)[7]};
       }},
  };
}

}  // namespace

TEST_CASE("battery: large shapes have the same bits with 1, 2 and 3 threads") {
  int64_t compared = 0;
  std::vector<Large> cases = large_cases();
  for (const Large& large : reductions_and_movement()) cases.push_back(large);
  for (const Large& large : sequences()) cases.push_back(large);
  for (const Large& large : cases) {
    for (DType dtype : {DType::f32, DType::f64}) {
      INFO(large.name << " in " << dtype_name(dtype));
      RandomTensors random(seed(4));
      Tensors inputs;
      for (const Shape& shape : large.shapes)
        inputs.push_back(random.floating(shape, dtype, {.low = -0.5, .high = 0.5}));
      const auto run = [&] {
        Variables leaves;
        for (const Tensor& input : inputs) leaves.push_back(leaf(input));
        const detail::Derivatives result = detail::differentiate(large.run, leaves, 3);
        Tensors all = detail::values_of(result.gradients);
        for (const Variable& output : result.outputs) all.push_back(output.value());
        return all;
      };
      Tensors first;
      for (int threads : {1, 2, 3, 2}) {
        const detail::ThreadCountScope scope(threads);
        const Tensors got = run();
        if (first.empty()) first = got;
        for (size_t i = 0; i < got.size(); ++i) {
          INFO("tensor " << i << " with " << threads << " threads");
          CHECK(bitwise_equal(got[i], first[i]));
          CHECK(all_finite(got[i]));
          ++compared;
        }
      }
    }
  }
  std::cout << "battery: " << compared << " large tensors compared between numbers of threads\n";
}
