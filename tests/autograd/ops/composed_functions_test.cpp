// SPDX-License-Identifier: MIT
// First and second derivatives of public functions that use more than one op (broadcasting, reshaping, whole
// recurrences).
#include <functional>
#include <iostream>

#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/gradcheck.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

using Inputs = std::vector<Variable>;

struct Composed {
  const char* name;
  std::vector<Shape> shapes;
  std::function<Inputs(const Inputs&)> run;
};

Tensor lengths() { return Tensor::from({5, 4, 1, 0}, {4}, {.dtype = DType::i64}); }
Tensor targets() { return Tensor::from({2, -100, 0, 1, 2, 2}, {2, 3}, {.dtype = DType::i64}); }
Inputs states_of(const SequenceOutput& out) {
  return out.c.defined() ? Inputs{out.output, out.h, out.c} : Inputs{out.output, out.h};
}

std::vector<Composed> arithmetic_cases() {
  return {
      {"broadcast add and mul",
       {{2, 1, 3}, {4, 1}},
       [](const Inputs& x) {
         return Inputs{x[0] + x[1], x[0] * x[1]};
       }},
      {"broadcast sub and div",
       {{3}, {2, 3}, {}},
       [](const Inputs& x) {
         return Inputs{x[0] - x[1], x[0] / (square(x[1]) + 1.0), x[1] * x[2]};
       }},
      {"numbers", {{3}}, [](const Inputs& x) { return Inputs{2.0 / (x[0] * x[0] + 1.0) - (1.0 - x[0]) / 3.0}; }},
      {"where", {{2, 3}, {3}}, [](const Inputs& x) { return Inputs{where(greater(x[0], 0.0), x[0] * x[0], x[1])}; }},
      {"sum and mean",
       {{2, 3, 2}},
       [](const Inputs& x) {
         return Inputs{sum(square(x[0]), {0, -1}), mean(square(x[0]), {1}, {.keepdim = true}), mean(exp(x[0]))};
       }},
      {"views",
       {{3, 4}},
       [](const Inputs& x) {
         const Variable y = square(x[0]);
         return Inputs{select(y, 0, -1), stack({select(y, 1, 0), select(y, 1, 3)}, 1), squeeze(slice(y, 0, 1, 2), 0),
                       transpose(y, 0, 1), permute(unsqueeze(y, 1), {2, 0, 1})};
       }},
  };
}

std::vector<Composed> product_cases() {
  return {
      {"vector times matrix", {{3}, {3, 2}}, [](const Inputs& x) { return Inputs{matmul(x[0], x[1])}; }},
      {"matrix times vector", {{2, 3}, {3}}, [](const Inputs& x) { return Inputs{matmul(x[0], x[1])}; }},
      {"vector times vector", {{3}, {3}}, [](const Inputs& x) { return Inputs{matmul(x[0], x[1])}; }},
      {"batch times matrix", {{2, 2, 3}, {3, 2}}, [](const Inputs& x) { return Inputs{matmul(x[0], x[1])}; }},
      {"batches that broadcast", {{2, 1, 2, 3}, {3, 3, 2}}, [](const Inputs& x) { return Inputs{matmul(x[0], x[1])}; }},
      {"linear of a batch", {{2, 2, 3}, {4, 3}, {4}}, [](const Inputs& x) { return Inputs{linear(x[0], x[1], x[2])}; }},
      {"linear of a vector", {{3}, {4, 3}}, [](const Inputs& x) { return Inputs{linear(x[0], x[1])}; }},
      {"cross entropy", {{2, 3, 3}}, [](const Inputs& x) { return Inputs{cross_entropy(x[0], targets())}; }},
      {"cross entropy, all ignored",
       {{2, 3}},
       [](const Inputs& x) { return Inputs{cross_entropy(x[0], full({2}, -100, {.dtype = DType::i64}))}; }},
  };
}

std::vector<Composed> recurrent_cases() {
  std::vector<Composed> cases;
  for (const bool reverse : {false, true}) {
    cases.push_back(
        {reverse ? "lstm, reverse" : "lstm", {{4, 5, 8}, {4, 2}, {4, 2}, {8, 2}, {8}}, [reverse](const Inputs& x) {
           return states_of(lstm_sequence(x[0], x[1], x[2], x[3], x[4], lengths(), {.reverse = reverse}));
         }});
    cases.push_back({reverse ? "rnn, reverse" : "rnn", {{4, 5, 3}, {4, 3}, {3, 3}, {3}}, [reverse](const Inputs& x) {
                       return states_of(rnn_sequence(x[0], x[1], x[2], x[3], lengths(), {.reverse = reverse}));
                     }});
  }
  cases.push_back({"lstm without lengths", {{1, 3, 8}, {1, 2}, {1, 2}, {8, 2}, {8}}, [](const Inputs& x) {
                     return states_of(lstm_sequence(x[0], x[1], x[2], x[3], x[4]));
                   }});
  return cases;
}

void check_all(const std::vector<Composed>& cases) {
  for (const Composed& composed : cases) {
    const uint64_t seed = tests::seed(21);
    detail::RandomTensors random(seed);
    std::vector<NamedInput> inputs;
    for (const Shape& shape : composed.shapes) {
      const Domain domain{.low = -1.5, .high = 1.5, .keep_away = {0.0}};
      inputs.push_back({"input " + std::to_string(inputs.size()), random.floating(shape, DType::f64, domain)});
    }
    const GradcheckReport report = gradcheck(composed.run, inputs, {.order = 2, .seed = seed});
    INFO(composed.name << ", seed " << seed << "\n" << report.text());
    CHECK(report.ok);
    CHECK(report.worst_error(1) < 1e-9);
    CHECK(report.worst_error(2) < 1e-8);
    for (const GradcheckResult& result : report.results) {
      if (result.order == 1) CHECK(result.reached);
    }
  }
}

}  // namespace

TEST_CASE("composed functions: arithmetic that broadcasts, reductions and views") { check_all(arithmetic_cases()); }

TEST_CASE("composed functions: products of every rank, losses") { check_all(product_cases()); }

TEST_CASE("composed functions: recurrences with lengths 5, 4, 1 and 0, both directions") {
  check_all(recurrent_cases());
}
