// SPDX-License-Identifier: MIT
#include <algorithm>
#include <limits>
#include <string>

#include <gradus/tensor/tensor.hpp>

#include "tests/support/catch.hpp"

namespace gradus {

TEST_CASE("to_string: scalars, vectors and matrices, with dtype and shape behind them") {
  CHECK(to_string(scalar(3.5)) == "3.5 f32 []");
  CHECK(to_string(arange(3)) == "[0., 1., 2.] f32 [3]");
  CHECK(to_string(Tensor::from({1.5, -2, 10, 0.25}, {2, 2}, {.dtype = DType::f64})) ==
        "[[ 1.50, -2.00],\n"
        " [10.00,  0.25]] f64 [2, 2]");
  CHECK(to_string(Tensor::from({1, -20, 300}, {3}, {.dtype = DType::i64})) == "[  1, -20, 300] i64 [3]");
  CHECK(to_string(Tensor::from({1, 0}, {2}, {.dtype = DType::boolean})) == "[ true, false] bool [2]");
}

TEST_CASE("to_string: matrices of a batch stand apart") {
  CHECK(to_string(arange(8, {.dtype = DType::i64}).reshape({2, 2, 2})) ==
        "[[[0, 1],\n"
        "  [2, 3]],\n"
        "\n"
        " [[4, 5],\n"
        "  [6, 7]]] i64 [2, 2, 2]");
}

TEST_CASE("to_string: no tensor, and tensors without elements") {
  CHECK(to_string(Tensor()) == "no tensor");
  CHECK(to_string(zeros({0})) == "[] f32 [0]");
  CHECK(to_string(zeros({2, 0, 3}, {.dtype = DType::f64})) == "[] f64 [2, 0, 3]");
}

TEST_CASE("to_string: what is not finite stands in the columns of the others") {
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(to_string(Tensor::from({1.5, nan, infinity, -infinity}, {2, 2})) ==
        "[[ 1.5,  nan],\n"
        " [ inf, -inf]] f32 [2, 2]");
  CHECK(to_string(Tensor::from({nan, infinity}, {2})) == "[nan, inf] f32 [2]");
  CHECK(to_string(scalar(-0.0)) == "-0. f32 []");
}

TEST_CASE("to_string: four decimals at most, scientific where they would not do") {
  CHECK(to_string(Tensor::from({0.1234567, 2}, {2})) == "[0.1235, 2.0000] f32 [2]");
  CHECK(to_string(full({2}, 0.1)) == "[0.1, 0.1] f32 [2]");
  CHECK(to_string(Tensor::from({0, 1e-9}, {2})) == "[0e+00, 1e-09] f32 [2]");
  CHECK(to_string(Tensor::from({1.25e10, -1}, {2})) == "[ 1.25e+10, -1.00e+00] f32 [2]");
  CHECK(to_string(Tensor::from({0.5, 123456}, {2})) == "[5.0000e-01, 1.2346e+05] f32 [2]");
  CHECK(to_string(Tensor::from({1, 123456}, {2})) == "[     1., 123456.] f32 [2]");
  CHECK(to_string(full({}, std::numeric_limits<double>::max(), {.dtype = DType::f64})) == "1.7977e+308 f64 []");
  CHECK(to_string(full({}, std::numeric_limits<double>::denorm_min(), {.dtype = DType::f64})) == "4.9407e-324 f64 []");
}

TEST_CASE("to_string: strided views print the elements they show") {
  const Tensor x = arange(6, {.dtype = DType::i64}).reshape({2, 3});
  CHECK(to_string(x.transpose(0, 1)) == "[[0, 3],\n [1, 4],\n [2, 5]] i64 [3, 2]");
  CHECK(to_string(x.slice(1, 1, 3).select(0, 1)) == "[4, 5] i64 [2]");
  CHECK(to_string(x.select(0, 0).expand({2, 3})) == "[[0, 1, 2],\n [0, 1, 2]] i64 [2, 3]");
}

TEST_CASE("to_string: more than 1000 elements are abridged to three at either end of an axis") {
  CHECK(to_string(arange(1001, {.dtype = DType::i64})) == "[   0,    1,    2, ...,  998,  999, 1000] i64 [1001]");
  CHECK(to_string(arange(4000, {.dtype = DType::i64}).reshape({1000, 4})) ==
        "[[   0,    1,    2,    3],\n"
        " [   4,    5,    6,    7],\n"
        " [   8,    9,   10,   11],\n"
        " ...,\n"
        " [3988, 3989, 3990, 3991],\n"
        " [3992, 3993, 3994, 3995],\n"
        " [3996, 3997, 3998, 3999]] i64 [1000, 4]");
  // The format depends only on the numbers that are shown.
  Tensor hidden = zeros({2000});
  hidden.slice(0, 1000, 1001).fill_(1e30);
  CHECK(to_string(hidden) == "[0., 0., 0., ..., 0., 0., 0.] f32 [2000]");
}

TEST_CASE("to_string: long rows are broken, and the text is bounded whatever the shape") {
  const std::string full_text = to_string(full({1000}, -12345.25));
  const auto longest_line = [](const std::string& text) {
    size_t longest = 0;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      longest = std::max(longest, end - begin);
      begin = end + 1;
    }
    return longest;
  };
  CHECK(std::count(full_text.begin(), full_text.end(), '5') == 2000);
  CHECK(std::count(full_text.begin(), full_text.end(), '\n') > 50);
  CHECK(longest_line(full_text) <= 100 + std::string("] f32 [1000]").size());
  for (const Shape& shape : {Shape{9, 9, 9, 9}, Shape{3, 3, 3, 3, 3, 3, 3, 3}, Shape{7, 7, 7, 7, 7, 7, 7, 7},
                             Shape{100000, 1}, Shape{2, 2, 2, 2, 2, 2, 2, 2000}}) {
    const std::string text = to_string(scalar(-1.2345).expand(shape));
    INFO(to_string(shape));
    CHECK(text.size() < 20000);
    CHECK(text.find("...") != std::string::npos);
  }
}

}  // namespace gradus
