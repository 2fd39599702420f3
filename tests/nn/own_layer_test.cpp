// SPDX-License-Identifier: MIT
// Layers of one's own: members that register themselves, kinds, places, and what is refused.
#include <optional>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/nn/check/gradcheck.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using gradus::tests::error_text;

namespace {

struct FirstSymbol : Layer<FirstSymbol> {
  using Layer::Layer;
  Embedding embedding{{.num_embeddings = 5, .embedding_size = 3}, child("embedding")};
  Gru gru{{.input_size = 3, .hidden_size = 4}, child("gru")};
  Linear output{{.input_size = 4, .output_size = 5}, child("output")};
  Variable forward(const Tensor& symbols) { return output(select(gru(embedding(symbols)).h, 1, 0)); }
};

constexpr LinearOptions kSquare = {.input_size = 2, .output_size = 2, .dtype = DType::f64};

// With a constructor of its own, names made at run time, and a member that may be absent.
struct BlockOptions {
  int64_t depth = 2;
  bool gate = false;
};
class Block : public Layer<Block, BlockOptions> {
 public:
  Block(const BlockOptions& options, const Place& place) : Layer(options, place) {
    for (int64_t i = 0; i < options.depth; ++i) {
      std::string name = "w" + std::to_string(i);
      weights_.emplace_back(new Parameter(parameter(name, ones({2}, {.dtype = DType::f64}))));
      name = "gone";
    }
    if (options.gate) gate_.emplace(kSquare, child("gate" + std::to_string(options.depth)));
  }
  Variable forward(const Variable& x) {
    Variable y = gate_ ? x * sigmoid((*gate_)(x)) : x;
    for (const Owned<Parameter>& weight : weights_) y = y * *weight;
    return y;
  }

 private:
  std::vector<Owned<Parameter>> weights_;
  std::optional<Linear> gate_;
};

struct Shift : Layer<Shift> {
  Parameter by{parameter("by", zeros({2}), {{"unit"}})};
  Variable forward(const Variable& x) { return x + by; }
};

// Forgets to register what it is told to.
class Forgetful : public Layer<Forgetful> {
 public:
  Forgetful(const Place& place, bool module, bool parameter) : Layer(place), inner_(kSquare, generator()) {
    if (!module) register_module("inner", inner_);
    if (!parameter) register_parameter("scale", scale_);
  }
  Variable forward(const Variable& x) { return inner_(x) * scale_; }

 private:
  Parameter scale_{ones({2}, {.dtype = DType::f64})};
  Linear inner_;
};

struct GivesItsOwnPlace : Layer<GivesItsOwnPlace> {
  explicit GivesItsOwnPlace(const Place& place) : Layer(place), inner(kSquare, place) {}
  Linear inner;
};

struct TakesGenerator : Layer<TakesGenerator> {
  explicit TakesGenerator(Generator& generator) : Layer(generator) {}
  Linear inner{kSquare, child("inner")};
};

struct Late : Layer<Late> {
  using Layer::Layer;
  void add() { static_cast<void>(child("late")); }
};

struct Thrower : Layer<Thrower> {
  explicit Thrower(const Place& place) : Layer(place) { GRADUS_CHECK(false, "[thrower] refuses: expected nothing"); }
};
struct Survivor : Layer<Survivor> {
  explicit Survivor(const Place& place) : Layer(place) {
    try {
      broken.emplace(child("broken"));
    } catch (const Error&) {
      broken.reset();
    }
  }
  std::optional<Thrower> broken;
};

struct HTTPServer2Go : Layer<HTTPServer2Go> {};
template <class T>
struct BoxOf : Layer<BoxOf<T>> {
  struct Inner : Layer<Inner> {};
};

std::vector<std::string> names_of(Module& module) {
  std::vector<std::string> names;
  for (const NamedParameter& named : module.parameters()) names.push_back(named.name);
  return names;
}

}  // namespace

TEST_CASE("own layers: members register themselves in the order of their declaration") {
  Generator generator(tests::seed(60));
  FirstSymbol model(generator);
  CHECK(names_of(model) == std::vector<std::string>{"embedding.weight", "gru.weight_ih_l0", "gru.weight_hh_l0",
                                                    "gru.bias_ih_l0", "gru.bias_hh_l0", "output.weight",
                                                    "output.bias"});
  CHECK(model.name() == "first_symbol");
  CHECK(model.gru.name() == "gru");
  CHECK(&model.submodule("gru") == &model.gru);
  const Tensor symbols = randint({2, 4}, generator, {.low = 0, .high = 5});
  const Owned<FirstSymbol> copy = model.clone();
  CHECK(bitwise_equal((*copy)(symbols).value(), model(symbols).value()));
  model.eval_();
  CHECK(!model.gru.training());
  model.to_(DType::f64);
  const auto f = [&](const std::vector<Variable>&) { return model(symbols); };
  CHECK(gradcheck(model, {}, f).ok);
  // The same draws, in the same order, as of its members one after the other.
  Generator one(7);
  Generator two(7);
  FirstSymbol whole(one);
  const Embedding embedding(whole.embedding.options(), two);
  const Gru gru(whole.gru.options(), two);
  const Linear output(whole.output.options(), two);
  CHECK(bitwise_equal(whole.output.weight().value(), output.weight().value()));
  CHECK(one.counter() == two.counter());
}

