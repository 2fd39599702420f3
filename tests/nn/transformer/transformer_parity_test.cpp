// SPDX-License-Identifier: MIT
// Transformer layers against PyTorch's (numbers written by fixtures/transformer.py): outputs and all gradients, for
// random shapes, norms before and after, relu and gelu, causal and padding masks.
#include <cmath>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/nn/transformer/transformer.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/fixture.hpp"

using namespace gradus;

namespace {

class Parity : public tests::Fixture {
 public:
  explicit Parity(const std::string& prefix)
      : Fixture(std::string(GRADUS_FIXTURES) + "/transformer.safetensors", prefix) {}

  int64_t size(int64_t which) const { return static_cast<int64_t>((*this)("sizes").at({which})); }

  // What PyTorch's state_dict has, as it is.
  StateDict state(const Module& module) const {
    StateDict out;
    for (const NamedTensor& named : module.state_dict()) out.push_back({named.name, (*this)(named.name)});
    return out;
  }

  TransformerLayerOptions layer(bool pre_norm, Activation activation, DType dtype) const {
    return {.model_size = size(0),
            .heads = size(1),
            .feed_forward_size = size(2),
            .pre_norm = pre_norm,
            .activation = activation,
            .dtype = dtype};
  }
};

// The gradient of a bias of keys is 0 except for rounding.
double relative_error(const Tensor& got, const Tensor& expected) { return tests::relative_error(got, expected, 1e-3); }

// Measured: f64 at most 2.5e-15, f32 gradients 1.4e-6. PyTorch's own f32 gradients are up to 1.5e-6 away from its f64
// ones.
// Loads the state, runs, and compares output and gradients.
template <class L, class Call>
void check_case(const Parity& expected, const std::vector<std::string>& names, L& module, DType dtype,
                const Call& call) {
  const bool f64 = dtype == DType::f64;
  INFO(dtype_name(dtype));
  module.load_state_dict(expected.state(module));
  std::vector<Variable> inputs;
  std::vector<std::string> all = names;
  for (const std::string& name : names) inputs.push_back(leaf(expected(name).to(dtype)));
  const Variable y = call(module, inputs);
  CHECK(relative_error(y.value(), expected("output").to(dtype)) < (f64 ? 1e-12 : 1e-6));
  for (const NamedParameter& named : module.parameters()) {
    inputs.push_back(named.parameter->variable());
    all.push_back(named.name);
  }
  const std::vector<Variable> gradients =
      grad({y}, inputs, {.cotangents = {Variable(expected("cotangent").to(dtype))}});
  for (size_t i = 0; i < gradients.size(); ++i) {
    INFO("gradient of " << all[i]);
    CHECK(relative_error(gradients[i].value(), expected("grad." + all[i]).to(dtype)) < (f64 ? 1e-12 : 2e-6));
  }
}

template <class Run>
void each_layer_case(const Run& run) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const bool pre_norm : {false, true}) {
      for (const Activation activation : {Activation::relu, Activation::gelu}) {
        const std::string end =
            std::string(pre_norm ? "pre." : "post.") + (activation == Activation::relu ? "relu." : "gelu.");
        INFO(end);
        run(end, pre_norm, activation, dtype);
      }
    }
  }
}

}  // namespace

TEST_CASE("TransformerEncoderLayer gives what PyTorch gives for the same weights, with the same gradients") {
  each_layer_case([](const std::string& end, bool pre_norm, Activation activation, DType dtype) {
    const Parity expected("encoder_layer." + end);
    Generator generator(1);
    TransformerEncoderLayer layer(expected.layer(pre_norm, activation, dtype), generator);
    const Mask mask = Mask::causal() & Mask::from_lengths(expected("lengths"));
    check_case(expected, {"x"}, layer, dtype,
               [&](auto& module, const std::vector<Variable>& in) { return module(in[0], mask); });
  });
}

TEST_CASE("TransformerDecoderLayer gives what PyTorch gives for the same weights, with the same gradients") {
  each_layer_case([](const std::string& end, bool pre_norm, Activation activation, DType dtype) {
    const Parity expected("decoder_layer." + end);
    Generator generator(1);
    TransformerDecoderLayer layer(expected.layer(pre_norm, activation, dtype), generator);
    const Mask mask = Mask::from_lengths(expected("lengths"));
    check_case(expected, {"x", "memory"}, layer, dtype, [&](auto& module, const std::vector<Variable>& in) {
      return module(in[0], in[1], {.memory_mask = mask});
    });
  });
}

TEST_CASE("Transformer gives what PyTorch's nn.Transformer gives, with the same gradients") {
  for (const DType dtype : {DType::f32, DType::f64}) {
    for (const bool pre_norm : {false, true}) {
      const Parity expected(pre_norm ? "transformer.pre." : "transformer.post.");
      INFO("pre_norm " << pre_norm);
      Generator generator(1);
      TransformerOptions options{.layer = expected.layer(pre_norm, Activation::relu, dtype),
                                 .num_encoder_layers = pre_norm ? 1 : 2,
                                 .num_decoder_layers = pre_norm ? 2 : 1};
      options.layer.bias = !pre_norm;
      Transformer model(options, generator);
      const Mask mask = Mask::from_lengths(expected("lengths"));
      check_case(expected, {"source", "target"}, model, dtype, [&](auto& module, const std::vector<Variable>& in) {
        return module(in[0], in[1], {.source_mask = mask, .memory_mask = mask});
      });
    }
  }
}
