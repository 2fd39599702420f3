// SPDX-License-Identifier: MIT
// The examples of dot_product_attention, on which the battery runs. Those with more than 64 keys, or with a cap, take
// the kernels of several tiles, the others that of one tile.
#include <gradus/autograd/ops/attention/dot_product_attention.hpp>

#include <string>
#include <utility>

namespace gradus {

using namespace attention_slots;

namespace {

struct Sizes {
  int64_t batch = 1, heads = 1, key_heads = 1, queries = 1, keys = 1, width = 1, value_width = 1;
};

std::vector<InputSpec> inputs_of(const Sizes& n) {
  return {real({n.batch, n.heads, n.queries, n.width}),
          real({n.batch, n.key_heads, n.keys, n.width}),
          real({n.batch, n.key_heads, n.keys, n.value_width}),
          absent(),
          absent(),
          absent(),
          absent()};
}

Example example_of(std::string name, const Sizes& n, const AttentionAttrs& attrs = {.scale = 0.5}) {
  return {.name = std::move(name), .attrs = attrs, .inputs = inputs_of(n)};
}

InputSpec ranges(const Shape& shape, std::initializer_list<double> bounds) {
  return fixed(Tensor::from(bounds, shape, {.dtype = DType::i64}));
}

const Sizes kSmall{.batch = 2, .heads = 2, .key_heads = 1, .queries = 3, .keys = 4, .width = 3, .value_width = 2};

std::vector<Example> plain_examples() {
  const Sizes grouped{.batch = 2, .heads = 6, .key_heads = 2, .queries = 2, .keys = 3, .width = 2, .value_width = 3};
  std::vector<Example> out;
  out.push_back(example_of(
      "plain", {.batch = 2, .heads = 2, .key_heads = 2, .queries = 3, .keys = 4, .width = 3, .value_width = 2}));
  out.push_back(example_of("grouped heads", grouped));
  out.push_back(example_of("one of all", {}));
  out.push_back(example_of("causal", {.queries = 4, .keys = 4, .width = 2, .value_width = 2}));
  out.back().inputs[kRanges] = ranges({1, 4, 2}, {0, 1, 0, 2, 0, 3, 0, 4});
  out.push_back(example_of("one past a vector", {.queries = 2, .keys = 17, .width = 17, .value_width = 17}));
  out.push_back(example_of("past a tile", {.queries = 2, .keys = 67, .width = 2, .value_width = 1}));
  out.push_back(example_of("soft cap", kSmall, {.scale = 0.5, .soft_cap = 1.5}));
  out.push_back(example_of("no keys", {.batch = 2, .queries = 2, .keys = 0, .width = 2, .value_width = 2}));
  out.push_back(example_of("no queries", {.queries = 0, .keys = 2, .width = 2, .value_width = 2}));
  out.push_back(example_of("no batch", {.batch = 0, .queries = 2, .keys = 2, .width = 2, .value_width = 2}));
  return out;
}

std::vector<Example> examples_of_several_tiles() {
  const Sizes sizes{.heads = 4, .key_heads = 2, .queries = 2, .keys = 66, .width = 2, .value_width = 1};
  std::vector<Example> out;
  const auto with = [&](const char* name, Input slot, const InputSpec& spec, const AttentionAttrs& attrs = {}) {
    out.push_back(example_of(name, sizes, attrs));
    out.back().inputs[static_cast<size_t>(slot)] = spec;
  };
  with("tiles: ranges", kRanges, ranges({1, 2, 2}, {3, 66, 0, 65}));
  with("tiles: keep", kKeep, booleans({4, 1, 66}));
  with("tiles: bias", kBias, real({4, 2, 66}));
  with("tiles: bias of each query", kBias, real({2, 1}), {.soft_cap = 2.0});
  with("tiles: sink", kSink, real({4}));
  with("tiles: dropout", kKeep, booleans({66}), {.scale = 0.5, .dropout = 0.4, .dropout_at = {.key = 3, .counter = 5}});
  return out;
}

std::vector<Example> refused_examples() {
  std::vector<Example> out;
  const auto refused = [&](const char* name, Input slot, const InputSpec& spec, const char* error) {
    out.push_back(example_of(name, kSmall));
    out.back().inputs[static_cast<size_t>(slot)] = spec;
    out.back().error = error;
  };
  refused("a key of another width", kKey, real({2, 1, 4, 2}),
          "wrong shape of key: expected [2, 1, 4, 3], got f64 [2, 1, 4, 2]");
  refused("a value of another length", kValue, real({2, 1, 3, 2}),
          "wrong shape of value: expected [2, 1, 4, 2], got f64 [2, 1, 3, 2]");
  refused("a key without heads", kKey, real({2, 4, 3}), "expected key of rank 4, got f64 [2, 4, 3]");
  refused("heads that do not divide", kQuery, real({2, 3, 3, 3}),
          "the heads of query are no multiple of those of key: expected a multiple of 2, got f64 [2, 3, 3, 3]");
  out.back().inputs[kKey] = real({2, 2, 4, 3});
  out.back().inputs[kValue] = real({2, 2, 4, 2});
  refused("a bias of another size", kBias, real({3, 5}),
          "bias does not broadcast to the scores: expected [2, 2, 3, 4], got f64 [3, 5]");
  refused("a keep of another size", kKeep, booleans({2, 2}),
          "keep does not broadcast to the scores: expected [2, 2, 3, 4], got bool [2, 2]");
  refused("a sink of another size", kSink, real({3}), "wrong shape of sink: expected [2], got f64 [3]");
  refused("ranges of another size", kRanges, integers({2, 2, 2}, 0, 2),
          "wrong ranges: expected i64 [2 or 1, 3 or 1, 2], got i64 [2, 2, 2]");
  refused("a range beyond the keys", kRanges, ranges({1, 1, 2}, {1, 5}),
          "wrong range: expected 0 <= first <= last <= 4, got 1 and 5");
  return out;
}

}  // namespace

std::vector<Example> dot_product_attention_examples() {
  std::vector<Example> out = plain_examples();
  const auto with = [&](const char* name, Input slot, const InputSpec& spec, const AttentionAttrs& attrs = {}) {
    out.push_back(example_of(name, kSmall, attrs));
    out.back().inputs[static_cast<size_t>(slot)] = spec;
  };
  with("lengths, one of them 0", kRanges, ranges({2, 1, 2}, {0, 2, 0, 0}));
  with("a window", kRanges, ranges({1, 3, 2}, {0, 2, 1, 3, 2, 4}));
  with("ranges in no order", kRanges, ranges({2, 3, 2}, {2, 4, 0, 1, 3, 3, 1, 4, 0, 2, 1, 2}));
  with("keep", kKeep, booleans({2, 2, 3, 4}));
  with("keep of each item", kKeep, booleans({2, 1, 1, 4}));
  with("keep of each query", kKeep, booleans({3, 1}));
  with("bias", kBias, real({2, 2, 3, 4}));
  with("bias of each head", kBias, real({2, 3, 4}));
  with("bias of each key", kBias, real({4}), {.soft_cap = 2.0});
  with("bias of each query", kBias, real({2, 1, 3, 1}), {.soft_cap = 2.0});
  with("sink", kSink, real({2}));
  with("dropout", kKeep, booleans({2, 1, 1, 4}),
       {.scale = 0.5, .soft_cap = 2.0, .dropout = 0.4, .dropout_at = {.key = 3, .counter = 5}});
  with("sink and lengths", kSink, real({2}));
  out.back().inputs[kRanges] = ranges({2, 3, 2}, {0, 1, 0, 2, 0, 2, 0, 0, 0, 0, 0, 0});
  out.back().inputs[kBias] = real({3, 4});
  with("sink and a bias of each query", kSink, real({2}));
  out.back().inputs[kBias] = real({2, 1, 3, 1});
  for (Example& example : examples_of_several_tiles()) out.push_back(std::move(example));
  for (Example& example : refused_examples()) out.push_back(std::move(example));
  out.push_back(example_of("all dropped", kSmall, {.dropout = 1.0}));
  out.back().error = "expected 0 <= dropout < 1, got 1";
  return out;
}

std::vector<Example> dot_product_attention_backward_examples() {
  std::vector<Example> out;
  for (Example example : dot_product_attention_examples()) {
    if (!example.error.empty()) continue;
    const Shape query = example.inputs[kQuery].shape;
    example.inputs.push_back(real(query.with(3, example.inputs[kValue].shape[3])));
    example.inputs.resize(kBackwardInputs, absent());
    out.push_back(std::move(example));
  }
  out.push_back(out[0]);
  out.back().name = "a cotangent of another shape";
  out.back().inputs[kCotangent] = real({2, 2, 3, 3});
  out.back().error = "wrong shape of the cotangent: expected [2, 2, 3, 2], got f64 [2, 2, 3, 3]";
  return out;
}

}  // namespace gradus
