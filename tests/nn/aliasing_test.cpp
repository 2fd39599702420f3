// SPDX-License-Identifier: MIT
// The state that a model loads or gives out shares no memory with it.
#include <gradus/nn/module.hpp>

#include "tests/support/catch.hpp"

using namespace gradus;

namespace {

struct Pair : Layer<Pair> {
  Parameter a{parameter("a", Tensor::from({1, 2, 3, 4}, {2, 2}))};
  Parameter b{parameter("b", Tensor::from({5, 6, 7, 8}, {2, 2}))};
};

}  // namespace

TEST_CASE("a model takes its own parameters' values as if all at once") {
  Pair model;
  const Tensor a = model.a.value().clone();
  const Tensor b = model.b.value().clone();
  model.load_state_dict({{"a", model.b.value()}, {"b", model.a.value()}});
  CHECK(bitwise_equal(model.a.value(), b));
  CHECK(bitwise_equal(model.b.value(), a));
  // views of the parameters: each one's transpose in the other's place
  model.load_state_dict({{"a", model.b.value().transpose(0, 1)}, {"b", model.a.value().transpose(0, 1)}});
  CHECK(bitwise_equal(model.a.value(), a.transpose(0, 1)));
  CHECK(bitwise_equal(model.b.value(), b.transpose(0, 1)));
  // the parameter's own transpose
  model.load_state_dict({{"a", model.a.value().transpose(0, 1)}, {"b", model.b.value()}});
  CHECK(bitwise_equal(model.a.value(), a));
  CHECK(bitwise_equal(model.b.value(), b.transpose(0, 1)));
}

TEST_CASE("a state dict neither follows the model nor writes to it") {
  Pair model;
  StateDict saved = model.state_dict();
  const Tensor a = model.a.value().clone();
  model.a.mutable_value_().fill_(9.0);
  CHECK(bitwise_equal(saved[0].value, a));
  model.load_state_dict(saved);
  saved[0].value.fill_(0.0);
  CHECK(bitwise_equal(model.a.value(), a));
  model.to_(DType::f64);
  const Tensor before = model.b.value();
  model.to_(DType::f32);
  model.b.mutable_value_().fill_(1.0);
  CHECK(before.at({0, 0}) == 5.0);
}
