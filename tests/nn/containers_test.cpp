// SPDX-License-Identifier: MIT
// ModuleList and Sequential: names, calls, copies, state, hooks, derivatives and errors.
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

constexpr LinearOptions kSquare = {.input_size = 3, .output_size = 3, .dtype = DType::f64};

struct Block : Layer<Block> {
  using Layer::Layer;
  Parameter scale{parameter("scale", full({3}, 0.5, {.dtype = DType::f64}))};
  Linear inner{kSquare, child("inner")};
  Variable forward(const Variable& x) { return x + tanh(inner(x)) * scale; }
};

struct StackOptions {
  int64_t depth = 3;
};

struct Stack : Layer<Stack, StackOptions> {
  using Layer::Layer;
  Linear first{kSquare, child("first")};
  ModuleList<Block> blocks{options().depth, child("blocks")};
  Linear last{kSquare, child("last")};
  Variable forward(const Variable& x) {
    Variable h = first(x);
    for (Block& block : blocks) h = block(h);
    return last(h);
  }
};

std::vector<Step> steps() {
  return {layer<Linear>({.input_size = 3, .output_size = 4, .dtype = DType::f64}),
          tanh,
          [](const Variable& x) { return x * 2.0; },
          {"output", layer<Linear>({.input_size = 4, .output_size = 2, .dtype = DType::f64})},
          {"squash", sigmoid}};
}

struct Head : Layer<Head> {
  using Layer::Layer;
  Sequential net{steps(), child("net")};
  Variable forward(const Variable& x) { return net(x); }
};

std::vector<std::string> paths_of(Module& module) {
  std::vector<std::string> paths;
  for (const NamedModule& entry : module.modules()) paths.push_back(entry.path);
  return paths;
}

std::vector<std::string> names_of(Module& module) {
  std::vector<std::string> names;
  for (const NamedParameter& named : module.parameters()) names.push_back(named.name);
  return names;
}

Tensor input(Generator& generator) { return uniform({2, 3}, generator, {.low = -1.0, .dtype = DType::f64}); }

}  // namespace

TEST_CASE("ModuleList: members are named by index, and walked in the order of registration") {
  Generator generator(tests::seed(70));
  Stack stack({}, generator);
  CHECK(paths_of(stack) == std::vector<std::string>{"", "first", "blocks", "blocks.0", "blocks.0.inner", "blocks.1",
                                                    "blocks.1.inner", "blocks.2", "blocks.2.inner", "last"});
  CHECK(names_of(stack) == std::vector<std::string>{"first.weight", "first.bias", "blocks.0.scale",
                                                    "blocks.0.inner.weight", "blocks.0.inner.bias", "blocks.1.scale",
                                                    "blocks.1.inner.weight", "blocks.1.inner.bias", "blocks.2.scale",
                                                    "blocks.2.inner.weight", "blocks.2.inner.bias", "last.weight",
                                                    "last.bias"});
  CHECK(stack.blocks.size() == 3);
  CHECK(&stack.submodule("blocks.1") == &stack.blocks[1]);
  CHECK(stack.blocks[2].name() == "2");
  CHECK(std::string(stack.blocks.kind()) == "module_list");
  stack.eval_();
  CHECK(!stack.blocks[2].inner.training());
  stack.to_(DType::f32);
  CHECK(stack.blocks[1].scale.value().dtype() == DType::f32);
}

TEST_CASE("ModuleList: options of each, an empty one, one that grows, and its copy") {
  Generator generator(tests::seed(71));
  ModuleList<Linear> layers({{.input_size = 2, .output_size = 5}, {.input_size = 5, .output_size = 1}}, generator);
  CHECK(layers[0].weight().shape() == Shape{5, 2});
  CHECK(layers[1].weight().shape() == Shape{1, 5});
  ModuleList<Linear> grown(generator);
  CHECK(grown.size() == 0);
  CHECK(!(grown.begin() != grown.end()));
  CHECK(grown.append(kSquare, generator).name() == "0");
  CHECK(grown.append({.input_size = 3, .output_size = 1}, generator).name() == "1");
  CHECK(names_of(grown) == std::vector<std::string>{"0.weight", "0.bias", "1.weight", "1.bias"});
  const Owned<ModuleList<Linear>> copy = grown.clone();
  REQUIRE(copy->size() == 2);
  CHECK(bitwise_equal((*copy)[0].weight().value(), grown[0].weight().value()));
  CHECK((*copy)[1].options().output_size == 1);
  ModuleList<Block> blocks(1, generator);
  CHECK(blocks.append(generator).name() == "1");
}

