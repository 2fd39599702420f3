// SPDX-License-Identifier: MIT
// Names, state dictionaries, modes and copies of modules.
#include <cmath>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;

namespace {

std::vector<std::string> names_of(const StateDict& state) {
  std::vector<std::string> names;
  for (const NamedTensor& entry : state) names.push_back(entry.name);
  return names;
}

struct NetOptions {
  int64_t width = 3;
  double dropout = 0.5;
};

// A user's own net.
struct Net : Layer<Net, NetOptions> {
  using Layer::Layer;
  Linear first{{.input_size = options().width, .output_size = options().width}, child("first")};
  Dropout dropout{{.p = options().dropout}, child("dropout")};
  Parameter scale{parameter("scale", ones({options().width}))};
  Variable forward(const Variable& x) { return dropout(first(x)) * scale.variable(); }
};

struct Outer : Layer<Outer> {
  using Layer::Layer;
  Net inner{{}, child("inner")};
  Variable forward(const Variable& x) { return inner(x); }
};

// One weight under two names.
struct Tied : Layer<Tied> {
  Tied() { register_parameter("output", weight); }
  Parameter weight{parameter("input", ones({2, 2}))};
};

class Registrar : public Layer<Registrar> {
 public:
  void add(const char* name) { register_parameter(name, weight_); }
  void add_labelled(const char* name) { register_parameter(name, weight_, {{"row"}, {"column"}}); }

