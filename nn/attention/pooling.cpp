// SPDX-License-Identifier: MIT
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/memory.hpp>
#include <gradus/nn/required_size.hpp>
#include <gradus/tensor/creation.hpp>

namespace gradus {
namespace {

const AttentionPoolingOptions& checked(const AttentionPoolingOptions& options) {
  detail::require_size("attention_pooling", "input_size", options.input_size);
  detail::require_size("attention_pooling", "attention_size", options.attention_size);
  detail::require_size("attention_pooling", "hops", options.hops);
  GRADUS_CHECK(options.query_size >= 0, "[attention_pooling] expected query_size >= 0, got ", options.query_size);
  return options;
}

}  // namespace

AttentionPooling::AttentionPooling(const AttentionPoolingOptions& options, const Place& place)
    : Layer(checked(options), place),
      input_proj_({.input_size = options.input_size,
                   .output_size = options.attention_size,
                   .bias = options.bias,
                   .dtype = options.dtype},
                  child("input_proj")),
      score_({.input_size = options.attention_size, .output_size = options.hops, .bias = false, .dtype = options.dtype},
             child("score")) {
  if (options.query_size > 0) {
    query_proj_.emplace(LinearOptions{.input_size = options.query_size,
                                      .output_size = options.attention_size,
                                      .bias = false,
                                      .dtype = options.dtype},
                        child("query_proj"));
  }
}

AttentionOutput AttentionPooling::forward(const Variable& x, const Mask& mask, const Variable& query) {
  detail::check_memory(kind(), x, options().input_size, mask);
  GRADUS_CHECK(!mask.by_query(), "[", kind(), "] expected a mask of keys alone, got one that depends on the query");
  const PreparedMemory memory = detail::readable_memory({}, x, mask);
  Variable hidden = input_proj_(memory.memory);
  if (query_proj_) {
    GRADUS_CHECK(query.defined() && query.shape() == Shape({x.size(0), options().query_size}), "[", kind(),
                 "] expected a query [", x.size(0), ", ", options().query_size, "], got ",
                 query.defined() ? describe(query) : "none");
    hidden = hidden + (*query_proj_)(detail::readable_query(unsqueeze(query, 1), memory));
  } else {
    GRADUS_CHECK(!query.defined(), "[", kind(), "] expected no query, because query_size is 0, got ",
                 query.defined() ? describe(query) : "none");
  }
  const Variable weights = softmax(transpose(score_(tanh(hidden)), 1, 2), -1, memory.keep);
  return {.context = matmul(weights, memory.memory), .weights = weights};
}

Variable pooling_penalty(const Variable& weights) {
  GRADUS_CHECK(weights.rank() == 3, "[pooling_penalty] expected weights [B, r, T], got ", describe(weights));
  const Variable products = matmul(weights, transpose(weights, 1, 2));
  return sum(square(products - Variable(eye(weights.size(1), {.dtype = weights.dtype()}))), {1, 2});
}

Variable exact_hard_loss(const Variable& log_weights, const Variable& log_probs) {
  GRADUS_CHECK(log_weights.rank() >= 1 && log_weights.shape() == log_probs.shape(),
               "[exact_hard_loss] expected two inputs of the shape [.., T], got ", describe(log_weights), " and ",
               describe(log_probs));
  const double infinity = __builtin_huge_val();
  const Variable blocked = equal(log_weights, -infinity);
  const Variable nothing = zeros({}, {.dtype = log_weights.dtype()});
  const Variable joint = masked_fill(log_weights + log_probs, blocked, -infinity);
  const Variable read = logical_not(all(blocked, {-1}));
  return where(read, -logsumexp(joint, {-1}), nothing);
}

}  // namespace gradus
