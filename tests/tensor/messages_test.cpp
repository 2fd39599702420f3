// SPDX-License-Identifier: MIT
// The error messages of tensor functions that their own tests do not cover.
#include <gradus/tensor/creation.hpp>
#include <gradus/tensor/kernels/gemm/blas.hpp>
#include <gradus/tensor/random/random_tape.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

using namespace gradus;
using gradus::tests::error_text;

TEST_CASE("messages: creation") {
  const Tensor indices = zeros({2}, {.dtype = DType::i64});
  CHECK(error_text([] { return arange(0, 1, {.dtype = DType::boolean}); }) ==
        "[arange] expected a dtype of numbers, got bool");
  CHECK(error_text([] { return linspace(0, 1, -1); }) == "[linspace] expected a count >= 0, got -1");
  CHECK(error_text([] { return linspace(0, 1, 2, {.dtype = DType::i64}); }) ==
        "[linspace] expected a floating dtype (f32 or f64), got i64");
  CHECK(error_text([&] { return one_hot(indices, -1); }) == "[one_hot] expected a number of classes >= 0, got -1");
  const Tensor deep = zeros({1, 1, 1, 1, 1, 1, 1, 1}, {.dtype = DType::i64});
  CHECK(error_text([&] { return one_hot(deep, 2); }) ==
        "[one_hot] rank too large: expected indices of at most 7 axes, got i64 [1, 1, 1, 1, 1, 1, 1, 1]");
}

TEST_CASE("messages: threads") {
  CHECK(error_text([] { return set_num_threads(0); }) == "[set_num_threads] expected a count in [1, 1024], got 0");
  CHECK(error_text([] { return set_num_threads(1025); }) ==
        "[set_num_threads] expected a count in [1, 1024], got 1025");
}

TEST_CASE("messages: OpenBLAS that is missing, or is another library") {
  const std::string missing = error_text([] { return kernels::require_openblas("libno_such_blas.so.0"); });
  CHECK_THAT(missing, tests::contains_text("[matmul] OpenBLAS cannot be loaded: expected libno_such_blas.so.0 where"));
  CHECK_THAT(missing, tests::contains_text("apt-get install libopenblas0"));
  CHECK_THAT(error_text([] { return kernels::require_openblas("libm.so.6"); }),
             tests::contains_text("[matmul] expected OpenBLAS in libm.so.6, which has no function "));
}

TEST_CASE("messages: a replay that draws more than was recorded") {
  Generator generator(3);
  RandomTape tape;
  {
    const RandomTape::Record scope(tape);
    static_cast<void>(uniform({2}, generator));
  }
  const RandomTape::Replay scope(tape);
  static_cast<void>(uniform({2}, generator));
  CHECK(error_text([&] { return uniform({2}, generator); }) ==
        "[generator] a replayed function draws more random numbers than before: 1 draws were written down");
}
