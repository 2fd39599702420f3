// SPDX-License-Identifier: MIT
// Undefined tensors, and tensors that are larger than any machine can hold.
#include <functional>
#include <new>

#include <gradus/tensor/creation.hpp>
#include <gradus/tensor/random/random.hpp>
#include <gradus/tensor/tensor.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"

namespace gradus {
namespace {

using tests::error_text;

}  // namespace

TEST_CASE("Tensor: each accessor of an undefined one says that there is no tensor") {
  const Tensor none;
  const auto text = [](const char* accessor) {
    return std::string("[") + accessor + "] there is no tensor: expected a defined one";
  };
  CHECK(error_text([&] { return none.shape(); }) == text("shape"));
  CHECK(error_text([&] { return none.layout(); }) == text("layout"));
  CHECK(error_text([&] { return none.storage(); }) == text("storage"));
  CHECK(error_text([&] { return none.dtype(); }) == text("dtype"));
  CHECK(error_text([&] { return none.rank(); }) == text("rank"));
  CHECK(error_text([&] { return none.numel(); }) == text("numel"));
  CHECK(error_text([&] { return none.is_contiguous(); }) == text("is_contiguous"));
  CHECK(error_text([&] { return none.contiguous(); }) == text("is_contiguous"));
  CHECK(error_text([&] { return none.version(); }) == text("version"));
  CHECK(error_text([&] { return none.is_unique(); }) == text("is_unique"));
  CHECK(error_text([&] { return none.raw_data(); }) == text("raw_data"));
  CHECK(error_text([&] { return none.size(0); }) == text("shape"));
  CHECK(error_text([&] { return none.transpose(0, 0); }) == text("layout"));
  CHECK(error_text([&] { return none.slice(0, 0, 0); }) == text("shape"));
  CHECK(error_text([&] { return none.select(0, 0); }) == text("layout"));
  CHECK(error_text([&] { return none.expand({1}); }) == text("layout"));
  CHECK(error_text([&] { return none.reshape({1}); }) == text("shape"));
  CHECK(error_text([&] { return none.unsqueeze(0); }) == text("layout"));
  CHECK_THAT(error_text([&] { return none.view(Layout()); }), tests::contains_text("there is no tensor"));
}

TEST_CASE("Storage: each accessor of an empty one says that there is no storage") {
  Storage none;
  CHECK_FALSE(static_cast<bool>(none));
  CHECK(error_text([&] { return none.data(); }) == "[Storage::data] there is no storage");
  CHECK(error_text([&] { return none.bytes(); }) == "[Storage::bytes] there is no storage");
  CHECK(error_text([&] { return none.version(); }) == "[Storage::version] there is no storage");
  CHECK(error_text([&] { return none.is_unique(); }) == "[Storage::is_unique] there is no storage");
  CHECK(error_text([&] { return none.bump_version_(); }) == "[Storage::bump_version_] there is no storage");
  CHECK(error_text([&] { return Tensor(Storage(), Layout(), DType::f32); }) == "[Storage::data] there is no storage");
}

TEST_CASE("sizes that 64 bits cannot address are errors, whoever multiplies them") {
  const int64_t huge = int64_t{1} << 40;
  const Tensor wide = scalar(1.0).expand({huge});
  Generator generator(1);
  for (const std::function<Tensor()>& make : std::initializer_list<std::function<Tensor()>>{
           [&] {
             return zeros({huge, huge});
           },
           [&] {
             return wide.expand({huge, huge});
           },
           [&] { return eye(huge, huge); },
           [&] { return eye(int64_t{1} << 32); },
           [&] { return arange(INT64_MAX); },
           [&] { return linspace(0, 1, INT64_MAX); },
           [&] { return one_hot(arange(3, {.dtype = DType::i64}), INT64_MAX); },
           [&] {
             return normal({huge, huge}, generator);
           },
           [&] { return permutation(INT64_MAX, generator); },
       }) {
    CHECK_THAT(error_text(make), tests::contains_text("too many elements for 64-bit addressing"));
  }
  CHECK_THAT(error_text([&] { return arange(-1); }), tests::contains_text("expected sizes >= 0, got -1"));
  CHECK_THAT(error_text([&] { return eye(-1); }), tests::contains_text("expected sizes >= 0, got -1"));
}

TEST_CASE("sizes that no machine has are bad_alloc, whoever asks for them") {
  const int64_t huge = 1'000'000'000'000'000;
  const Tensor wide = scalar(1.0).expand({huge});
  Generator generator(1);
  for (const std::function<Tensor()>& make : std::initializer_list<std::function<Tensor()>>{
           [&] { return zeros({huge}); },
           [&] { return zeros({INT64_MAX / 8}, {.dtype = DType::f64}); },
           [&] { return Tensor::empty({INT64_MAX / 8}, DType::boolean); },
           [&] { return wide.clone(); },
           [&] { return wide.contiguous(); },
           [&] { return wide.to(DType::f64); },
           [&] { return arange(huge); },
           [&] { return linspace(0, 1, huge); },
           [&] { return eye(int64_t{1} << 27); },
           [&] { return one_hot(arange(3, {.dtype = DType::i64}), huge); },
           [&] { return normal({huge}, generator); },
           [&] { return uniform({huge}, generator); },
           [&] { return bernoulli({huge}, generator, 0.5); },
           [&] { return permutation(huge, generator); },
       }) {
    CHECK_THROWS_AS(make(), std::bad_alloc);
  }
}

}  // namespace gradus
