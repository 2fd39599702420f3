// SPDX-License-Identifier: MIT
// Generator, and random tensors: uniform, normal, trunc_normal, randint, bernoulli, permutation.
#pragma once

#include <cstdint>
#include <optional>

#include <gradus/tensor/api.hpp>
#include <gradus/tensor/tensor.hpp>

namespace gradus {

/// The position of a generator. It is enough to continue the stream (for checkpoints).
struct GeneratorState {
  uint64_t seed = 0;
  uint64_t counter = 0;
};

/// Identifies a piece of a random stream. Everything drawn from it is a pure function of (key, counter, element index),
/// so a dropout mask can be made again instead of being stored.
struct RandomPosition {
  uint64_t key = 0;
  uint64_t counter = 0;
};

/// A position in a stream of random 32-bit words. Word w is word w % 4 of Philox4x32-10 (Salmon et al. 2011, "Parallel
/// random numbers: as easy as 1, 2, 3") with the seed as its key and counter + w / 4 as its counter. Each function
/// below starts at a whole counter and moves it past all words it used. A Generator cannot be copied, because a copy
/// would repeat the stream; use split() for another stream. A moved-from generator refuses to draw.
class [[nodiscard]] GRADUS_API Generator {
 public:
  explicit Generator(uint64_t seed);
  Generator(Generator&& other) noexcept;
  Generator& operator=(Generator&& other) noexcept;
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  /// Returns a generator with an independent stream, and advances this one. The same state gives the same stream.
  Generator split();
  uint64_t seed() const noexcept { return state_.seed; }
  uint64_t counter() const noexcept { return state_.counter; }
  GeneratorState state() const noexcept { return state_; }
  void set_state(const GeneratorState& state) noexcept;

  /// Takes the next `words` 32-bit words (>= 0) from the stream, in whole counters of four.
  RandomPosition reserve(int64_t words);

 private:
  friend class RandomTape;
  RandomPosition advance(int64_t words);

  GeneratorState state_;
  bool usable_ = true;
};

struct UniformOptions {
  double low = 0.0;
  double high = 1.0;
  DType dtype = DType::f32;
};

/// Uniform on [low, high); low when they are equal. f32: low + (high - low) * k / 2^24, where k is the upper 24 bits of
/// word i of the stream for element i. f64: the same with k / 2^52 from words 2 i (lower half) and 2 i + 1. Throws
/// unless low <= high, and both and their difference are finite.
GRADUS_API Tensor uniform(const Shape& shape, Generator& generator, const UniformOptions& options = {});

struct NormalOptions {
  double mean = 0.0;
  double std = 1.0;
  DType dtype = DType::f32;
};

/// Normal by Box and Muller. Each element uses its own draws: mean + std * sqrt(-2 log u) * cos(2 pi v). f32: u comes
/// from word 2 i of the stream, v from word 2 i + 1; |z| <= 6.7. f64: u comes from words 4 i and 4 i + 1, v from the
/// two after them; |z| <= 8.5. Every instruction set gives the same bits. Throws unless mean is finite and std is
/// finite and >= 0.
GRADUS_API Tensor normal(const Shape& shape, Generator& generator, const NormalOptions& options = {});

struct TruncNormalOptions {
  double mean = 0.0;  ///< of the normal distribution before it is cut
  double std = 1.0;
  std::optional<double> low = {};   ///< a number, not a multiple of std; not given: mean - 2 std
  std::optional<double> high = {};  ///< the same: mean + 2 std
  DType dtype = DType::f32;
};

/// Normal, but only on [low, high]: F^-1(F(low) + u (F(high) - F(low))) for a uniform u from words 2 i and 2 i + 1,
/// with the cumulative distribution F, computed in f64. Within two std its own standard deviation is 0.8796 std. Throws
/// unless mean is finite, std is finite and > 0, low < high, and F(low) < F(high).
GRADUS_API Tensor trunc_normal(const Shape& shape, Generator& generator, const TruncNormalOptions& options = {});

struct RandintOptions {
  int64_t low = 0;
  Required<int64_t> high;
};

/// i64, uniform on [low, high), from words 2 i and 2 i + 1 (no value is favoured by more than 2^-64). Throws unless
/// low < high.
GRADUS_API Tensor randint(const Shape& shape, Generator& generator, const RandintOptions& options);

/// bool, true with probability p (in steps of 2^-32), from word i. Throws unless 0 <= p <= 1.
GRADUS_API Tensor bernoulli(const Shape& shape, Generator& generator, double p);

/// 0, ..., count - 1 in random order, i64 [count] (Fisher and Yates, one 64-bit draw for each element).
GRADUS_API Tensor permutation(int64_t count, Generator& generator);

}  // namespace gradus
