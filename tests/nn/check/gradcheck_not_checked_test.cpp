// SPDX-License-Identifier: MIT
// Parameters that a gradient check of a module does not reach, and blocked inputs and parameters of the layers.
#include <cstring>

#include <gradus/autograd/ops.hpp>
#include <gradus/nn/check/gradcheck.hpp>
#include <gradus/nn/check/layer_list.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/tensor/random/random.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using gradus::tests::contains_text;

namespace {

constexpr LinearOptions kInner = {.input_size = 3, .output_size = 2, .dtype = DType::f64};

// Registers only the parameters that it is told to.
class Careless : public Layer<Careless> {
 public:
  Careless(Generator& generator, bool with_scale, bool with_inner) : inner_(kInner, generator) {
    if (with_scale) register_parameter("scale", scale_);
    if (with_inner) register_module("inner", inner_);
  }
  Variable forward(const Variable& x) { return inner_(x) * scale_ + shift_; }

 private:
  Parameter shift_{parameter("shift", zeros({2}, {.dtype = DType::f64}))};
  Parameter scale_{ones({2}, {.dtype = DType::f64})};
  Linear inner_;
};

struct Idle : Layer<Idle> {
  using Layer::Layer;
  Linear used{kInner, child("used")};
  Linear idle{kInner, child("idle")};
  Variable forward(const Variable& x) { return used(x); }
};

Tensor input(Generator& generator) { return uniform({2, 3}, generator, {.low = -1.0, .dtype = DType::f64}); }
std::string headline(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

TEST_CASE("gradcheck of a module names a Parameter and a Module that were never registered") {
  Generator generator(tests::seed(41));
  const Tensor x = input(generator);
  Careless whole(generator, true, true);
  CHECK(gradcheck(whole, {{"x", x}}).ok);
  Careless without_scale(generator, false, true);
  const GradcheckReport scale = gradcheck(without_scale, {{"x", x}});
  INFO(scale.text());
  CHECK(scale.state == CheckState::not_checked);
  CHECK_THAT(headline(scale.text()), contains_text("NOT CHECKED") &&
                                         contains_text("expand in careless reads a Parameter f64 [2] that careless has "
                                                       "not registered"));
  Careless without_inner(generator, true, false);
  const GradcheckReport inner = gradcheck(without_inner, {{"x", x}});
  INFO(inner.text());
  CHECK(inner.not_checked.size() == 2);  // weight and bias
  CHECK_THAT(inner.not_checked.at(0), contains_text("linear in careless") && contains_text("a Parameter f64 [2, 3]"));
  CHECK_THROWS_WITH(self_test(without_inner, {{"x", x}}), contains_text("[self_test] linear in careless"));
}

TEST_CASE("gradcheck of a module names registered parameters that no output depends on") {
  Generator generator(tests::seed(42));
  const Tensor x = input(generator);
  Idle idle(generator);
  const GradcheckReport report = gradcheck(idle, {{"x", x}});
  INFO(report.text());
  CHECK(report.ok);
  CHECK_THAT(headline(report.text()), contains_text("no output depends on idle.weight") && contains_text("idle.bias"));
}

TEST_CASE("layers state what lengths and masks block, and the check holds them to it") {
  Generator generator(tests::seed(43));
  int64_t blocked = 0;
  for (const LayerCase& layer : all_layers()) {
    const Owned<LayerSample> sample = layer.make(generator);
    for (const NamedInput& in : sample->inputs()) blocked += in.keep.defined() ? 1 : 0;
    blocked += static_cast<int64_t>(sample->keep().size());
    if (std::strcmp(layer.name, "embedding") != 0) continue;
    const auto f = [&](const std::vector<Variable>& in) { return sample->run(in); };
    const Tensor keep = zeros({5, 3}, {.dtype = DType::boolean});
    const GradcheckReport report =
        gradcheck(sample->module(), sample->inputs(), f, {.keep = {{.input = "weight", .keep = keep}}});
    INFO(report.text());
    CHECK(report.state == CheckState::failed);
    CHECK_THAT(report.problems.at(0), contains_text("the gradient of weight [5, 3] is not 0 at 12 of the 15 elements"));
  }
  CHECK(blocked == 5 + 4 + 7 + 3 + 1 + 9 + 27 + 7 + 6);
}
