// SPDX-License-Identifier: MIT
// Linear, Embedding, Dropout, LayerNorm, RmsNorm, positions of sequences, and starting values of weights.
#pragma once

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
};

/// In training mode each element is 0 with probability p, else divided by 1 - p (Srivastava et al. 2014). In evaluation
/// mode, or with p = 0, returns x itself. Owns a random stream, split from the given generator; state_dict({.generators
/// = true}) saves it. A call in training mode advances it by one draw per element. Requires 0 <= p < 1.
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

// Starting values of weights [out, in, ..]: fan_in is the number of elements of one row, fan_out is the size of axis 0
// times the sizes of the axes after axis 1. All functions draw from the given generator, never from a global one.
// (Plain `uniform` and `normal` are in tensor/random/random.hpp.)

struct InitOptions {
  double gain = 1.0;
  DType dtype = DType::f32;
};

/// Uniform within gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010). Requires rank >= 2.
GRADUS_API Tensor xavier_uniform(const Shape& shape, Generator& generator, const InitOptions& options = {});

/// Uniform within gain * sqrt(3 / fan_in) (He et al. 2015; gain sqrt(2) suits relu). Requires rank >= 2. PyTorch's
/// default for Linear is kaiming_uniform with a = sqrt(5), which is a gain of 1 / sqrt(3) here.
GRADUS_API Tensor kaiming_uniform(const Shape& shape, Generator& generator, const InitOptions& options = {});

/// A [rows, cols] matrix with orthonormal rows (columns, if there are fewer), times gain (Saxe et al. 2014). Applies
/// Gram-Schmidt twice, in f64, to normal numbers.
GRADUS_API Tensor orthogonal(const Shape& shape, Generator& generator, const InitOptions& options = {});

}  // namespace gradus
