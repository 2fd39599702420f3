// SPDX-License-Identifier: MIT
// Linear, Embedding and Dropout.
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

 private:
  Generator generator_;
};

}  // namespace gradus