TEST_CASE("own layers: names made at run time are kept, and options serve the copy") {
  Generator generator(tests::seed(61));
  Block block({.depth = 3, .gate = true}, generator);
  CHECK(names_of(block) == std::vector<std::string>{"w0", "w1", "w2", "gate3.weight", "gate3.bias"});
  const Tensor x = uniform({3, 2}, generator, {.low = -1.0, .dtype = DType::f64});
  const Owned<Block> copy = block.clone();
  CHECK(names_of(*copy) == names_of(block));
  CHECK(copy->options().gate);
  CHECK(bitwise_equal((*copy)(x).value(), block(x).value()));
  CHECK(gradcheck(block, {{"x", x}}, {.order = 2}).ok);
}

TEST_CASE("own layers: one without random numbers needs no generator") {
  Shift shift;
  CHECK(names_of(shift) == std::vector<std::string>{"by"});
  CHECK(shift.axis_labels().at(0).axes.at(0).name == "unit");
  shift.by.mutable_value_().fill_(2.0);
  CHECK(bitwise_equal((*shift.clone())(zeros({2})).value(), full({2}, 2.0)));
}

TEST_CASE("own layers: the kind is the type's name in snake_case") {
  CHECK(std::string(Shift().kind()) == "shift");
  CHECK(std::string(HTTPServer2Go().kind()) == "http_server2go");
  CHECK(std::string(BoxOf<std::vector<int>>().kind()) == "box_of");
  CHECK(std::string(BoxOf<int>::Inner().kind()) == "inner");
  struct LocalLayer : Layer<LocalLayer> {};
  CHECK(std::string(LocalLayer().kind()) == "local_layer");
}

TEST_CASE("own layers: a member that was never registered is an error at the first call") {
  Generator generator(tests::seed(62));
  const Tensor x = ones({1, 2}, {.dtype = DType::f64});
  Forgetful whole(generator, false, false);
  CHECK(whole(x).shape() == Shape{1, 2});
  Forgetful without_module(generator, true, false);
  const std::string expected =
      " that is a member and was never registered: expected it, or the module that holds it, to be built at "
      "child(name) or parameter(name, value), or registered (in forgetful)";
  CHECK(error_text([&] { return without_module(x); }) ==
        "[forgetful] linear in forgetful.linear reads a Parameter f64 [2, 2]" + expected);
  CHECK(error_text([&] { return without_module(x); }) != "");  // and at the next one
  Forgetful without_parameter(generator, false, true);
  const NoGrad unrecorded;
  CHECK_THROWS_WITH(without_parameter(x),
                    tests::contains_text("[forgetful] expand in forgetful reads a Parameter f64 [2]" + expected));
}

TEST_CASE("own layers: places that cannot be built at are refused") {
  Generator generator(tests::seed(63));
  CHECK(error_text([&] { const GivesItsOwnPlace layer(generator); }) ==
        "[linear] the place is taken by gives_its_own_place: expected child(name) of it");
  const std::string no_generator =
      "there is no generator to draw from: expected a call while the module is built, from a Place that its "
      "constructor "
      "hands to Layer";
  CHECK(error_text([&] { const TakesGenerator layer(generator); }) == "[takes_generator] " + no_generator);
  CHECK(error_text([&] { const FirstSymbol model; }) == "[first_symbol] " + no_generator);
  Late late(generator);
  CHECK(error_text([&] { late.add(); }) == "[late] " + no_generator);
  Survivor survivor(generator);
  CHECK(survivor.modules().size() == 1);
}

TEST_CASE("frozen parameters: one alone, in graphs recorded before, and what is refused") {
  Parameter p(ones({2}));
  const Variable before = sum(p * p);
  backward(before, {.retain_graph = true});
  p.set_requires_grad_(false);
  CHECK(!p.grad().defined());
  CHECK(!(p * 2.0).requires_grad());
  backward(before, {.retain_graph = true});
  CHECK(!p.grad().defined());
  CHECK(error_text([&] { p.set_grad_(ones({2})); }) ==
        "[set_grad_] the parameter f32 [2] is frozen: expected no gradient, got f32 [2]");
  p.reset_(ones({2}, {.dtype = DType::f64}));
  CHECK(!p.variable().requires_grad());
  p.reset_(full({2}, 3.0));
  p.set_requires_grad_(true);
  backward(sum(p * p));
  CHECK(bitwise_equal(p.grad(), full({2}, 6.0)));
}

TEST_CASE("frozen parameters: gradcheck of a module leaves them out, and says so") {
  Generator generator(tests::seed(65));
  Linear linear(kSquare, generator);
  const Tensor x = uniform({3, 2}, generator, {.low = -1.0, .dtype = DType::f64});
  linear.submodule("").parameters()[0].parameter->set_requires_grad_(false);
  const GradcheckReport report = gradcheck(linear, {{"x", x}});
  INFO(report.text());
  CHECK(report.ok);
  CHECK(report.frozen == std::vector<std::string>{"weight"});
  REQUIRE(report.results.size() == 2);
  CHECK(report.results[0].input == "x");
  CHECK(report.results[1].input == "bias");
  const std::string headline = report.text().substr(0, report.text().find('\n'));
  CHECK_THAT(headline, tests::contains_text("PASS") && tests::contains_text("; frozen and not checked: weight"));
  CHECK(report.json().find("\"frozen\": [\n    \"weight\"\n  ]") != std::string::npos);
  CHECK(!linear.weight().requires_grad());
}
