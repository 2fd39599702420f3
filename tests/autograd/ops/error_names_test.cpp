// SPDX-License-Identifier: MIT
// The errors of a public function begin with the name that the user called, even if it is composed of others.
#include <set>
#include <span>

#include <gradus/autograd/ops.hpp>
#include <gradus/tensor/detail/called_as.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

using namespace gradus;
using gradus::tests::error_text;

namespace {

struct Named {
  const char* name;
  void (*call)(const Variable& x);
};

#define CALL(name, ...)                                                              \
  {                                                                                  \
    name, []([[maybe_unused]] const Variable& x) { static_cast<void>(__VA_ARGS__); } \
  }

Tensor flags(const Shape& shape) { return ones(shape, {.dtype = DType::boolean}); }
Variable bools() { return flags({2, 2}); }
Variable index() { return zeros({2, 2}, {.dtype = DType::i64}); }
Variable sevens() { return full({2}, 7.0, {.dtype = DType::i64}); }

// These functions refuse an undefined tensor, and one of integers or of bools.
constexpr Named kOfFloating[] = {
    CALL("norm", norm(x, {.p = 1.0})),
    CALL("norm", norm(x, {.p = __builtin_huge_val()})),
    CALL("exp", exp(x)),
    CALL("sqrt", sqrt(x)),
    CALL("operator/", x / 2.0),
    CALL("operator/", 2.0 / x),
    CALL("div", x / x),
    CALL("pow", pow(x, x)),
    CALL("pow", pow(x, 1.5)),
    CALL("pow", pow(2.0, x)),
    CALL("lerp", lerp(x, x, x)),
    CALL("lerp", lerp(x, x, 0.5)),
    CALL("mean", mean(x)),
    CALL("mean", mean(x, {0})),
    CALL("var", var(x)),
    CALL("var", var(x, {0}, {})),
    CALL("stddev", stddev(x)),
    CALL("stddev", stddev(x, {0}, {})),
    CALL("norm", norm(x)),
    CALL("logsumexp", logsumexp(x)),
    CALL("softmax", softmax(x)),
    CALL("softmax", softmax(x, 0)),
    CALL("log_softmax", log_softmax(x, 0)),
    CALL("sparsemax", sparsemax(x, 0)),
    CALL("entmax15", entmax15(x, 0)),
    CALL("layer_norm", layer_norm(x)),
    CALL("rms_norm", rms_norm(x)),
    CALL("matmul", matmul(x, x)),
    CALL("linear", linear(x, x)),
    CALL("outer", outer(x, x)),
    CALL("einsum", einsum("ij,jk->ik", {x, x})),
    CALL("cosine_similarity", cosine_similarity(x, x)),
    CALL("mse_loss", mse_loss(x, x)),
    CALL("l1_loss", l1_loss(x, x)),
    CALL("huber_loss", huber_loss(x, x)),
    CALL("kl_div", kl_div(x, x)),
    CALL("binary_cross_entropy_with_logits", binary_cross_entropy_with_logits(x, x)),
    CALL("cross_entropy", cross_entropy(x, x)),
    CALL("cross_entropy_rows", cross_entropy_rows(x, x)),
    CALL("nll_loss", nll_loss(x, x)),
    CALL("dropout", dropout(x, 0.5, {})),
    CALL("rnn_sequence", rnn_sequence(x, x, x, x)),
    CALL("gru_sequence", gru_sequence(x, x, x, x)),
    CALL("lstm_sequence", lstm_sequence(x, x, x, x, x)),
    CALL("additive_score", additive_score(x, x, x)),
    CALL("conv1d", conv1d(x, x)),
    CALL("linear_scan", linear_scan(x, x, 0)),
};

// These refuse a tensor that is undefined, and one of bools.
constexpr Named kOfNumbers[] = {
    CALL("abs", abs(x)),
    CALL("neg", neg(x)),
    CALL("neg", -x),
    CALL("affine", affine(x, 2, 1)),
    CALL("operator+", x + 1.0),
    CALL("operator+", 1.0 + x),
    CALL("operator-", x - 1.0),
    CALL("operator-", 1.0 - x),
    CALL("operator*", x * 2.0),
    CALL("operator*", 2.0 * x),
    CALL("add", x + x),
    CALL("sub", x - x),
    CALL("mul", x* x),
    CALL("pow", pow(x, 2.0)),
    CALL("maximum", maximum(x, x)),
    CALL("maximum", maximum(x, 1.0)),
    CALL("minimum", minimum(x, 1.0)),
    CALL("isinf", isinf(x)),
};

// These refuse one that is undefined.
constexpr Named kOfAnyDtype[] = {
    CALL("sum", sum(x)),
    CALL("prod", prod(x)),
    CALL("cumsum", cumsum(x, 0)),
    CALL("cumprod", cumprod(x, 0)),
    CALL("where", where(bools(), x, x)),
    CALL("masked_fill", masked_fill(x, bools(), 1.0)),
    CALL("expand", expand(x, {3, 2, 2})),
    CALL("reshape", reshape(x, {4})),
    CALL("squeeze", squeeze(x, 0)),
    CALL("unsqueeze", unsqueeze(x, 0)),
    CALL("permute", permute(x, {1, 0})),
    CALL("transpose", transpose(x, 0, 1)),
    CALL("slice", slice(x, 0, 0, 1)),
    CALL("narrow", narrow(x, 0, 0, 1)),
    CALL("select", select(x, 0, 0)),
    CALL("unbind", unbind(x, 0)),
    CALL("split", split(x, 0, {1, 1})),
    CALL("split_every", split_every(x, {.axis = 0, .size = 1})),
    CALL("chunk", chunk(x, {.axis = 0, .count = 2})),
    CALL("diagonal", diagonal(x, 0, 1)),
    CALL("concat", concat({x, x}, 0)),
    CALL("stack", stack({x, x}, 0)),
    CALL("flip", flip(x, {0})),
    CALL("roll", roll(x, {.axis = 0, .shift = 1})),
    CALL("pad", pad(x, {{1, 1}, {1, 1}})),
    CALL("repeat", repeat(x, {2, 2})),
    CALL("tile", tile(x, {2, 2, 2})),
    CALL("embedding", embedding(x, index())),
    CALL("take_along_axis", take_along_axis(x, 0, index())),
    CALL("gather", gather(x, 0, index())),
    CALL("gather", gather(index(), 0, x)),
    CALL("scatter_add", scatter_add(x, 0, index(), x)),
    CALL("index_select", index_select(x, 0, index())),
    CALL("index_add", index_add(x, 0, index(), x)),
    CALL("masked_select", masked_select(x, bools())),
    CALL("masked_select", masked_select(index(), x)),
    CALL("sort", sort(x)),
    CALL("argsort", argsort(x)),
    CALL("topk", topk(x, 1)),
    CALL("max", max(x)),
    CALL("max", max(x, {0})),
    CALL("min", min(x)),
    CALL("argmax", argmax(x)),
    CALL("argmax", argmax(x, 0)),
    CALL("argmin", argmin(x, 0)),
    CALL("any", any(x)),
    CALL("all", all(x, {0})),
    CALL("equal", equal(x, x)),
    CALL("not_equal", not_equal(x, 1.0)),
    CALL("less", less(x, index())),
    CALL("less_equal", less_equal(x, 1.0)),
    CALL("greater", greater(x, x)),
    CALL("greater_equal", greater_equal(x, 1.0)),
    CALL("isnan", isnan(x)),
    CALL("logical_and", logical_and(x, x)),
    CALL("logical_or", logical_or(x, x)),
    CALL("logical_xor", logical_xor(x, x)),
    CALL("logical_not", logical_not(x)),
    CALL("where", where(x, x, x)),
};

// Each function gets an axis that [2, 2] does not have, or a range, a shape or a dtype that does not fit.
constexpr Named kThatDoNotFit[] = {
    CALL("sum", sum(x, {7})),
    CALL("mean", mean(x, {7})),
    CALL("var", var(x, {7}, {})),
    CALL("stddev", stddev(x, {7}, {})),
    CALL("norm", norm(x, {7}, {})),
    CALL("norm", norm(x, {.p = 0.5})),
    CALL("prod", prod(x, {7})),
    CALL("max", max(x, {7})),
    CALL("min", min(x, {7})),
    CALL("argmax", argmax(x, 7)),
    CALL("argmin", argmin(x, 7)),
    CALL("logsumexp", logsumexp(x, {7})),
    CALL("cumsum", cumsum(x, 7)),
    CALL("cumprod", cumprod(x, 7)),
    CALL("linear_scan", linear_scan(x, x, 7)),
    CALL("linear_scan", linear_scan(x, ones({3}), 0)),
    CALL("conv1d", conv1d(x, x)),
    CALL("softmax", softmax(x, 7)),
    CALL("softmax", softmax(x, -1, flags({3}))),
    CALL("log_softmax", log_softmax(x, 7)),
    CALL("sparsemax", sparsemax(x, 7)),
    CALL("entmax15", entmax15(x, -1, flags({3}))),
    CALL("layer_norm", layer_norm(x, {.axes = 7})),
    CALL("rms_norm", rms_norm(x, {.weight = ones({3})})),
    CALL("expand", expand(x, {3, 3})),
    CALL("reshape", reshape(x, {5})),
    CALL("squeeze", squeeze(x, 0)),
    CALL("squeeze", squeeze(x, 7)),
    CALL("unsqueeze", unsqueeze(x, 7)),
    CALL("permute", permute(x, {1})),
    CALL("permute", permute(x, {1, 7})),
    CALL("transpose", transpose(x, 0, 7)),
    CALL("slice", slice(x, 7, 0, 1)),
    CALL("narrow", narrow(x, 7, 0, 1)),
    CALL("narrow", narrow(x, 0, 1, 2)),
    CALL("narrow", narrow(x, 0, 1, INT64_MAX)),
    CALL("select", select(x, 7, 0)),
    CALL("select", select(x, 0, 2)),
    CALL("unbind", unbind(x, 7)),
    CALL("split", split(x, 7, {1, 1})),
    CALL("split_every", split_every(x, {.axis = 7, .size = 1})),
    CALL("split_every", split_every(x, {.axis = 0, .size = 0})),
    CALL("chunk", chunk(x, {.axis = 7, .count = 2})),
    CALL("chunk", chunk(x, {.axis = 0, .count = 0})),
    CALL("diagonal", diagonal(x, 0, 7)),
    CALL("concat", concat({x, x}, 7)),
    CALL("stack", stack({x, x}, 7)),
    CALL("stack", stack({x, ones({3})}, 0)),
    CALL("stack", stack({}, 0)),
    CALL("flip", flip(x, {7})),
    CALL("roll", roll(x, {.axis = 7, .shift = 1})),
    CALL("pad", pad(x, {{1, 1}})),
    CALL("repeat", repeat(x, {2})),
    CALL("tile", tile(x, {-1, 1, 1})),
    CALL("take_along_axis", take_along_axis(x, 7, index())),
    CALL("gather", gather(x, 7, index())),
    CALL("scatter_add", scatter_add(x, 7, index(), x)),
    CALL("index_select", index_select(x, 7, zeros({1}, {.dtype = DType::i64}))),
    CALL("index_add", index_add(x, 7, index(), x)),
    CALL("masked_select", masked_select(x, x)),
    CALL("masked_select", masked_select(x, Variable(flags({3})))),
    CALL("sort", sort(x, {.axis = 7})),
    CALL("argsort", argsort(x, {.axis = 7})),
    CALL("topk", topk(x, 7)),
    CALL("add", x + ones({3})),
    CALL("pow", pow(x, ones({3}))),
    CALL("maximum", maximum(x, ones({3}))),
    CALL("lerp", lerp(x, ones({3}), 0.5)),
    CALL("less", less(x, ones({3}))),
    CALL("less", less(x, index())),
    CALL("where", where(x, x, x)),
    CALL("masked_fill", masked_fill(x, x, 0.0)),
    CALL("masked_fill", masked_fill(x, flags({3}), 0.0)),
    CALL("logical_not", logical_not(x)),
    CALL("logical_and", logical_and(x, x)),
    CALL("matmul", matmul(x, ones({3, 2}))),
    CALL("matmul", matmul(ones({3}), x)),
    CALL("linear", linear(unsqueeze(x, 0), ones({3, 3}))),
    CALL("outer", outer(x, x)),
    CALL("einsum", einsum("ij,jk", {x, ones({3, 3})})),
    CALL("cosine_similarity", cosine_similarity(x, ones({3}))),
    CALL("mse_loss", mse_loss(x, ones({3}))),
    CALL("kl_div", kl_div(x, ones({3}))),
    CALL("cross_entropy", cross_entropy(x, sevens())),
    CALL("cross_entropy_rows", cross_entropy_rows(x, sevens())),
    CALL("nll_loss", nll_loss(x, sevens())),
    CALL("rnn_sequence", rnn_sequence(x, x, x, x)),
    CALL("lstm_sequence", lstm_sequence(x, x, x, x, x)),
    CALL("embedding", embedding(x, sevens())),
};

void check_names(std::span<const Named> table, const char* what, const Variable& x) {
  for (size_t i = 0; i < table.size(); ++i) {
    const std::string text = error_text([&] { table[i].call(x); });
    INFO("entry " << i << " with " << what << ": " << text);
    CHECK(text.rfind(std::string("[") + table[i].name + "] ", 0) == 0);
  }
}

}  // namespace

TEST_CASE("errors of public functions begin with the function's name") {
  check_names(kOfFloating, "no tensor", Variable());
  check_names(kOfNumbers, "no tensor", Variable());
  check_names(kOfAnyDtype, "no tensor", Variable());
  check_names(kOfFloating, "integers", index());
  check_names(kOfFloating, "bools", bools());
  check_names(kOfNumbers, "bools", bools());
  check_names(kThatDoNotFit, "[2, 2]", ones({2, 2}));
}

TEST_CASE("the outermost name counts, and none is left behind") {
  const auto fails = [] { detail::throw_error("[inner] text"); };
  {
    const detail::CalledAs outer("outer");
    const detail::CalledAs middle("middle");
    CHECK(error_text(fails) == "[outer] text");
    CHECK(error_text([] { detail::throw_error("no name"); }) == "no name");
  }
  CHECK(error_text(fails) == "[inner] text");
  CHECK(error_text([] { return mean(zeros({2}), {5}); }).rfind("[mean]", 0) == 0);
  CHECK(error_text(fails) == "[inner] text");
}