TEST_CASE("ModuleList and Sequential: a copy of what holds them is independent and gives the same bits") {
  Generator generator(tests::seed(72));
  const Tensor x = input(generator);
  Stack stack({.depth = 2}, generator);
  const Owned<Stack> copy = stack.clone();
  CHECK(copy->blocks.size() == 2);
  const Tensor expected = stack(x).value();
  CHECK(bitwise_equal((*copy)(x).value(), expected));
  copy->blocks[1].scale.mutable_value_().fill_(3.0);
  CHECK(stack.blocks[1].scale.value().at({0}) == 0.5);
  CHECK(!bitwise_equal((*copy)(x).value(), expected));
  copy->load_state_dict(stack.state_dict());
  CHECK(bitwise_equal((*copy)(x).value(), expected));

  Head head(generator);
  const Owned<Head> other = head.clone();
  CHECK(bitwise_equal((*other)(x).value(), head(x).value()));
  other->parameters()[0].parameter->mutable_value_().fill_(0.0);
  CHECK(!bitwise_equal((*other)(x).value(), head(x).value()));
  other->load_state_dict(head.state_dict());
  CHECK(bitwise_equal((*other)(x).value(), head(x).value()));

  stack.blocks.append(generator);
  CHECK(error_text([&] { static_cast<void>(stack.clone()); }) ==
        "[clone] the constructor of module_list registers other names than the original has: expected \"0, 1, 2\", got "
        "\"0, 1\"");
}

TEST_CASE("Sequential: steps are called in their order, and named by number or as given") {
  Generator generator(tests::seed(73));
  Head head(generator);
  CHECK(head.net.size() == 5);
  CHECK(paths_of(head) == std::vector<std::string>{"", "net", "net.0", "net.1", "net.2", "net.output", "net.squash"});
  CHECK(names_of(head) ==
        std::vector<std::string>{"net.0.weight", "net.0.bias", "net.output.weight", "net.output.bias"});
  const Tensor x = input(generator);
  const StateDict state = head.state_dict();
  const Variable hidden = tanh(linear(x, state[0].value, state[1].value)) * 2.0;
  CHECK(bitwise_equal(head(x).value(), sigmoid(linear(hidden, state[2].value, state[3].value)).value()));
  Sequential nothing({}, generator);
  CHECK(bitwise_equal(nothing(x).value(), x));
  // Of a recurrent layer, the outputs of all steps go on.
  Sequential sequence(
      {layer<Gru>({.input_size = 3, .hidden_size = 2}), layer<Linear>({.input_size = 2, .output_size = 1})}, generator);
  CHECK(sequence(zeros({4, 5, 3})).shape() == Shape{4, 5, 1});
}

TEST_CASE("ModuleList and Sequential: hooks see every member, functions included") {
  Generator generator(tests::seed(74));
  std::vector<std::string> seen;
  const auto watch = [&](Module& module) {
    for (const NamedModule& entry : module.modules()) {
      entry.module->on_output_([&seen, path = entry.path](const Variable&) { seen.push_back(path); });
    }
  };
  const Tensor x = input(generator);
  Stack stack({.depth = 2}, generator);
  watch(stack);
  static_cast<void>(stack(x));
  CHECK(seen ==
        std::vector<std::string>{"first", "blocks.0.inner", "blocks.0", "blocks.1.inner", "blocks.1", "last", ""});
  seen.clear();
  Head head(generator);
  watch(head);
  static_cast<void>(head(x));
  CHECK(seen == std::vector<std::string>{"net.0", "net.1", "net.2", "net.output", "net.squash", "net", ""});
  head.submodule("net.squash").on_output_([](const Variable& y) { return y * 0.0; });
  CHECK(bitwise_equal(head(x).value(), zeros({2, 2}, {.dtype = DType::f64})));
  int gradients = 0;
  head.submodule("net.1").on_gradient_([&](const Variable&) { ++gradients; });
  head.submodule("net.squash").remove_hooks_();
  backward(sum(head(x)));
  CHECK(gradients == 1);
}

TEST_CASE("ModuleList and Sequential: derivatives are checked, with names and paths") {
  Generator generator(tests::seed(75));
  const Tensor x = input(generator);
  Stack stack({.depth = 2}, generator);
  const GradcheckReport of_stack = gradcheck(stack, {{"x", x}}, {.order = 2});
  INFO(of_stack.text());
  CHECK(of_stack.ok);
  CHECK(of_stack.results.at(3).input == "blocks.0.scale");
  Head head(generator);
  const GradcheckReport of_head = gradcheck(head, {{"x", x}}, {.order = 2});
  INFO(of_head.text());
  CHECK(of_head.ok);
  CHECK(self_test(head, {{"x", x}}, {.diagnose = false}).ok());
}

TEST_CASE("ModuleList and Sequential: errors name the path and what was asked for") {
  Generator generator(tests::seed(76));
  Stack stack({}, generator);
  CHECK_THROWS_WITH(stack.blocks[1](zeros({2, 4}, {.dtype = DType::f64})), tests::contains_text("(in blocks.1.inner)"));
  Head head(generator);
  CHECK_THROWS_WITH(head(zeros({2, 4}, {.dtype = DType::f64})), tests::contains_text("(in head.net.0)"));
  CHECK(error_text([&] { static_cast<void>(stack.blocks[3]); }) ==
        "[module_list] there is no module 3: expected one of 3");
  CHECK(error_text([&] { const ModuleList<Block> list(-1, generator); }) ==
        "[module_list] expected a count of 0 or more, got -1");
  CHECK(error_text([&] {
          const Sequential twice({{"a", tanh}, {"a", tanh}}, generator);
        }) == "[sequential] \"a\" is registered already");
}
