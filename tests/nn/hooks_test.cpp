// SPDX-License-Identifier: MIT
// Hooks on every module of every layer: what they see, in which order, and that their results take effect.
#include <map>
#include <string>
#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/nn/check/layer_list.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/compare.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"

using namespace gradus;
using tests::i64;

namespace {

using Log = std::vector<std::string>;

Seq2SeqOptions options_of(CellKind cell, AttentionKind attention, double dropout) {
  return {.source_vocab = 5,
          .target_vocab = 4,
          .embedding_size = 3,
          .hidden_size = 2,
          .cell = cell,
          .attention = attention,
          .dropout = dropout,
          .dtype = DType::f64};
}

const Tensor& source() {
  static const Tensor value = i64({1, 2, 3, /**/ 4, 3, 0}, {2, 3});
  return value;
}
Tensor lengths() { return i64({3, 2}, {2}); }
Tensor target() { return i64({0, 1, /**/ 0, 2}, {2, 2}); }

Variable logits_of(Seq2Seq& model) { return model(source(), lengths(), target()); }

// Adds a hook to every module below `model` that records the path and the shape it sees. It changes nothing.
void watch(Module& model, Log& log) {
  for (const NamedModule& entry : model.modules()) {
    if (entry.path.empty()) continue;
    entry.module->on_output_(
        [&log, path = entry.path](const Variable& value) { log.push_back(path + " " + to_string(value.shape())); });
  }
}

struct Model {
  CellKind cell;
  AttentionKind attention;
  double dropout;
};

std::vector<Model> models() {
  std::vector<Model> out;
  for (const CellKind cell : {CellKind::rnn, CellKind::gru, CellKind::lstm}) {
    for (const AttentionKind attention : {AttentionKind::none, AttentionKind::additive, AttentionKind::dot}) {
      for (const double dropout : {0.0, 0.3}) out.push_back({cell, attention, dropout});
    }
  }
  return out;
}

}  // namespace

TEST_CASE("hooks: modules below a layer are found by path") {
  Generator generator(1);
  Seq2Seq model(options_of(CellKind::lstm, AttentionKind::additive, 0.3), generator);
  Log paths;
  for (const NamedModule& entry : model.modules()) paths.push_back(entry.path);
  CHECK(paths == Log{"", "source_embedding", "target_embedding", "encoder", "bridge", "cell_bridge", "attention",
                     "attention.query_proj", "attention.key_proj", "decoder", "output", "dropout"});
  CHECK(&model.submodule("") == &model);
  CHECK(model.submodule("attention.key_proj").name() == "key_proj");
  CHECK(tests::error_text([&] { model.submodule("attention.proj"); }) ==
        "[seq2seq] has no module \"attention.proj\" below it: expected one of: source_embedding, target_embedding, "
        "encoder, bridge, cell_bridge, attention, attention.query_proj, attention.key_proj, decoder, output, dropout");
}

TEST_CASE("hooks: what those of a Seq2Seq see, and in which order") {
  Generator generator(1);
  Seq2Seq model(options_of(CellKind::lstm, AttentionKind::additive, 0.3), generator);
  Log log;
  watch(model, log);
  static_cast<void>(logits_of(model));
  const Log step = {"attention.query_proj [2, 1, 2]",
                    "attention [2, 1, 4]",
                    "attention [2, 1, 3]",
                    "decoder [2, 1, 2]",
                    "decoder [2, 1, 2]",
                    "decoder [2, 1, 2]"};
  Log expected = {
      "source_embedding [2, 3, 3]", "dropout [2, 3, 3]", "encoder [2, 3, 4]",  "encoder [2, 2, 2]",
      "encoder [2, 2, 2]",          "bridge [2, 2]",     "cell_bridge [2, 2]", "attention.key_proj [2, 3, 2]",
      "target_embedding [2, 2, 3]", "dropout [2, 2, 3]"};
  expected.insert(expected.end(), step.begin(), step.end());
  expected.insert(expected.end(), step.begin(), step.end());
  expected.insert(expected.end(), {"dropout [2, 2, 2]", "dropout [2, 2, 4]", "output [2, 2, 4]"});
  CHECK(log == expected);

  log.clear();
  static_cast<void>(model.greedy(source(), lengths(), {.begin = 0, .end = 3, .max_length = 1}));
  expected.resize(8);
  expected.insert(expected.end(), {"target_embedding [2, 1, 3]", "dropout [2, 1, 3]"});
  expected.insert(expected.end(), step.begin(), step.end());
  expected.insert(expected.end(), {"dropout [2, 1, 2]", "dropout [2, 1, 4]", "output [2, 1, 4]"});
  CHECK(log == expected);
}

