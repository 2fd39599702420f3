// SPDX-License-Identifier: MIT
// The error messages of public functions that are not in the examples of the ops, and sizes that do not fit 64 bits.
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

using namespace gradus;
using gradus::tests::contains_text;
using gradus::tests::error_text;

namespace {

Tensor indices(const Shape& shape) { return zeros(shape, {.dtype = DType::i64}); }

}  // namespace

TEST_CASE("messages: products") {
  const Variable scalar_one = ones({});
  const Variable matrix = ones({2, 3});
  CHECK(error_text([&] { return matmul(scalar_one, matrix); }) ==
        "[matmul] expected vectors, matrices or batches, got f32 [] and f32 [2, 3]");
  const Variable vector = ones({3});
  CHECK(error_text([&] {
          return apply(matmul_op, {}, {&matrix, &vector});
        }) == "[matmul] expected two matrices, or equal batches of them: a is f32 [2, 3], b is f32 [3]");
  CHECK(error_text([&] { return linear(scalar_one, matrix, {}); }) == "[linear] expected x [.., in], got f32 []");
  CHECK(error_text([&] {
          return einsum("abcde,fghij->abcdefghij", {ones({1, 1, 1, 1, 1}), ones({1, 1, 1, 1, 1})});
        }) == "[einsum] an intermediate product has 10 axes, at most 8 are possible");
}

TEST_CASE("messages: parts and indices") {
  CHECK(error_text([] { return concat({}, 0); }) == "[concat] expected at least one part, got none");
  CHECK(error_text([] { return stack({}, 0); }) == "[stack] expected at least one part, got none");
  CHECK(error_text([] {
          return gather(ones({2, 3}), 0, indices({2}));
        }) == "[gather] ranks differ: x is f32 [2, 3], indices are i64 [2]");
  CHECK(error_text([] {
          return take_along_axis(ones({2, 3}), 0, indices({2}));
        }) == "[take_along_axis] ranks differ: x is f32 [2, 3], indices are i64 [2]");
  CHECK(error_text([] { return flat_nonzero(ones({2})); }) ==
        "[flat_nonzero] expected a mask of dtype bool, got f32 [2]");
  const Variable cotangent = ones({});
  const Variable index = indices({});
  CHECK(error_text([&] {
          return apply(embedding_backward_op, {}, {&cotangent, &index});
        }) == "[embedding_backward] expected a cotangent [.., D], got f32 []");
}

TEST_CASE("messages: rows of class losses") {
  CHECK(error_text([] { return cross_entropy_rows(ones({}), indices({})); }) ==
        "[cross_entropy_rows] expected floating rows [.., C], got f32 []");
  CHECK(error_text([] {
          return nll_loss(indices({2, 3}), indices({2}));
        }) == "[nll_loss] expected floating rows [.., C], got i64 [2, 3]");
}

TEST_CASE("messages: sequences") {
  CHECK(error_text([] {
          return gru_sequence(ones({2, 6}), ones({2, 2}), ones({6, 2}), ones({6}));
        }) == "[gru_sequence] expected floating gates_x [B, T, 3 H] and h0 [B, H], got f32 [2, 6] and f32 [2, 2]");
  const Tensor lengths = Tensor::from({2, 4}, {2}, {.dtype = DType::i64});
  CHECK(error_text([&] {
          return gru_sequence(ones({2, 3, 6}), ones({2, 2}), ones({6, 2}), ones({6}), lengths);
        }) == "[gru_sequence] wrong lengths: expected i64 [2], each from 0 to 3, got 4 in row 1");
}

TEST_CASE("messages: extremes of nothing") {
  CHECK(error_text([] {
          return max(ones({2, 0}), {1});
        }) == "[max] extreme of no elements: expected no reduced axis of size 0, got f32 [2, 0]");
}

TEST_CASE("sizes that do not fit 64 bits are refused wherever one is computed") {
  const int64_t huge = int64_t{1} << 59;
  const Variable row = zeros({1}).expand({huge});
  const auto too_many = contains_text("too many elements for 64-bit addressing");
  CHECK_THROWS_WITH(concat({row, row, row}, 0), too_many);
  // the sum of these sizes overflows int64 and would become negative
  CHECK(error_text([&] { return concat(std::vector<Variable>(17, row), 0); }) ==
        "[concat] too many elements for 64-bit addressing: 17 parts, part 15 is f32 [576460752303423488]");
  CHECK_THROWS_WITH(stack({row, row, row}, 0), too_many);
  CHECK_THROWS_WITH(outer(row, row), too_many);
  CHECK_THROWS_WITH(expand(row, {16, huge}), too_many);
  CHECK_THROWS_WITH(reshape(row, {huge, huge}), too_many);
  CHECK_THROWS_WITH(tile(row, {INT64_MAX}), too_many);
  CHECK_THROWS_WITH(repeat(row, {huge}), too_many);
  CHECK_THROWS_WITH(pad(row, {{INT64_MAX, INT64_MAX}}), too_many);
  const Variable column = zeros({1, 1}).expand({huge, 1});
  CHECK_THROWS_WITH(matmul(column, zeros({1, 16})), too_many);
  CHECK_THROWS_WITH(linear(column, zeros({16, 1}), {}), too_many);
  CHECK_THROWS_WITH(einsum("i,j->ij", {row, row}), too_many);
  CHECK_THROWS_WITH(add(column, zeros({1, 16})), too_many);
  const Tensor picks = zeros({1}, {.dtype = DType::i64}).expand({huge});
  CHECK_THROWS_WITH(embedding(zeros({1, 16}), picks), too_many);
  CHECK_THROWS_WITH(index_select(zeros({1, 16}), 0, picks), too_many);
}
