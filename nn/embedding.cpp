// SPDX-License-Identifier: MIT
#include <gradus/nn/embedding.hpp>

#include <gradus/autograd/ops/indexing.hpp>

namespace gradus {

Embedding::Embedding(const EmbeddingOptions& options, Generator& generator) : Layer("embedding"), options_(options) {
  GRADUS_CHECK(options.num_embeddings >= 1 && options.embedding_size >= 0,
               "[embedding] expected at least one row, got ", options.num_embeddings, " rows of ",
               options.embedding_size);
  weight_.reset_(normal({options.num_embeddings, options.embedding_size}, generator, {.dtype = options.dtype}));
  register_parameter("weight", weight_, {{"symbol"}, {"unit"}});
}

Variable Embedding::forward(const Variable& indices) const { return embedding(weight_, indices); }

}  // namespace gradus
