// SPDX-License-Identifier: MIT
// Linear, Embedding, Dropout, LayerNorm, RmsNorm, positions of sequences, starting values of weights, and layers that
// contain layers: ModuleList and Sequential.
#pragma once

#include <optional>

#include <gradus/nn/module.hpp>

namespace gradus {

struct LinearOptions {
  int64_t input_size = 0;   ///< >= 1
  int64_t output_size = 0;  ///< >= 1
  bool bias = true;
  DType dtype = DType::f32;
};

/// y = x weight^T + bias: x [.., in] -> [.., out]; `weight` [out, in], `bias` [out]. Both start uniform within 1 /
/// sqrt(in), as in PyTorch.
class GRADUS_API Linear : public Layer<Linear, LinearOptions> {
 public:
  Linear(const LinearOptions& options, const Place& place);
  Variable forward(const Variable& x) const;

  const Parameter& weight() const noexcept { return weight_; }
  /// The bias. Its variable() is undefined when the layer has none.
  const Parameter& bias() const noexcept { return bias_; }

 private:
  Parameter weight_;
  Parameter bias_;
};

struct EmbeddingOptions {
  int64_t num_embeddings = 0;  ///< >= 1
  int64_t embedding_size = 0;  ///< >= 1
  DType dtype = DType::f32;
};

/// Looks up rows of a table: indices i64 [..] in [0, num_embeddings) -> [.., embedding_size]. `weight` [num_embeddings,
/// embedding_size] starts as N(0, 1), as in PyTorch. Throws and names an index that is out of range.
class GRADUS_API Embedding : public Layer<Embedding, EmbeddingOptions> {
 public:
  Embedding(const EmbeddingOptions& options, const Place& place);
  Variable forward(const Variable& indices) const;

  const Parameter& weight() const noexcept { return weight_; }

 private:
  Parameter weight_;
};

struct DropoutOptions {
  double p = 0.5;
  /// All positions of this axis share one mask: with 1, all steps of x [B, T, n] (Gal and Ghahramani 2016).
  std::optional<int> shared_axis = {};
};

/// In training mode each element is 0 with probability p, else divided by 1 - p (Srivastava et al. 2014). In evaluation
/// mode, or with p = 0, returns x itself. Owns a random stream, split from the given generator; state_dict({.generators
/// = true}) saves it. A call in training mode advances it by one draw per element of the mask. Requires 0 <= p < 1.
class GRADUS_API Dropout : public Layer<Dropout, DropoutOptions> {
 public:
  Dropout(const DropoutOptions& options, const Place& place);
  Variable forward(const Variable& x);
  /// Takes `elements` draws as a call in training mode does, for an op that drops elements itself.
  RandomPosition reserve(int64_t elements) { return generator_.reserve(elements); }

 private:
  Generator generator_;
};

struct LayerNormLayerOptions {
  int64_t size = 0;  ///< >= 1, of the last axis
  double eps = 1e-5;
  bool bias = true;
  DType dtype = DType::f32;
};

/// (x - mean) / sqrt(variance + eps) weight + bias over the last axis of x [.., size] (Ba et al. 2016). `weight` [size]
/// starts as 1 and `bias` [size] as 0, as in PyTorch.
class GRADUS_API LayerNorm : public Layer<LayerNorm, LayerNormLayerOptions> {
 public:
  LayerNorm(const LayerNormLayerOptions& options, const Place& place);
  Variable forward(const Variable& x) const;

 private:
  Parameter weight_;
  Parameter bias_;
};

struct RmsNormLayerOptions {
  int64_t size = 0;  ///< >= 1, of the last axis
  double eps = 1e-6;
  DType dtype = DType::f32;
};

/// x / sqrt(mean(x^2) + eps) weight over the last axis of x [.., size] (Zhang and Sennrich 2019). `weight` [size]
/// starts as 1.
class GRADUS_API RmsNorm : public Layer<RmsNorm, RmsNormLayerOptions> {
 public:
  RmsNorm(const RmsNormLayerOptions& options, const Place& place);
  Variable forward(const Variable& x) const;

