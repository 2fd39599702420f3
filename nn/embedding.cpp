// SPDX-License-Identifier: MIT
#include <gradus/nn/embedding.hpp>

#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {

Embedding::Embedding(const EmbeddingOptions& options, Generator& generator) : Layer("embedding"), options_(options) {
  detail::require_size("embedding", "num_embeddings", options.num_embeddings);
  detail::require_size("embedding", "embedding_size", options.embedding_size);
  weight_.reset_(normal({options.num_embeddings, options.embedding_size}, generator, {.dtype = options.dtype}));
  register_parameter("weight", weight_, {{"symbol"}, {"unit"}});
}

Variable Embedding::forward(const Variable& indices) const { return embedding(weight_, indices); }

}  // namespace gradus
