// SPDX-License-Identifier: MIT
#include <string>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/export/onnx.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/attention/mask_rule.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/creation.hpp>
#include <gradus/tensor/random/random.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

namespace gradus {
namespace {

Tensor integers(const Shape& shape, std::initializer_list<double> values) {
  return Tensor::from(values, shape, {.dtype = DType::i64});
}

Tensor bools(const Shape& shape, Generator& generator) {
  return randint(shape, generator, {.high = 2}).to(DType::boolean);
}

struct NamedMask {
  const char* name;
  Mask mask;
};

// Of 2 items, 3 heads, 4 queries and 5 keys.
std::vector<NamedMask> masks() {
  Generator generator(3);
  const Tensor lengths = integers({2}, {5, 2});
  const Tensor queries = integers({2, 4}, {1, 1, 2, 3, 1, 2, 2, 2});
  const Tensor keys = integers({2, 5}, {1, 2, 2, 1, 3, 2, 2, 1, 1, 1});
  return {
      {"lengths", Mask::from_lengths(lengths)},
      {"causal", Mask::causal()},
      {"window of lengths", Mask::sliding_window(1) & Mask::from_lengths(lengths)},
      {"prefix", Mask::prefix(2)},
      {"prefix of lengths", Mask::prefix(lengths)},
      {"documents", Mask::documents(queries, keys) & Mask::causal()},
      {"keys", Mask::keys(bools({2, 5}, generator))},
      {"keep", Mask::keep(bools({4, 5}, generator)) & Mask::from_lengths(lengths)},
      {"keep of heads", Mask::keep(bools({1, 3, 4, 5}, generator)) & Mask::causal()},
      {"keep of a row", Mask::keep(bools({5}, generator))},
  };
}

}  // namespace

TEST_CASE("a mask by ops is its tensor") {
  for (const NamedMask& one : masks()) {
    for (const int64_t heads : {int64_t{0}, int64_t{3}}) {
      if (heads == 0 && std::string(one.name) == "keep of heads") continue;
      const MaskSizes sizes{.batch = 2, .heads = heads, .queries = 4, .keys = 5};
      const Shape all = heads == 0 ? Shape{2, 4, 5} : Shape{2, 3, 4, 5};
      CAPTURE(one.name, heads);
      CHECK(bitwise_equal(detail::MaskByOps::of(one.mask, sizes).value().expand(all).contiguous(),
                          one.mask.tensor(sizes).expand(all).contiguous()));
    }
  }
  CHECK_FALSE(detail::MaskByOps::of(Mask::none(), {.batch = 2, .queries = 4, .keys = 5}).defined());
}

TEST_CASE("an export of an attention leaves its results as they are, and follows a mask of lengths") {
  const tests::TemporaryFolder folder;
  Generator generator(5);
  MultiHeadAttention heads({.model_size = 6, .heads = 3}, generator);
  const Tensor x = normal({2, 4, 6}, generator);
  const Tensor memory = normal({2, 5, 6}, generator);
  for (const NamedMask& one : masks()) {
    CAPTURE(one.name);
    std::vector<Variable> traced;
    const auto f = [&](const std::vector<Variable>& in) {
      traced.push_back(heads(in[0], in[1], one.mask));
      return traced.back();
    };
    export_onnx(folder / "heads.onnx", f, {{"x", x}, {"memory", memory}}, {"y"}, {.parameters = heads.parameters()});
    CHECK(largest_error(traced[0].value(), heads(x, memory, one.mask).value()) < 1e-6);  // none measured
    CHECK_FALSE(context().tracing);
  }
  const auto of_lengths = [&](const std::vector<Variable>& in) {
    return heads(in[0], in[0], Mask::from_lengths(in[1].value()));
  };
  const std::vector<NamedTensor> inputs = {{"x", x}, {"lengths", integers({2}, {4, 1})}};
  CHECK(tests::error_text([&] { export_onnx(folder / "lengths.onnx", of_lengths, inputs, {"y"}); }) == "(no error)");
}

}  // namespace gradus
