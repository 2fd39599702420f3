// SPDX-License-Identifier: MIT
#include <gradus/tensor/random/random.hpp>
#include <gradus/tensor/random/random_tape.hpp>

#include <cmath>
#include <utility>

#include <gradus/tensor/kernels/random/random.hpp>

namespace gradus {
namespace {

thread_local RandomTape::Scope* t_tape = nullptr;  // the innermost scope

}  // namespace

Generator::Generator(uint64_t seed) : state_{.seed = seed, .counter = 0} {}

Generator::Generator(Generator&& other) noexcept : state_(other.state_), usable_(std::exchange(other.usable_, false)) {}

Generator& Generator::operator=(Generator&& other) noexcept {
  const bool usable = std::exchange(other.usable_, false);
  state_ = other.state_;
  usable_ = usable;
  return *this;
}

void Generator::set_state(const GeneratorState& state) noexcept {
  state_ = state;
  usable_ = true;
}

RandomPosition Generator::reserve(int64_t words) {
  GRADUS_CHECK(usable_, "[generator] this generator was moved away and would repeat numbers");
  GRADUS_CHECK(words >= 0, "[generator] expected a number of words >= 0, got ", words);
  return t_tape == nullptr ? advance(words) : t_tape->take(*this, words);
}

RandomPosition Generator::advance(int64_t words) {
  const RandomPosition out{.key = state_.seed, .counter = state_.counter};
  state_.counter += (static_cast<uint64_t>(words) + 3) / 4;
  return out;
}

RandomTape::Scope::Scope(RandomTape& tape, bool replay) : tape_(tape), replay_(replay), outer_(t_tape) {
  t_tape = this;
}

RandomTape::Scope::~Scope() { t_tape = outer_; }

RandomPosition RandomTape::Scope::take(Generator& generator, int64_t words) {
  if (replay_) {
    GRADUS_CHECK(next_ < tape_.draws_.size(),
                 "[generator] a replayed function draws more random numbers than before: ", tape_.draws_.size(),
                 " draws were written down");
    return tape_.draws_[next_++];
  }
  const RandomPosition out = outer_ == nullptr ? generator.advance(words) : outer_->take(generator, words);
  tape_.draws_.push_back(out);
  return out;
}

Generator Generator::split() {
  const RandomPosition at = reserve(4);
  uint32_t words[4];
  kernels::philox(at.key, at.counter, static_cast<uint64_t>(kernels::RandomStream::split), words, 1);
  return Generator(words[0] | static_cast<uint64_t>(words[1]) << 32);
}

Tensor uniform(const Shape& shape, Generator& generator, const UniformOptions& options) {
  const double low = options.low;
  const double high = options.high;
  GRADUS_CHECK(is_floating(options.dtype), "[uniform] expected a floating dtype (f32 or f64), got ", options.dtype);
  const bool finite = dispatch_float(
      options.dtype, [&]<class T>() { return std::isfinite(static_cast<T>(high) - static_cast<T>(low)); });
  GRADUS_CHECK(low <= high && finite, "[uniform] expected finite low <= high with a finite difference, got low ", low,
               " and high ", high);
  Tensor out = Tensor::empty(shape, options.dtype);
  const RandomPosition at = generator.reserve(out.numel() * (options.dtype == DType::f32 ? 1 : 2));
  kernels::uniform(at.key, at.counter, low, high, out);
  return out;
}

Tensor normal(const Shape& shape, Generator& generator, const NormalOptions& options) {
  GRADUS_CHECK(is_floating(options.dtype), "[normal] expected a floating dtype (f32 or f64), got ", options.dtype);
  GRADUS_CHECK(std::isfinite(options.mean) && std::isfinite(options.std) && options.std >= 0,
               "[normal] expected a finite mean and a finite std >= 0, got mean ", options.mean, " and std ",
               options.std);
  Tensor out = Tensor::empty(shape, options.dtype);
  const RandomPosition at = generator.reserve(out.numel() * (options.dtype == DType::f32 ? 2 : 4));
  kernels::normal(at.key, at.counter, options.mean, options.std, out);
  return out;
}

Tensor randint(const Shape& shape, Generator& generator, const RandintOptions& options) {
  const int64_t low = options.low;
  const int64_t high = options.high;
  GRADUS_CHECK(low < high, "[randint] expected low < high, got low ", low, " and high ", high);
  Tensor out = Tensor::empty(shape, DType::i64);
  const RandomPosition at = generator.reserve(out.numel() * 2);
  const uint64_t range = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
  kernels::randint(at.key, at.counter, low, range, out);
  return out;
}

Tensor bernoulli(const Shape& shape, Generator& generator, double p) {
  GRADUS_CHECK(p >= 0.0 && p <= 1.0, "[bernoulli] expected a probability in [0, 1], got ", p);
  Tensor out = Tensor::empty(shape, DType::boolean);
  const RandomPosition at = generator.reserve(out.numel());
  kernels::bernoulli(at.key, at.counter, p, out);
  return out;
}

Tensor permutation(int64_t count, Generator& generator) {
  GRADUS_CHECK(count >= 0, "[permutation] expected a count >= 0, got ", count);
  Tensor out = Tensor::empty({count}, DType::i64);
  const RandomPosition at = generator.reserve(count * 2);
  kernels::permutation(at.key, at.counter, out);
  return out;
}

}  // namespace gradus
