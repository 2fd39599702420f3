// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/attention.hpp>

#include <cmath>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/memory.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {
namespace {

const AdditiveAttentionOptions& checked(const AdditiveAttentionOptions& options) {
  detail::require_size("additive_attention", "query_size", options.query_size);
  detail::require_size("additive_attention", "key_size", options.key_size);
  detail::require_size("additive_attention", "attention_size", options.attention_size);
  return options;
}

AttentionOutput average(Variable weights, const PreparedMemory& prepared) {
  return {.context = matmul(weights, prepared.memory), .weights = weights};
}

}  // namespace

AdditiveAttention::AdditiveAttention(const AdditiveAttentionOptions& options, const Place& place)
    : Layer(checked(options), place),
      query_proj_({.input_size = options.query_size,
                   .output_size = options.attention_size,
                   .bias = false,
                   .dtype = options.dtype},
                  child("query_proj")),
      key_proj_({.input_size = options.key_size,
                 .output_size = options.attention_size,
                 .bias = false,
                 .dtype = options.dtype},
                child("key_proj")) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(options.attention_size));
  v_.reset_(uniform({options.attention_size}, generator(), {.low = -bound, .high = bound, .dtype = options.dtype}));
  register_parameter("v", v_, {{"unit"}});
}

Variable AdditiveAttention::project(const Variable& memory) { return key_proj_(memory); }

PreparedMemory AdditiveAttention::prepare(const Variable& memory, const Mask& mask) {
  const NameScope scope(name().c_str());
  detail::check_memory(kind(), memory, options().key_size, mask);
  PreparedMemory out = detail::readable_memory({}, memory, mask);
  out.keys = project(out.memory);
  return out;
}

const PreparedMemory& AdditiveAttention::evaluated(const Variable& query, const PreparedMemory& prepared,
                                                   PreparedMemory& here) {
  detail::check_query(kind(), query, options().query_size, prepared);
  return detail::for_queries(query.size(1), prepared, here, [this](const Variable& memory) { return project(memory); });
}

Variable AdditiveAttention::masked_softmax(const Variable& query, const PreparedMemory& prepared) {
  return softmax(additive_score(query_proj_(detail::readable_query(query, prepared)), prepared.keys, v_), -1,
                 prepared.keep);
}

Variable AdditiveAttention::weights(const Variable& query, const PreparedMemory& prepared) {
  const NameScope scope(name().c_str());
  PreparedMemory here;
  return masked_softmax(query, evaluated(query, prepared, here));
}

AttentionOutput AdditiveAttention::forward(const Variable& query, const PreparedMemory& prepared) {
  PreparedMemory here;
  const PreparedMemory& now = evaluated(query, prepared, here);
  return average(masked_softmax(query, now), now);
}

DotAttention::DotAttention(const DotAttentionOptions& options, const Place& place) : Layer(options, place) {
  detail::require_size("dot_attention", "query_size", options.query_size);
  detail::require_size("dot_attention", "key_size", options.key_size);
  if (options.query_size == options.key_size) return;
  query_proj_.emplace(
      LinearOptions{
          .input_size = options.query_size, .output_size = options.key_size, .bias = false, .dtype = options.dtype},
      child("query_proj"));
}

Variable DotAttention::project(const Variable& memory) {
  Variable keys = memory * (1.0 / std::sqrt(static_cast<double>(options().key_size)));
  if (query_proj_ && !query_proj_->has_hooks()) keys = matmul(keys, query_proj_->weight());
  return transpose(keys, 1, 2);
}

PreparedMemory DotAttention::prepare(const Variable& memory, const Mask& mask) {
  const NameScope scope(name().c_str());
  detail::check_memory(kind(), memory, options().key_size, mask);
  PreparedMemory out = detail::readable_memory({}, memory, mask);
  out.keys = project(out.memory);
  return out;
}

const PreparedMemory& DotAttention::evaluated(const Variable& query, const PreparedMemory& prepared,
                                              PreparedMemory& here) {
  detail::check_query(kind(), query, options().query_size, prepared);
  return detail::for_queries(query.size(1), prepared, here, [this](const Variable& memory) { return project(memory); });
}

Variable DotAttention::masked_softmax(const Variable& query, const PreparedMemory& prepared) {
  const Variable read = detail::readable_query(query, prepared);
  // When the keys have the query's size, prepare() has already multiplied them by the projection.
  const bool projected = !query_proj_ || prepared.keys.size(1) == options().query_size;
  return softmax(matmul(projected ? read : (*query_proj_)(read), prepared.keys), -1, prepared.keep);
}

Variable DotAttention::weights(const Variable& query, const PreparedMemory& prepared) {
  const NameScope scope(name().c_str());
  PreparedMemory here;
  return masked_softmax(query, evaluated(query, prepared, here));
}

AttentionOutput DotAttention::forward(const Variable& query, const PreparedMemory& prepared) {
  PreparedMemory here;
  const PreparedMemory& now = evaluated(query, prepared, here);
  return average(masked_softmax(query, now), now);
}

}  // namespace gradus
