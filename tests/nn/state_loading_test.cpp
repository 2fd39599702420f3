// SPDX-License-Identifier: MIT
// load_state_dict: tied parameters, all problems at once, files.
#include <cmath>
#include <string>
#include <vector>

#include <gradus/autograd/ops.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/nn/module.hpp>
#include <gradus/tensor/files/safetensors.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

namespace gradus {
namespace {

using tests::error_text;

// One weight under two names, and a parameter of its own.
struct TiedPair : Layer<TiedPair> {
  TiedPair() { register_parameter("output", weight); }
  Parameter weight{parameter("input", ones({2, 2}))};
  Parameter bias{parameter("bias", zeros({2}))};
};

std::string refusal(Module& module, const StateDict& state, const LoadOptions& options = {}) {
  return error_text([&] { module.load_state_dict(state, options); });
}

void check_same_state(const StateDict& a, const StateDict& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) CHECK(bitwise_equal(a[i].value, b[i].value));
}

const Tensor kTwos = full({2, 2}, 2.0), kThrees = full({2, 2}, 3.0), kBias = ones({2});

}  // namespace

TEST_CASE("load_state_dict: a tied parameter with two values is refused, and nothing changes") {
  TiedPair tied;
  const StateDict before = tied.state_dict();
  const std::string expected =
      "[load_state_dict] the dictionary does not fit tied_pair: two values for one tied parameter: output and input";
  for (const bool strict : {true, false}) {
    CHECK(refusal(tied, {{"input", kTwos}, {"output", kThrees}, {"bias", kBias}}, {.strict = strict}) == expected);
    CHECK(refusal(tied, {{"bias", kBias}, {"output", kThrees}, {"input", kTwos}}, {.strict = strict}) == expected);
    check_same_state(tied.state_dict(), before);
  }
  // The same value twice, in any dtype and place of memory; a NaN too.
  tied.load_state_dict({{"input", kTwos}, {"output", kTwos.to(DType::f64)}, {"bias", kBias}});
  CHECK(bitwise_equal(tied.weight.value(), kTwos));
  const Tensor nan = full({2, 2}, std::nan(""));
  tied.load_state_dict({{"input", nan}, {"output", nan.clone()}, {"bias", kBias}});
  CHECK(std::isnan(tied.weight.value().at({1, 1})));
  tied.load_state_dict(before);
  check_same_state(tied.state_dict(), before);
}

TEST_CASE("load_state_dict: one name of a tied parameter is enough") {
  TiedPair tied;
  tied.load_state_dict({{"output", kThrees}, {"bias", kBias}});
  CHECK(bitwise_equal(tied.weight.value(), kThrees));
  tied.load_state_dict({{"input", kTwos}, {"bias", kBias}});
  CHECK(bitwise_equal(tied.weight.value(), kTwos));
  CHECK(refusal(tied, {{"bias", kBias}}) ==
        "[load_state_dict] the dictionary does not fit tied_pair: missing: input, output");
  // Its value is given, but wrong: it is not missing.
  CHECK(
      refusal(tied, {{"output", zeros({2, 3})}, {"bias", kBias}}) ==
      "[load_state_dict] the dictionary does not fit tied_pair: wrong shape: output: expected f32 [2, 2], got f32 [2, "
      "3]");
}

TEST_CASE("load_state_dict: every kind of problem is in one message") {
  TiedPair tied;
  const StateDict before = tied.state_dict();
  CHECK(refusal(tied, {{"input", kTwos}, {"output", kThrees}, {"weight", kTwos}, {"weight", kTwos}}) ==
        "[load_state_dict] the dictionary does not fit tied_pair: missing: bias; unexpected: weight, weight; given "
        "twice: weight; two values for one tied parameter: output and input");
  CHECK(
      refusal(tied, {{"input", kTwos}, {"output", kThrees}, {"bias", zeros({2}, {.dtype = DType::boolean})}},
              {.strict = false}) ==
      "[load_state_dict] the dictionary does not fit tied_pair: wrong shape: bias: expected f32 [2], got bool [2]; two "
      "values for one tied parameter: output and input");
  check_same_state(tied.state_dict(), before);
}

TEST_CASE("load_state_dict: a wrong or missing generator changes no parameter either") {
  Generator generator(1);
  Dropout dropout({.p = 0.5}, generator);
  const StateDict before = dropout.state_dict({.generators = true});
  CHECK(refusal(dropout, {{"generator", zeros({2})}}, {.strict = false}) ==
        "[load_state_dict] the dictionary does not fit dropout: wrong shape: generator: expected i64 [2], got f32 [2]");
  CHECK(refusal(dropout, {{"generator", zeros({3}, {.dtype = DType::i64})}}) ==
        "[load_state_dict] the dictionary does not fit dropout: wrong shape: generator: expected i64 [2], got i64 [3]");
  CHECK(refusal(dropout, {}, {.generators = true}) ==
        "[load_state_dict] the dictionary does not fit dropout: missing: generator");
  CHECK(refusal(dropout, {}, {.strict = false, .generators = true}) ==
        "[load_state_dict] the dictionary does not fit dropout: missing: generator");
  check_same_state(dropout.state_dict({.generators = true}), before);
}

TEST_CASE("load_state_dict: a model takes its own tensors, swapped, and in another dtype") {
  Generator generator(2);
  Linear a({.input_size = 3, .output_size = 3}, generator), b({.input_size = 3, .output_size = 3}, generator);
  const StateDict of_a = a.state_dict(), of_b = b.state_dict();
  // The bias is a row of the weight that is replaced by the same call.
  a.load_state_dict({{"weight", b.weight().value()}, {"bias", a.weight().value().select(0, 1)}});
  CHECK(bitwise_equal(a.state_dict()[0].value, of_b[0].value));
  CHECK(bitwise_equal(a.state_dict()[1].value, of_a[0].value.select(0, 1)));
  b.to_(DType::f64);
  b.load_state_dict({{"weight", a.weight().value()}, {"bias", b.weight().value().select(1, 0)}});
  CHECK(bitwise_equal(b.state_dict()[0].value, of_b[0].value.to(DType::f64)));
  CHECK(bitwise_equal(b.state_dict()[1].value, of_b[0].value.select(1, 0).to(DType::f64)));
}

TEST_CASE("load_state_dict: training a model that was loaded from a mapped file leaves the file alone") {
  const tests::TemporaryFolder folder;
  Generator generator(3);
  Linear model({.input_size = 4, .output_size = 2}, generator);
  const std::string path = folder / "model.safetensors";
  save_safetensors(path, model.state_dict());
  const std::string before = tests::read_file(path);
  const SafetensorsFile file = load_safetensors(path);
  model.load_state_dict(file.tensors);
  for (const NamedParameter& named : model.parameters()) named.parameter->mutable_value_().fill_(9.0);
  CHECK(!bitwise_equal(file.tensors[0].value, model.weight().value()));
  CHECK(tests::read_file(path) == before);
  // Half precision loses digits once, and then none.
  model.load_state_dict(file.tensors);
  save_safetensors(folder / "half", model.state_dict(), {}, {.floats = StoredFloats::bf16});
  model.load_state_dict(load_safetensors(folder / "half").tensors);
  save_safetensors(folder / "again", model.state_dict(), {}, {.floats = StoredFloats::bf16});
  CHECK(tests::read_file(folder / "half") == tests::read_file(folder / "again"));
}

}  // namespace gradus
