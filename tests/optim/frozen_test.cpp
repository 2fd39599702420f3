// SPDX-License-Identifier: MIT
// Part of a model is frozen while the rest is trained.
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/optim/optimizer.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

struct FirstSymbol : Layer<FirstSymbol> {
  using Layer::Layer;
  Embedding embedding{{.num_embeddings = 5, .embedding_size = 3}, child("embedding")};
  Gru gru{{.input_size = 3, .hidden_size = 4}, child("gru")};
  Linear output{{.input_size = 4, .output_size = 5}, child("output")};
  Variable forward(const Tensor& symbols) { return output(select(gru(embedding(symbols)).h, 1, 0)); }
};

}  // namespace

TEST_CASE("frozen parameters: no gradient, no update, and training again after") {
  Generator generator(tests::seed(64));
  FirstSymbol model(generator);
  const Tensor symbols = randint({2, 4}, generator, {.low = 0, .high = 5});
  Sgd sgd(model.parameters(), {.learning_rate = 0.5, .momentum = 0.9});
  const auto step = [&] {
    sgd.zero_grad();
    backward(sum(model(symbols) * model(symbols)));
    sgd.step();
  };
  step();
  const auto velocity = [&] {
    for (const NamedTensor& entry : sgd.state_dict()) {
      if (entry.name == "gru.weight_hh_l0.velocity") return entry.value;
    }
    return Tensor();
  };
  const Tensor kept = velocity();
  const StateDict before = model.state_dict();
  model.gru.freeze_();
  for (const NamedParameter& named : model.gru.parameters()) {
    CHECK(!named.parameter->requires_grad());
    CHECK(!named.parameter->variable().requires_grad());
    CHECK(!named.parameter->grad().defined());
  }
  CHECK(model.output.weight().requires_grad());
  step();
  CHECK(sgd.skipped() == 4);
  const StateDict after = model.state_dict();
  REQUIRE(after.size() == 7);
  for (size_t i = 0; i < after.size(); ++i) {
    INFO(after[i].name);
    CHECK(bitwise_equal(before[i].value, after[i].value) == (after[i].name.rfind("gru.", 0) == 0));
  }
  CHECK(bitwise_equal(velocity(), kept));
  CHECK(!model.gru.parameters()[0].parameter->grad().defined());
  CHECK(!model.clone()->gru.parameters()[0].parameter->requires_grad());

  model.unfreeze_();
  step();
  CHECK(sgd.skipped() == 0);
  CHECK(!bitwise_equal(velocity(), kept));
  CHECK(!bitwise_equal(model.state_dict()[2].value, after[2].value));
}
