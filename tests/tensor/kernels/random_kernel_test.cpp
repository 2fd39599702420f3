// SPDX-License-Identifier: MIT
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <gradus/tensor/kernels/random/random.hpp>
#include <gradus/tensor/random/random.hpp>
#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus::kernels {
namespace {

class TargetScope {
 public:
  explicit TargetScope(const char* target) : before_(simd_target()) { force_simd_target(target); }
  ~TargetScope() { force_simd_target(before_.c_str()); }
  TargetScope(const TargetScope&) = delete;
  TargetScope& operator=(const TargetScope&) = delete;

 private:
  std::string before_;
};

// Runs the test on each instruction set of this machine.
void on_each_target(const std::function<void()>& test) {
  for (const char* target : simd_targets()) {
    INFO(target);
    const TargetScope scope(target);
    test();
  }
}

// Philox4x32-10 as in the paper.
std::vector<uint32_t> plain_philox(uint64_t key, uint64_t counter, uint64_t upper) {
  uint32_t c[4] = {static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), static_cast<uint32_t>(upper),
                   static_cast<uint32_t>(upper >> 32)};
  uint32_t k[2] = {static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)};
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53} * c[0];
    const uint64_t b = uint64_t{0xCD9E8D57} * c[2];
    const uint32_t next[4] = {static_cast<uint32_t>(b >> 32) ^ c[1] ^ k[0], static_cast<uint32_t>(b),
                              static_cast<uint32_t>(a >> 32) ^ c[3] ^ k[1], static_cast<uint32_t>(a)};
    std::copy(next, next + 4, c);
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
  return {c, c + 4};
}

Tensor dropped(const Tensor& x, double p, const RandomPosition& at = {.key = 11, .counter = 3}) {
  Tensor y = Tensor::empty(x.shape(), x.dtype());
  dropout(x, y, at.key, at.counter, p);
  return y;
}

}  // namespace

