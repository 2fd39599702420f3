// SPDX-License-Identifier: MIT
// Embedding: a vector for each symbol.
#pragma once

#include <gradus/nn/module.hpp>

namespace gradus {

struct EmbeddingOptions {
  int64_t num_embeddings = 0;  ///< >= 1
  int64_t embedding_size = 0;  ///< >= 1
  DType dtype = DType::f32;
};

/// Rows of a table: indices i64 [..] in [0, num_embeddings) -> [.., embedding_size]. `weight` [num_embeddings,
/// embedding_size] starts as N(0, 1), as PyTorch's does. Throws naming an index that is out of range.
class GRADUS_API Embedding : public Layer<Embedding> {
 public:
  Embedding(const EmbeddingOptions& options, Generator& generator);
  const EmbeddingOptions& options() const noexcept { return options_; }
  Variable forward(const Variable& indices) const;

  const Parameter& weight() const noexcept { return weight_; }

 private:
  EmbeddingOptions options_;
  Parameter weight_;
};

}  // namespace gradus
