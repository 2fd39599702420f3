// SPDX-License-Identifier: MIT
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <gradus/tensor/tensor.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

namespace gradus {
namespace {

using tests::error_text;

std::vector<double> values(const Tensor& x) {
  const Tensor dense = x.to(DType::f64).contiguous();
  return std::vector<double>(dense.data<double>(), dense.data<double>() + dense.numel());
}

Tensor matrix() { return arange(6).reshape({2, 3}); }

}  // namespace

TEST_CASE("Tensor: makers") {
  CHECK(values(zeros({2, 2})) == std::vector<double>{0, 0, 0, 0});
  CHECK(values(ones({3}, {.dtype = DType::i64})) == std::vector<double>{1, 1, 1});
  CHECK(values(full({2}, -1.5, {.dtype = DType::f64})) == std::vector<double>{-1.5, -1.5});
  CHECK(values(arange(4, {.dtype = DType::i64})) == std::vector<double>{0, 1, 2, 3});
  CHECK(values(Tensor::from({1, 2, 3, 4}, {2, 2})) == std::vector<double>{1, 2, 3, 4});
  const std::vector<int64_t> source = {7, 8};
  const Tensor copied = Tensor::from(std::span<const int64_t>(source), {2});
  CHECK(copied.dtype() == DType::i64);
  CHECK(copied.data<int64_t>() != source.data());
  CHECK(zeros({2}).dtype() == DType::f32);
  CHECK(scalar(2.5).rank() == 0);
  CHECK(scalar(2.5).item<float>() == 2.5f);
  CHECK(arange(0).shape() == Shape{0});
  CHECK(zeros({2, 0, 3}).numel() == 0);
  CHECK(full({2}, 1.0, {.dtype = DType::boolean}).at({1}) == 1.0);
}

TEST_CASE("Tensor: every dtype tells its name and refuses to be read as another") {
  CHECK(describe(zeros({2, 3})) == "f32 [2, 3]");
  CHECK(describe(zeros({}, {.dtype = DType::f64})) == "f64 []");
  CHECK(describe(zeros({0}, {.dtype = DType::i64})) == "i64 [0]");
  CHECK(describe(zeros({1}, {.dtype = DType::boolean})) == "bool [1]");
  CHECK(describe(Tensor()) == "no tensor");
  CHECK(error_text([] {
          return zeros({2, 3}).data<double>();
        }) == "[data] wrong dtype: asked for f64, the tensor is f32 [2, 3]");
  CHECK(error_text([] { return zeros({2}).mutable_data_<int64_t>(); }) ==
        "[data] wrong dtype: asked for i64, the tensor is f32 [2]");
  CHECK(error_text([] { return Tensor().data<float>(); }) ==
        "[data] wrong dtype: asked for f32, the tensor is no tensor");
}

TEST_CASE("Tensor: single elements") {
  const Tensor x = matrix();
  CHECK(x.at({1, 2}) == 5.0);
  CHECK(x.at({-1, 0}) == 3.0);
  CHECK(x.transpose(0, 1).at({2, 1}) == 5.0);
  CHECK(x.slice(0, 1, 2).slice(1, 1, 2).item<float>() == 4.0f);
  CHECK(x.size(-1) == 3);
  CHECK(error_text([&] { return x.at({1}); }) == "[at] wrong number of indices: expected 2, got 1");
  CHECK(error_text([&] {
          return x.at({2, 0});
        }) == "[at] index out of range: expected an index in [-2, 1] on axis 0 of [2, 3], got 2");
  CHECK(error_text([&] { return x.item<float>(); }) == "[item] expected exactly one element, got f32 [2, 3]");
  CHECK(error_text([] { return zeros({0}).item<float>(); }) == "[item] expected exactly one element, got f32 [0]");
  CHECK(error_text([] { return scalar(1).item<double>(); }) ==
        "[data] wrong dtype: asked for f64, the tensor is f32 []");
  CHECK(error_text([&] { return x.size(2); }) == "[size] axis out of range: expected an axis in [-2, 1], got 2");
}

TEST_CASE("Tensor: views share the bytes and the version") {
  Tensor x = matrix();
  const std::vector<std::pair<std::string, Tensor>> views = {
      {"copy", x},
      {"permute", x.permute({1, 0})},
      {"transpose", x.transpose(0, 1)},
      {"slice", x.slice(1, 0, 3, 2)},
      {"select", x.select(0, 0)},
      {"expand", x.unsqueeze(0).expand({4, 2, 3})},
      {"squeeze", x.unsqueeze(1).squeeze(1)},
      {"diagonal", x.diagonal(0, 1)},
      {"reshape", x.reshape({3, 2})},
      {"contiguous", x.contiguous()},
      {"to the same dtype", x.to(DType::f32)},
  };
  const uint32_t before = x.version();
  x.fill_(9.0);
  for (const auto& [name, view] : views) {
    INFO(name);
    CHECK(view.storage().is_same(x.storage()));
    CHECK(view.version() == before + 1);
    for (const double value : values(view)) CHECK(value == 9.0);
  }
}

TEST_CASE("Tensor: copies have bytes of their own") {
  Tensor x = matrix();
  const std::vector<std::pair<std::string, Tensor>> copies = {
      {"clone", x.clone()},
      {"contiguous of a transposed view", x.transpose(0, 1).contiguous()},
      {"reshape that strides cannot do", x.transpose(0, 1).reshape({6})},
      {"to another dtype", x.to(DType::f64)},
  };
  x.fill_(9.0);
  for (const auto& [name, copy] : copies) {
    INFO(name);
    CHECK_FALSE(copy.storage().is_same(x.storage()));
    CHECK(copy.is_contiguous());
    for (const double value : values(copy)) CHECK(value != 9.0);
  }
  CHECK(values(copies[2].second) == std::vector<double>{0, 3, 1, 4, 2, 5});
}

TEST_CASE("Tensor: each mutator changes its own elements and bumps the version") {
  Tensor x = zeros({2, 4});
  Tensor odd = x.slice(1, 1, 4, 2);
  uint32_t version = x.version();
  const auto check_bumped = [&] { CHECK(x.version() == ++version); };

  odd.fill_(3);
  check_bumped();
  CHECK(values(x) == std::vector<double>{0, 3, 0, 3, 0, 3, 0, 3});
  odd.copy_(Tensor::from({1, 2, 3, 4}, {2, 2}));
  check_bumped();
  CHECK(values(x) == std::vector<double>{0, 1, 0, 2, 0, 3, 0, 4});
  odd.copy_(Tensor::from({5, 6, 7, 8}, {2, 2}, {.dtype = DType::i64}));
  check_bumped();
  CHECK(values(x) == std::vector<double>{0, 5, 0, 6, 0, 7, 0, 8});
  odd.add_(ones({2, 2}), -2.0);
  check_bumped();
  CHECK(values(x) == std::vector<double>{0, 3, 0, 4, 0, 5, 0, 6});
  odd.scale_(10.0);
  check_bumped();
  CHECK(values(x) == std::vector<double>{0, 30, 0, 40, 0, 50, 0, 60});
  odd.mutable_data_<float>()[0] = 1;
  check_bumped();
  CHECK(x.at({0, 1}) == 1.0);
}

TEST_CASE("Tensor: every mutator refuses an expanded view, and changes nothing") {
  const Tensor x = ones({1, 2});
  Tensor wide = x.expand({3, 2});
  const std::string text =
      " cannot write to an expanded view: f32 [3, 2] holds the same element at several indices; clone() it first";
  CHECK(error_text([&] { return wide.fill_(0); }) == "[fill_]" + text);
  CHECK(error_text([&] { return wide.copy_(zeros({3, 2})); }) == "[copy_]" + text);
  CHECK(error_text([&] { return wide.add_(zeros({3, 2})); }) == "[add_]" + text);
  CHECK(error_text([&] { return wide.scale_(0); }) == "[scale_]" + text);
  CHECK(error_text([&] { return wide.mutable_data_<float>(); }) == "[mutable_data_]" + text);
  CHECK(x.version() == 0);
  CHECK(values(x) == std::vector<double>{1, 1});
  // A stride of 0 on an axis of size 1, or in an empty tensor, repeats nothing.
  Tensor single = scalar(1).expand({1, 1});
  single.fill_(2);
  CHECK(single.at({0, 0}) == 2.0);
  Tensor none = zeros({3, 0});
  none.fill_(2);
  CHECK(none.mutable_data_<float>() != nullptr);
}

TEST_CASE("Tensor: wrong operands of mutators are refused, and leave the version alone") {
  Tensor x = zeros({2, 3});
  Tensor whole = zeros({2}, {.dtype = DType::i64});
  const uint32_t version = x.version();
  CHECK(error_text([&] {
          return x.copy_(zeros({3, 2}));
        }) == "[copy_] shapes differ: expected f32 [2, 3], got f32 [3, 2]");
  CHECK(error_text([&] { return x.add_(zeros({3})); }) ==
        "[add_] operands differ: expected equal floating tensors, got f32 [2, 3] and f32 [3]");
  CHECK(error_text([&] {
          return x.add_(zeros({2, 3}, {.dtype = DType::f64}));
        }) == "[add_] operands differ: expected equal floating tensors, got f32 [2, 3] and f64 [2, 3]");
  CHECK(error_text([&] { return whole.add_(whole); }) ==
        "[add_] operands differ: expected equal floating tensors, got i64 [2] and i64 [2]");
  CHECK(error_text([&] { return whole.scale_(2); }) == "[scale_] expected a floating tensor, got i64 [2]");
  CHECK(x.version() == version);
  CHECK(whole.version() == 0);
}

TEST_CASE("Tensor: an undefined tensor is refused wherever its elements would be touched") {
  Tensor none;
  Tensor x = scalar(1.0);
  CHECK_FALSE(none.defined());
  CHECK(error_text([&] { return none.fill_(0); }) == "[fill_] there is no tensor to write to");
  CHECK(error_text([&] { return none.copy_(x); }) == "[copy_] there is no tensor to write to");
  CHECK(error_text([&] { return none.add_(x); }) == "[add_] there is no tensor to write to");
  CHECK(error_text([&] { return none.scale_(1); }) == "[scale_] there is no tensor to write to");
  CHECK(error_text([&] { return x.copy_(none); }) == "[copy_] there is no tensor to read from");
  CHECK(error_text([&] { return x.add_(none); }) == "[add_] there is no tensor to read from");
  CHECK(error_text([&] { return none.clone(); }) == "[clone] there is no tensor to read from");
  CHECK(error_text([&] { return none.to(DType::f64); }) == "[to] there is no tensor to read from");
  CHECK(error_text([&] { return none.item<float>(); }) == "[item] expected exactly one element, got no tensor");
  CHECK(error_text([&] { return none.at({}); }) == "[at] there is no tensor to read from");
  CHECK_FALSE(bitwise_equal(none, x));
  CHECK_FALSE(bitwise_equal(x, none));
  CHECK(bitwise_equal(none, Tensor()));
}

TEST_CASE("Tensor: from refuses a wrong number of values, views their wrong arguments") {
  CHECK(error_text([] {
          return Tensor::from({1, 2, 3}, {2, 2});
        }) == "[from] wrong number of values: shape [2, 2] takes 4, got 3");
  CHECK(error_text([] { return zeros({2}).reshape({3}); }) ==
        "[reshape] element counts differ: shape is [2] (2 elements), asked for [3] (3)");
  CHECK(error_text([] { return zeros({2}).permute({0, 1}); }) == "[permute] wrong number of axes: expected 1, got 2");
  CHECK(error_text([] { return dispatch_float(DType::i64, []<class T>() { static_cast<void>(sizeof(T)); }); }) ==
        "expected a floating dtype (f32 or f64), got i64");
}

TEST_CASE("bitwise_equal: compares bits, not numbers") {
  const double nan = __builtin_nan("");
  CHECK(bitwise_equal(full({2}, nan), full({2}, nan)));
  CHECK_FALSE(bitwise_equal(scalar(0.0), scalar(-0.0)));
  CHECK_FALSE(bitwise_equal(zeros({2}), zeros({2}, {.dtype = DType::f64})));
  CHECK_FALSE(bitwise_equal(zeros({2, 1}), zeros({2})));
  CHECK(bitwise_equal(matrix(), matrix().transpose(0, 1).contiguous().transpose(0, 1)));
  CHECK(bitwise_equal(zeros({0, 3}), zeros({0, 3})));
  CHECK_FALSE(bitwise_equal(matrix(), zeros({2, 3})));
}

}  // namespace gradus