 private:
  Parameter weight_;
};

// Positions. A sequence that continues a past of n steps has the positions n, n + 1, ... Biases are added to the scores
// of an attention. Queries and keys are counted from the end, as in Mask: query i is at position i + Tk - Tq.

struct SinusoidalOptions {
  int64_t offset = 0;  ///< the position of the first row
  double base = 10000.0;
  DType dtype = DType::f32;
};

/// [length, size]: element 2i of position p is sin(p / base^(2i / size)), element 2i + 1 its cosine (Vaswani et al.
/// 2017, 3.5). Computed in f64.
GRADUS_API Tensor sinusoidal_positions(int64_t length, int64_t size, const SinusoidalOptions& options = {});

struct LearnedPositionsOptions {
  int64_t max_length = 0;  ///< >= 1
  int64_t size = 0;        ///< >= 1
  DType dtype = DType::f32;
};

/// A vector for each position. `weight` [max_length, size] starts as N(0, 0.02).
class GRADUS_API LearnedPositions : public Layer<LearnedPositions, LearnedPositionsOptions> {
 public:
  LearnedPositions(const LearnedPositionsOptions& options, const Place& place);
  /// [length, size], from position `offset` on. Throws beyond max_length.
  Variable forward(int64_t length, int64_t offset = 0) const;

 private:
  Parameter weight_;
};

/// The two elements that are turned together: 2k and 2k + 1, or k and k + d / 2. Weights trained with one of them do
/// not fit the other.
enum class RotaryPairing : uint8_t { interleaved, half_split };

struct RotaryOptions {
  RotaryPairing pairing = RotaryPairing::interleaved;
  int64_t offset = 0;  ///< the position of the first step
  double base = 10000.0;
};

/// Turns pair k of position p by the angle p base^(-2k / d), so that products of queries and keys depend on distances
/// alone (Su et al. 2021, eq. 34): x [.., T, d] -> the same shape; d even. Angles are computed in f64.
GRADUS_API Variable rotary(const Variable& x, const RotaryOptions& options = {});

/// [H]: 2^(-8h / H), h = 1..H. When H is no power of two, the slopes of the next smaller one, then every second slope
/// of twice as many heads (Press et al. 2022, and their code).
GRADUS_API Tensor alibi_slopes(int64_t heads, TensorOptions options = {});
/// [1, H, Tq, Tk]: -slope abs(i - j) for positions i and j.
GRADUS_API Tensor alibi_bias(int64_t heads, int64_t queries, int64_t keys, TensorOptions options = {});

struct RelativeBiasOptions {
  int64_t heads = 0;           ///< >= 1
  int64_t buckets = 32;        ///< >= 2; even, unless causal
  int64_t max_distance = 128;  ///< from here on all distances share a bucket
  /// All buckets are for keys before the query; later keys count as distance 0. Otherwise each side has half of them.
  bool causal = false;
  DType dtype = DType::f32;
};

/// A learned bias for each head and bucket of distances (Raffel et al. 2020, 2.1): the first half of a side's buckets
/// have one distance each, the others grow exponentially. `weight` [buckets, H] starts as N(0, 0.02).
class GRADUS_API RelativeBias : public Layer<RelativeBias, RelativeBiasOptions> {
 public:
  RelativeBias(const RelativeBiasOptions& options, const Place& place);
  /// [1, H, Tq, Tk].
  Variable forward(int64_t queries, int64_t keys) const;
  /// The bucket of key - query.
  int64_t bucket(int64_t distance) const;