TEST_CASE("hooks: one that only looks changes a Seq2Seq by rounding, whichever module it is on") {
  for (const Model& each : models()) {
    INFO(cell_name(each.cell) << ", " << attention_name(each.attention) << ", dropout " << each.dropout);
    Generator generator(2);
    Seq2Seq model(options_of(each.cell, each.attention, each.dropout), generator);
    const auto everything = [&](Seq2Seq& of) {
      std::vector<Tensor> out = {logits_of(of).value()};
      backward(sum(logits_of(of) * logits_of(of)));
      for (const NamedParameter& named : of.parameters()) out.push_back(named.parameter->grad());
      const Decoded decoded =
          of.greedy(source(), lengths(), {.begin = 0, .end = 3, .max_length = 3, .want_attention = true});
      out.push_back(decoded.symbols);
      if (decoded.attention.defined()) out.push_back(decoded.attention);
      return out;
    };
    const std::vector<Tensor> expected = everything(*model.clone());
    for (const NamedModule& entry : model.modules()) {
      INFO(entry.path);
      Owned<Seq2Seq> watched = model.clone();
      int seen = 0;
      int gradients = 0;
      watched->submodule(entry.path).on_output_([&](const Variable&) { ++seen; });
      watched->submodule(entry.path).on_gradient_([&](const Variable&) { ++gradients; });
      const std::vector<Tensor> got = everything(*watched);
      CHECK(seen > 0);
      CHECK(gradients > 0);
      REQUIRE(got.size() == expected.size());
      // Measured: 2.3e-16 at most.
      for (size_t i = 0; i < got.size(); ++i) CHECK(largest_error(expected[i], got[i]) < 1e-14);
    }
  }
}

TEST_CASE("hooks: what one returns takes the value's place, whichever module of a Seq2Seq it is on") {
  for (const Model& each : models()) {
    INFO(cell_name(each.cell) << ", " << attention_name(each.attention) << ", dropout " << each.dropout);
    Generator generator(3);
    Seq2Seq model(options_of(each.cell, each.attention, each.dropout), generator);
    model.eval_();
    const Tensor before = logits_of(model).value();
    const Decoded decoded =
        model.greedy(source(), lengths(), {.begin = 0, .end = 3, .max_length = 3, .want_attention = true});
    for (const NamedModule& entry : model.modules()) {
      INFO(entry.path);
      Owned<Seq2Seq> changed = model.clone();
      // The change is not an added constant, because softmax ignores a constant that is added to all its inputs.
      changed->submodule(entry.path).on_output_([](const Variable& value) { return 2.0 * value; });
      CHECK(largest_error(before, logits_of(*changed).value()) > 1e-4);
      changed->submodule(entry.path).remove_hooks_();
      CHECK(bitwise_equal(before, logits_of(*changed).value()));
      if (entry.path != "output") continue;
      changed->submodule("output").on_output_([](const Variable& value) { return -1.0 * value; });
      const Decoded other = changed->greedy(source(), lengths(), {.begin = 0, .end = 3, .max_length = 3});
      CHECK(!bitwise_equal(decoded.symbols, other.symbols));
    }
  }
}

TEST_CASE("hooks: an output hook's gradient and replacement agree with the formula") {
  Generator generator(4);
  Seq2Seq model(options_of(CellKind::gru, AttentionKind::dot, 0.0), generator);
  // The embedding of the target is a separate leaf. Its gradient must be the one that the gradient hook sees.
  Variable replaced;
  Variable seen;
  model.submodule("target_embedding").on_output_([&](const Variable& value) {
    replaced = leaf((value * 0.5).value());
    return replaced;
  });
  model.submodule("target_embedding").on_gradient_([&](const Variable& gradient) { seen = gradient; });
  const Variable logits = logits_of(model);
  const Variable gradient = grad({sum(logits * logits)}, {replaced})[0];
  REQUIRE(seen.defined());
  CHECK(bitwise_equal(seen.value(), gradient.value()));
  Owned<Seq2Seq> halved = model.clone();
  for (const NamedParameter& named : halved->parameters()) {
    if (named.name == "target_embedding.weight")
      named.parameter->assign_((Variable(named.parameter->value()) * 0.5).value());
  }
  CHECK(largest_error(logits_of(*halved).value(), logits.value()) < 1e-14);
}

TEST_CASE("hooks: every module of every layer fires when the layer is called, in output and gradient") {
  for (const LayerCase& each : all_layers()) {
    INFO(each.name);
    Generator generator(5);
    const Owned<LayerSample> made = each.make(generator);
    std::map<std::string, int> outputs;
    std::map<std::string, int> gradients;
    for (const NamedModule& entry : made->module().modules()) {
      entry.module->on_output_([&outputs, path = entry.path](const Variable&) { ++outputs[path]; });
      entry.module->on_gradient_([&gradients, path = entry.path](const Variable&) { ++gradients[path]; });
    }
    std::vector<Variable> inputs;
    for (const NamedInput& input : made->inputs()) inputs.push_back(leaf(input.value));
    Variable total = zeros({}, {.dtype = DType::f64});
    for (const Variable& output : made->run(inputs)) total = total + sum(output * output);
    std::vector<Variable> wanted = inputs;
    for (const NamedParameter& named : made->module().parameters()) wanted.push_back(named.parameter->variable());
    static_cast<void>(grad({total}, wanted, {.allow_unused = true}));
    for (const NamedModule& entry : made->module().modules()) {
      INFO("module '" << entry.path << "'");
      const std::string kind = entry.module->kind();
      if (kind == "module_list" || kind == "attention_head") continue;  // they are not called, but their parts
      CHECK(outputs[entry.path] > 0);
      CHECK(gradients[entry.path] > 0);
    }
  }
}