TEST_CASE("philox: the known answers published with the paper's code") {
  struct Known {
    uint64_t key, counter, upper;
    std::vector<uint32_t> words;
  };
  const Known answers[] = {
      {0, 0, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {~uint64_t{0}, ~uint64_t{0}, ~uint64_t{0}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  on_each_target([&] {
    for (const Known& known : answers) {
      // Many blocks, so that the vector code runs too. The first block is known.
      std::vector<uint32_t> words(4 * 16);
      philox(known.key, known.counter, known.upper, words.data(), 16);
      CHECK(std::vector<uint32_t>(words.begin(), words.begin() + 4) == known.words);
      CHECK(plain_philox(known.key, known.counter, known.upper) == known.words);
    }
  });
}

TEST_CASE("philox: any number of blocks, across the carries of the counter, on every instruction set") {
  const uint64_t seed = tests::seed(51);
  INFO("seed " << seed);
  on_each_target([&] {
    tests::RandomNumbers random(seed);
    for (int round = 0; round < 200; ++round) {
      const auto key = static_cast<uint64_t>(random.integer(INT64_MIN, INT64_MAX));
      const auto upper = static_cast<uint64_t>(random.integer(INT64_MIN, INT64_MAX));
      const uint64_t edge = round % 3 == 0   ? 0
                            : round % 3 == 1 ? uint64_t{1} << 32
                                             : static_cast<uint64_t>(random.integer(0, INT64_MAX));
      const uint64_t counter = edge - static_cast<uint64_t>(random.integer(0, 20));
      const int64_t blocks = random.integer(0, 40);
      std::vector<uint32_t> words(static_cast<size_t>(4 * blocks) + 1, 0xABCDEF01);
      philox(key, counter, upper, words.data(), blocks);
      REQUIRE(words.back() == 0xABCDEF01);
      for (int64_t b = 0; b < blocks; ++b) {
        const std::vector<uint32_t> block(words.begin() + 4 * b, words.begin() + 4 * b + 4);
        REQUIRE(block == plain_philox(key, counter + static_cast<uint64_t>(b), upper));
      }
    }
  });
}

TEST_CASE("random tensors: the same bits on every instruction set, at any number of threads and as part of any size") {
  // More elements than a block of one thread, and not a multiple of anything.
  constexpr int64_t kCount = 70001;
  using Make = std::function<Tensor(const Shape&, Generator&)>;
  const std::vector<std::pair<std::string, Make>> makers = {
      {"uniform f32", [](const Shape& s, Generator& g) { return uniform(s, g); }},
      {"uniform f64", [](const Shape& s, Generator& g) { return uniform(s, g, {.dtype = DType::f64}); }},
      {"normal f32", [](const Shape& s, Generator& g) { return normal(s, g); }},
      {"normal f64", [](const Shape& s, Generator& g) { return normal(s, g, {.dtype = DType::f64}); }},
      {"randint", [](const Shape& s, Generator& g) { return randint(s, g, {.low = -9, .high = 1000}); }},
      {"bernoulli", [](const Shape& s, Generator& g) { return bernoulli(s, g, 0.3); }},
      {"permutation", [](const Shape& s, Generator& g) { return permutation(s.numel(), g).reshape(s); }},
      {"dropout", [](const Shape& s, Generator& g) { return dropped(ones(s), 0.3, g.reserve(s.numel())); }},
  };
  for (const auto& [name, make] : makers) {
    INFO(name);
    const auto draw = [&make = make](const Shape& shape) {
      Generator generator(8);
      generator.reserve(12);
      return make(shape, generator);
    };
    const Tensor expected = draw({kCount});
    on_each_target([&] {
      for (const int threads : {1, 3}) {
        const detail::ThreadCountScope scope(threads);
        REQUIRE(bitwise_equal(draw({kCount}), expected));
      }
    });
    if (name == "permutation") continue;  // its elements depend on their number
    for (const int64_t part : {1, 2, 3, 5, 63, 1024, 1025, 32769}) {
      REQUIRE(bitwise_equal(draw({part}), expected.slice(0, 0, part)));
    }
    REQUIRE(bitwise_equal(draw({1, 11, 13}), expected.slice(0, 0, 143).reshape({1, 11, 13})));
  }
}

TEST_CASE("normal: the first numbers of seed 1, so that no release changes them unseen") {
  Generator generator(1);
  const Tensor x = normal({4}, generator);
  const Tensor y = normal({4}, generator, {.dtype = DType::f64});
  const Tensor u = uniform({4}, generator);
  const std::vector<double> got = {x.at({0}), x.at({1}), x.at({2}), x.at({3}), y.at({0}), y.at({1}),
                                   y.at({2}), y.at({3}), u.at({0}), u.at({1}), u.at({2}), u.at({3})};
  const std::vector<double> expected = {0.38040068745613098,  -0.24923348426818848, 0.62694776058197021,
                                        -0.67827177047729492, -1.1235348471496451,  -0.25739185315373536,
                                        -0.74252622691034598, 0.054616631671923946, 0.44538909196853638,
                                        0.12122499942779541,  0.64907640218734741,  0.76658308506011963};
  REQUIRE(got.size() == expected.size());
  // Compilers may fuse multiplications and additions where the baseline has such an instruction.
  for (size_t i = 0; i < got.size(); ++i) CHECK(std::fabs(got[i] - expected[i]) < (i < 4 ? 1e-6 : 1e-14));
}

TEST_CASE("dropout: keeps x / (1 - p) or gives exactly 0, by the words of the stream") {
  Generator generator(2);
  const Tensor x = normal({3001}, generator);
  const double p = 0.3;
  const Tensor y = dropped(x, p);
  std::vector<uint32_t> words(3004);
  philox(11, 3, 0, words.data(), 751);
  int64_t kept = 0;
  for (int64_t i = 0; i < 3001; ++i) {
    const bool keep = words[static_cast<size_t>(i)] >= 1288490189u;  // 0.3 * 2^32, rounded
    REQUIRE(y.data<float>()[i] == (keep ? x.data<float>()[i] * static_cast<float>(1 / 0.7) : 0.0f));
    kept += keep;
  }
  CHECK(std::fabs(static_cast<double>(kept) - 0.7 * 3001) < 5 * std::sqrt(0.21 * 3001));
}

TEST_CASE("dropout: one mask for f32 and f64, for any layout of x, and in place") {
  Generator generator(3);
  const Tensor x = uniform({40, 50}, generator, {.low = 1, .high = 2});
  const Tensor y = dropped(x, 0.5);
  CHECK(bitwise_equal(dropped(x.to(DType::f64), 0.5), y.to(DType::f64)));
  const Tensor strided = x.transpose(0, 1).clone().transpose(0, 1);
  CHECK(bitwise_equal(dropped(strided, 0.5), y));
  CHECK(bitwise_equal(dropped(x.slice(0, 0, 1).expand({40, 50}), 0.5),
                      dropped(x.slice(0, 0, 1).expand({40, 50}).clone(), 0.5)));
  Tensor in_place = x.clone();
  dropout(in_place, in_place, 11, 3, 0.5);
  CHECK(bitwise_equal(in_place, y));
  CHECK_FALSE(bitwise_equal(dropped(x, 0.5, {.key = 11, .counter = 4}), y));
  CHECK_FALSE(bitwise_equal(dropped(x, 0.5, {.key = 12, .counter = 3}), y));
}

TEST_CASE("dropout: p = 0 keeps everything, p = 1 nothing, and a dropped infinity is 0") {
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor x = arange(100);
  CHECK(bitwise_equal(dropped(x, 0.0), x));
  CHECK(bitwise_equal(dropped(x, 1.0), zeros({100})));
  const Tensor y = dropped(full({1000}, static_cast<double>(infinity)), 0.5);
  int64_t zero = 0;
  for (int64_t i = 0; i < 1000; ++i) {
    const float value = y.data<float>()[i];
    REQUIRE((value == 0.0f || value == infinity));
    zero += value == 0.0f;
  }
  CHECK((zero > 400 && zero < 600));
  CHECK(dropped(zeros({0, 3}), 0.5).numel() == 0);
  // The largest p below 1 drops all but one in 2^32.
  CHECK(bitwise_equal(dropped(ones({1000}), 1 - 0x1p-53), zeros({1000})));
}

}  // namespace gradus::kernels