 private:
  Parameter weight_;
};

// Starting values of weights [out, in, ..], such as those of Linear and conv1d, for Parameter::assign_. fan_in is the
// number of elements of one row, fan_out the size of axis 0 times the sizes of the axes after axis 1. All functions
// draw from the given generator. They throw when the rank is below 2 or the gain is negative or not finite. See also
// uniform, normal and trunc_normal (tensor/random/random.hpp), eye (tensor/creation.hpp), and zeros, ones and full.

enum class Nonlinearity : uint8_t { linear, sigmoid, tanh, relu, leaky_relu, selu };
struct GainOptions {
  double negative_slope = 0.01;  ///< of leaky_relu
};
/// The gain for a weight before this function, as PyTorch has it: 1, 1, 5 / 3, sqrt(2), sqrt(2 / (1 + slope^2)), 3 / 4.
GRADUS_API double calculate_gain(Nonlinearity function, const GainOptions& options = {});

struct InitOptions {
  double gain = 1.0;
  DType dtype = DType::f32;
};

/// Uniform within gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010).
GRADUS_API Tensor xavier_uniform(const Shape& shape, Generator& generator, const InitOptions& options = {});
/// Normal with the standard deviation gain * sqrt(2 / (fan_in + fan_out)).
GRADUS_API Tensor xavier_normal(const Shape& shape, Generator& generator, const InitOptions& options = {});

/// fan_in keeps the variance of values from layer to layer, fan_out that of gradients.
enum class FanMode : uint8_t { fan_in, fan_out };
struct KaimingOptions {
  double gain = 1.0;  ///< PyTorch's default is that of relu, sqrt(2)
  FanMode mode = FanMode::fan_in;
  DType dtype = DType::f32;
};

/// Uniform within gain * sqrt(3 / fan) (He et al. 2015). PyTorch's default for the weight of Linear, a = sqrt(5), is a
/// gain of 1 / sqrt(3) here.
GRADUS_API Tensor kaiming_uniform(const Shape& shape, Generator& generator, const KaimingOptions& options = {});
/// Normal with the standard deviation gain / sqrt(fan).
GRADUS_API Tensor kaiming_normal(const Shape& shape, Generator& generator, const KaimingOptions& options = {});

/// As a matrix [rows, elements of a row]: orthonormal rows (columns, if there are fewer), times gain, each such matrix
/// equally likely (Saxe et al. 2014). Applies Gram-Schmidt twice, in f64, to normal numbers.
GRADUS_API Tensor orthogonal(const Shape& shape, Generator& generator, const InitOptions& options = {});

/// [out, in, width]: the weight with which conv1d and ConvPadding::same() give the first channels as they are.
GRADUS_API Tensor dirac(const Shape& shape, TensorOptions options = {});

/// A weight or bias [G R, ..] whose G parts have values of their own, such as the gates of weight_hh (3 of a Gru: r, z,
/// n; 4 of an Lstm: i, f, g, o): part g is init({R, ..}) or init({R, ..}, g). Throws when G does not divide axis 0, or
/// a part has another shape or dtype.
GRADUS_API Tensor per_gate(const Shape& shape, int64_t gates, const Closure<Tensor(const Shape&, int64_t)>& init);
template <class Init>
requires std::is_invocable_r_v<Tensor, const Init&, const Shape&> Tensor per_gate(const Shape& shape, int64_t gates,
                                                                                  const Init& init) {
  return per_gate(shape, gates,
                  Closure<Tensor(const Shape&, int64_t)>([&](const Shape& part, int64_t) { return init(part); }));
}

/// Modules of one type, named "0", "1", ... in their order; their number is chosen at run time. The list owns them. The
/// list itself is not called: the layer that has it calls `list[i](x)`.
///
///   ModuleList<Linear> layers{3, {.input_size = 8, .output_size = 8}, child("layers")};  // three alike
///   ModuleList<Linear> layers{widths, child("layers")};                                  // std::vector<LinearOptions>
template <class L>
class ModuleList : public Layer<ModuleList<L>, std::vector<typename L::Options>> {
 public:
  using Each = typename L::Options;

  explicit ModuleList(const Place& place) : ModuleList(std::vector<Each>(), place) {}
  ModuleList(const std::vector<Each>& options, const Place& place) : ModuleList::Layer(options, place) {
    this->show_in_scope_of_children();
    for (const Each& each : options) add(each, this->child(next_name()));
  }
  ModuleList(int64_t count, const Each& each, const Place& place)
      : ModuleList(std::vector<Each>(checked(count), each), place) {}
  ModuleList(int64_t count, const Place& place) requires std::is_same_v<Each, NoOptions>
      : ModuleList(count, Each(), place) {}

  /// Adds a module at the end. A layer that has the list can then be cloned only if its own constructor adds the same
  /// ones.
  L& append(const Each& options, Generator& generator) {
    add(options, generator);
    this->register_module(std::to_string(size() - 1), (*this)[size() - 1]);
    this->options_.push_back(options);
    return (*this)[size() - 1];
  }
  L& append(Generator& generator) requires std::is_same_v<Each, NoOptions> { return append(Each(), generator); }

