// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/model/head_weights.hpp>

#include <algorithm>

#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/creation.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/literals.hpp"

using namespace gradus::examples;
using gradus::Generator;
using gradus::Tensor;

TEST_CASE("the heads of a transformer's last layer have the mean that it shows while it decodes") {
  ModelSettings settings(ModelKind::transformer);
  for (const Setting& setting : {Setting{"hidden", "8"}, {"heads", "2"}, {"layers", "3"}}) settings.set(setting);
  Generator generator(3);
  const AnyModel model = make_model(settings, 7, generator);
  const Tensor source = gradus::tests::i64({4, 2, 6, 3}, {1, 4});
  const gradus::Decoded decoded = model->greedy(source, gradus::tests::i64({4}, {1}),
                                                {.begin = 1, .end = 0, .max_length = 5, .want_attention = true});
  const int64_t steps = std::min<int64_t>(decoded.lengths.data<int64_t>()[0] + 1, decoded.attention.size(1));
  Tensor before = gradus::ones({1, steps}, {.dtype = gradus::DType::i64});
  for (int64_t i = 1; i < steps; ++i) before.slice(1, i, i + 1).copy_(decoded.symbols.slice(1, i - 1, i));
  const Tensor weights = head_weights(*model, source, before);
  REQUIRE(weights.shape() == gradus::Shape{3, 2, steps, 4});
  const Tensor mean = gradus::mean(gradus::Variable(weights.slice(0, 2, 3)), {1}).value();
  CHECK(gradus::largest_error(mean, decoded.attention.slice(1, 0, steps)) < 1e-5);
  CHECK(gradus::largest_error(weights.select(1, 0), weights.select(1, 1)) > 1e-3);
  for (const gradus::NamedModule& named : model->module().modules()) CHECK_FALSE(named.module->has_hooks());
}