 private:
  Parameter weight_{ones({1})};
};

std::string error_of(Module& module, const StateDict& state, const LoadOptions& options = {}) {
  try {
    module.load_state_dict(state, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("state dictionaries have PyTorch's names, in PyTorch's order") {
  Generator generator(1);
  const Lstm lstm({.input_size = 2, .hidden_size = 3, .num_layers = 2, .bidirectional = true}, generator);
  // list(torch.nn.LSTM(2, 3, num_layers=2, bidirectional=True).state_dict())
  CHECK(names_of(lstm.state_dict()) ==
        std::vector<std::string>{"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0", "weight_ih_l0_reverse",
                                 "weight_hh_l0_reverse", "bias_ih_l0_reverse", "bias_hh_l0_reverse", "weight_ih_l1",
                                 "weight_hh_l1", "bias_ih_l1", "bias_hh_l1", "weight_ih_l1_reverse",
                                 "weight_hh_l1_reverse", "bias_ih_l1_reverse", "bias_hh_l1_reverse"});
  const StateDict state = lstm.state_dict();
  CHECK(state[0].value.shape() == Shape{12, 2});
  CHECK(state[1].value.shape() == Shape{12, 3});
  CHECK(state[8].value.shape() == Shape{12, 6});
  CHECK(state[10].value.shape() == Shape{12});
  CHECK(names_of(Linear({.input_size = 2, .output_size = 3}, generator).state_dict()) ==
        std::vector<std::string>{"weight", "bias"});
  CHECK(names_of(Embedding({.num_embeddings = 2, .embedding_size = 3}, generator).state_dict()) ==
        std::vector<std::string>{"weight"});
}

TEST_CASE("a seq2seq's state dictionary is the tree of its parts") {
  Generator generator(1);
  const Seq2Seq model({.source_vocab = 20, .target_vocab = 20, .dropout = 0.1}, generator);
  CHECK(names_of(model.state_dict()) == std::vector<std::string>{"source_embedding.weight",
                                                                 "target_embedding.weight",
                                                                 "encoder.weight_ih_l0",
                                                                 "encoder.weight_hh_l0",
                                                                 "encoder.bias_ih_l0",
                                                                 "encoder.bias_hh_l0",
                                                                 "encoder.weight_ih_l0_reverse",
                                                                 "encoder.weight_hh_l0_reverse",
                                                                 "encoder.bias_ih_l0_reverse",
                                                                 "encoder.bias_hh_l0_reverse",
                                                                 "bridge.weight",
                                                                 "bridge.bias",
                                                                 "attention.v",
                                                                 "attention.query_proj.weight",
                                                                 "attention.key_proj.weight",
                                                                 "decoder.weight_ih_l0",
                                                                 "decoder.weight_hh_l0",
                                                                 "decoder.bias_ih_l0",
                                                                 "decoder.bias_hh_l0",
                                                                 "output.weight",
                                                                 "output.bias"});
  CHECK(model.parameter_count() == 103316);
  const std::vector<std::string> with_streams = names_of(model.state_dict({.generators = true}));
  REQUIRE(with_streams.size() == 22);
  CHECK(with_streams.back() == "dropout.generator");
}

TEST_CASE("a state dictionary is a copy, and loading it restores every bit") {
  Generator generator(2);
  Net net({}, generator);
  const StateDict best = net.state_dict();
  for (const NamedParameter& named : net.parameters())
    named.parameter->mutable_value_().add_(ones(named.parameter->shape()));
  const StateDict moved = net.state_dict();
  for (size_t i = 0; i < best.size(); ++i) CHECK(!bitwise_equal(best[i].value, moved[i].value));
  net.load_state_dict(best);
  const StateDict restored = net.state_dict();
  for (size_t i = 0; i < best.size(); ++i) CHECK(bitwise_equal(best[i].value, restored[i].value));
}

TEST_CASE("load_state_dict names everything that does not fit in one error, and changes nothing") {
  Generator generator(3);
  Net net({}, generator);
  const StateDict before = net.state_dict();
  StateDict wrong = {{"scale", zeros({4})},
                     {"first.weight", zeros({3, 3})},
                     {"first.weight", zeros({3, 3})},
                     {"second.weight", zeros({1})}};
  CHECK(
      error_of(net, wrong) ==
      "[load_state_dict] the dictionary does not fit net: missing: first.bias; unexpected: second.weight; given twice: "
      "first.weight; wrong shape: scale: expected f32 [3], got f32 [4]");
  CHECK(error_of(net, {{"scale", zeros({3}, {.dtype = DType::i64})}}, {.strict = false}) ==
        "[load_state_dict] the dictionary does not fit net: wrong shape: scale: expected f32 [3], got i64 [3]");
  CHECK(error_of(net, {{"scale", Tensor()}}, {.strict = false}) ==
        "[load_state_dict] the dictionary does not fit net: wrong shape: scale: expected f32 [3], got an undefined "
        "tensor");
  CHECK(error_of(net, {}) ==
        "[load_state_dict] the dictionary does not fit net: missing: scale, first.weight, first.bias");
  const StateDict after = net.state_dict();
  for (size_t i = 0; i < before.size(); ++i) CHECK(bitwise_equal(before[i].value, after[i].value));
}

TEST_CASE("load_state_dict without strict takes what it knows, and converts floating dtypes") {
  Generator generator(4);
  Net net({}, generator);
  const Tensor weight = net.state_dict()[1].value;
  net.load_state_dict({{"scale", full({3}, 2.0, {.dtype = DType::f64})}, {"other", zeros({9})}}, {.strict = false});
  CHECK(bitwise_equal(net.state_dict()[0].value, full({3}, 2.0)));
  CHECK(bitwise_equal(net.state_dict()[1].value, weight));
}

TEST_CASE("a tied parameter is trained once and stands under each of its names") {
  Tied tied;
  REQUIRE(tied.parameters().size() == 1);
  CHECK(tied.parameters()[0].name == "input");
  CHECK(tied.parameter_count() == 4);
  CHECK(names_of(tied.state_dict()) == std::vector<std::string>{"input", "output"});
  tied.to_(DType::f64);
  CHECK(tied.state_dict()[1].value.dtype() == DType::f64);
}

TEST_CASE("a clone is independent and repeats the original, mode, dtype and random streams included") {
  const uint64_t seed = tests::seed(5);
  INFO("seed " << seed);
  Generator generator(seed);
  Net net({}, generator);
  net.to_(DType::f64);
  const Tensor x = uniform({4, 3}, generator, {.low = -1.0, .dtype = DType::f64});
  (void)net(x);  // advances the random stream
  const Owned<Net> copy = net.clone();
  const Variable here = net(x);
  CHECK(bitwise_equal(here.value(), (*copy)(x).value()));
  CHECK(!bitwise_equal(here.value(), net(x).value()));  // the next mask is different
  copy->parameters()[0].parameter->mutable_value_().fill_(7.0);
  CHECK(net.state_dict()[0].value.at({0}) == 1.0);
  net.eval_();
  CHECK(!net.clone()->training());
  CHECK(bitwise_equal(net(x).value(), (*net.clone())(x).value()));
}

TEST_CASE("every kind of layer can be cloned") {
  Generator generator(6);
  Seq2Seq model({.source_vocab = 4, .target_vocab = 5, .embedding_size = 3, .hidden_size = 4, .cell = CellKind::lstm},
                generator);
  const Tensor source = randint({2, 3}, generator, {.low = 0, .high = 4});
  const Tensor lengths = Tensor::from({3, 2}, {2}, {.dtype = DType::i64});
  const Owned<Seq2Seq> copy = model.clone();
  CHECK(bitwise_equal(model(source, lengths, source).value(), (*copy)(source, lengths, source).value()));
  const Gru gru({.input_size = 2, .hidden_size = 3, .num_layers = 2, .dropout = 0.5, .reset_after = false}, generator);
  const Owned<Gru> gru_copy = gru.clone();
  CHECK(gru_copy->options().reset_after == false);
  CHECK(bitwise_equal(gru_copy->state_dict()[5].value, gru.state_dict()[5].value));
}

TEST_CASE("to_ converts every parameter to the nearest value of the other dtype") {
  Generator generator(7);
  Gru gru({.input_size = 2, .hidden_size = 3}, generator);
  const StateDict single = gru.state_dict();
  gru.to_(DType::f64);
  for (const NamedParameter& named : gru.parameters()) CHECK(named.parameter->value().dtype() == DType::f64);
  const Variable out = gru(zeros({1, 2, 2}, {.dtype = DType::f64})).output;
  CHECK(out.dtype() == DType::f64);
  gru.to_(DType::f32);
  for (size_t i = 0; i < single.size(); ++i) CHECK(bitwise_equal(gru.state_dict()[i].value, single[i].value));
  CHECK_THROWS_WITH(gru.to_(DType::i64), "[to_] expected f32 or f64, got i64");
}

TEST_CASE("train_ and eval_ reach every module below, and dropout obeys them") {
  Generator generator(8);
  Outer outer(generator);
  CHECK(outer.inner.training());
  outer.eval_();
  CHECK(!outer.inner.training());
  Dropout dropout({.p = 0.5}, generator);
  const Tensor x = ones({100});
  const double kept = sum(dropout(x)).item<float>() / 2.0;
  CHECK(kept > 20);
  CHECK(kept < 80);
  const StateDict position = dropout.state_dict({.generators = true});
  dropout.eval_();
  CHECK(bitwise_equal(dropout(x).value(), x));
  CHECK(bitwise_equal(dropout.state_dict({.generators = true})[0].value, position[0].value));
}

TEST_CASE("a saved random stream makes dropout repeat its masks") {
  Generator generator(9);
  Dropout dropout({.p = 0.5}, generator);
  const StateDict saved = dropout.state_dict({.generators = true});
  const Tensor first = dropout(ones({50})).value();
  CHECK(!bitwise_equal(dropout(ones({50})).value(), first));
  dropout.load_state_dict(saved);
  CHECK(bitwise_equal(dropout(ones({50})).value(), first));
}

TEST_CASE("dropout with a shared axis has one mask for all its positions, and what it drops has no effect") {
  Generator generator(11);
  Dropout dropout({.p = 0.5, .shared_axis = -2}, generator);
  const StateDict position = dropout.state_dict({.generators = true});
  Tensor x = ones({2, 3, 20});
  const Tensor y = dropout(x).value();
  const double kept = sum(y).item<float>() / 6.0;  // of 40 elements of the mask, each divided by 1 - p
  CHECK(kept > 8);
  CHECK(kept < 32);
  for (int64_t t = 1; t < 3; ++t) CHECK(bitwise_equal(y.select(1, t), y.select(1, 0)));
  CHECK(!bitwise_equal(y.select(0, 0), y.select(0, 1)));
  dropout.load_state_dict(position);
  x.fill_(std::nan(""));
  const Tensor again = dropout(x).value();
  for (int64_t i = 0; i < 20; ++i) CHECK((again.at({0, 0, i}) == 0.0) == (y.at({0, 0, i}) == 0.0));
  CHECK_THROWS_WITH(Dropout({.shared_axis = 3}, generator)(x), tests::contains_text("[dropout]"));
}

TEST_CASE("a shape error from inside a nested module names the module's path") {
  Generator generator(10);
  Outer outer(generator);
  CHECK_THROWS_WITH(
      outer(zeros({2, 5})),
      "[linear] inner sizes differ: x is f32 [2, 5], weight is f32 [3, 3] (out, in) (in outer.inner.first)");
  Seq2Seq model({.source_vocab = 4, .target_vocab = 5}, generator);
  const Tensor lengths = Tensor::from({3, 3}, {2}, {.dtype = DType::i64});
  const Tensor source = full({2, 3}, 4.0, {.dtype = DType::i64});  // one symbol too far
  CHECK_THROWS_WITH(model(source, lengths, source), tests::contains_text("(in seq2seq.encoder)"));
  CHECK(scope_path().empty());
}

TEST_CASE("names that cannot be registered are refused") {
  Registrar registrar;
  CHECK_THROWS_WITH(registrar.add(""), "[registrar] a name to register must not be empty or hold a dot, got \"\"");
  CHECK_THROWS_WITH(registrar.add("a.b"),
                    "[registrar] a name to register must not be empty or hold a dot, got \"a.b\"");
  registrar.add("a");
  CHECK_THROWS_WITH(registrar.add("a"), "[registrar] \"a\" is registered already");
  CHECK_THROWS_WITH(
      registrar.add_labelled("b"),
      tests::contains_text("[registrar] parameter b has 1 axes: expected a label for each, or none, got 2"));
}

TEST_CASE("a module prints as its tree, with shapes and counts") {
  Generator generator(11);
  const Outer outer(generator);
  CHECK(to_string(outer) ==
        "outer, 15 parameters\n"
        "  inner: net, 15 parameters\n"
        "    scale f32 [3]\n"
        "    first: linear, 12 parameters\n"
        "      weight f32 [3, 3]\n"
        "      bias f32 [3]\n"
        "    dropout, 0 parameters\n");
  const Seq2Seq model({.source_vocab = 20, .target_vocab = 20}, generator);
  CHECK(to_string(model).rfind("seq2seq, 103,316 parameters\n", 0) == 0);
}

TEST_CASE("the same seed gives the same initial weights, another seed others, within PyTorch's bounds") {
  Generator one(21);
  Generator two(21);
  Generator three(22);
  const LinearOptions options{.input_size = 64, .output_size = 50};
  const Linear a(options, one);
  const Linear b(options, two);
  const Linear c(options, three);
  CHECK(bitwise_equal(a.weight().value(), b.weight().value()));
  CHECK(!bitwise_equal(a.weight().value(), c.weight().value()));
  double largest = 0.0;
  for (int64_t i = 0; i < 3200; ++i) {
    largest = std::max(largest, static_cast<double>(std::abs(a.weight().value().data<float>()[i])));
  }
  CHECK(largest <= 0.125);
  CHECK(largest > 0.124);
  const Lstm lstm({.input_size = 2, .hidden_size = 4, .forget_bias = 3.0}, one);
  const Tensor bias = lstm.state_dict()[2].value;
  for (int64_t i = 0; i < 16; ++i) {
    const double expected = i >= 4 && i < 8 ? 3.0 : 0.0;
    CHECK(std::abs(bias.at({i}) - expected) <= 0.5);
  }
}