  int64_t size() const noexcept { return static_cast<int64_t>(modules_.size()); }
  /// Throws when there is no module i.
  L& operator[](int64_t i) const {
    GRADUS_CHECK(i >= 0 && i < size(), "[module_list] there is no module ", i, ": expected one of ", size());
    return *modules_[static_cast<size_t>(i)];
  }

  class Iterator {
   public:
    explicit Iterator(const Owned<L>* at) noexcept : at_(at) {}
    L& operator*() const noexcept { return **at_; }
    Iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const Owned<L>* at_;
  };
  Iterator begin() const noexcept { return Iterator(modules_.data()); }
  Iterator end() const noexcept { return Iterator(modules_.data() + modules_.size()); }

 private:
  static size_t checked(int64_t count) {
    GRADUS_CHECK(count >= 0, "[module_list] expected a count of 0 or more, got ", count);
    return static_cast<size_t>(count);
  }
  std::string next_name() const { return std::to_string(modules_.size()); }
  void add(const Each& options, const Place& place) { modules_.push_back(detail::build<L>(options, place)); }

  std::vector<Owned<L>> modules_;
};

namespace detail {

/// The thing that a step of a Sequential calls.
class SequentialStep {
 public:
  virtual ~SequentialStep() = default;
  virtual Variable call(const Variable& x) = 0;
};

template <class L>
class SequentialLayer final : public SequentialStep {
 public:
  SequentialLayer(const typename L::Options& options, const Place& place) : layer_(build<L>(options, place)) {}
  Variable call(const Variable& x) override {
    auto result = (*layer_)(x);
    if constexpr (requires { result.output; }) {
      return result.output;
    } else {
      return result;
    }
  }

 private:
  Owned<L> layer_;
};

/// A function as a module, so that hooks can be set on it.
class GRADUS_API Function : public Layer<Function, Closure<Variable(const Variable&)>> {
 public:
  using Layer::Layer;
  Variable forward(const Variable& x) { return options()(x); }
};

}  // namespace detail

/// Says how one step of a Sequential is built: a function (const Variable&) -> Variable, or layer<L>(options), or
/// either with a name, {"name", ...}. It can be copied and used again.
class Step {
 public:
  Step(Variable (*function)(const Variable&))  // NOLINT(google-explicit-constructor)
      : Step(Closure<Variable(const Variable&)>(function)) {}
  template <class F>
  requires std::is_invocable_r_v<Variable, F&, const Variable&> Step(F function)
      : Step(Closure<Variable(const Variable&)>(function)) {}  // NOLINT(google-explicit-constructor)
  Step(std::string name, const Step& step) : build_(step.build_), name_(std::move(name)) {}

  template <class L>
  static Step of(const typename L::Options& options) {
    Step step;
    step.build_ = [options](const Place& place) {
      return Owned<detail::SequentialStep>(new detail::SequentialLayer<L>(options, place));
    };
    return step;
  }

 private:
  friend class Sequential;
  Step() = default;
  explicit Step(const Closure<Variable(const Variable&)>& function) : Step(of<detail::Function>(function)) {}

  Closure<Owned<detail::SequentialStep>(const Place&)> build_;
  std::string name_;  // empty: the step's number is its name
};

/// A layer as a step of a Sequential.
template <class L>
Step layer(const typename L::Options& options = {}) {
  return Step::of<L>(options);
}

/// Calls its steps one after the other, each with the result of the one before (for a recurrent layer, its output).
/// Each step is a child module. Its name is its number, or the given name.
///
///   Sequential net{{layer<Linear>({.input_size = 2, .output_size = 8}), tanh,
///                   {"output", layer<Linear>({.input_size = 8, .output_size = 1})}}, child("net")};
class GRADUS_API Sequential : public Layer<Sequential, std::vector<Step>> {
 public:
  Sequential(const std::vector<Step>& steps, const Place& place);
  Variable forward(const Variable& x);
  int64_t size() const noexcept { return static_cast<int64_t>(steps_.size()); }

 private:
  std::vector<Owned<detail::SequentialStep>> steps_;
};

}  // namespace gradus
