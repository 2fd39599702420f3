// SPDX-License-Identifier: MIT
#include <gradus/nn/attention.hpp>

#include <cmath>

#include <gradus/autograd/ops/arithmetic.hpp>
#include <gradus/autograd/ops/linalg.hpp>
#include <gradus/autograd/ops/neural.hpp>
#include <gradus/autograd/ops/recurrent.hpp>
#include <gradus/autograd/ops/views.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {
namespace {

void check_memory(const char* kind, const Variable& memory, int64_t key_size, const Mask& mask) {
  GRADUS_CHECK(memory.rank() == 3 && memory.size(2) == key_size, "[", kind, "] expected a memory [B, Tk, ", key_size,
               "], got ", describe(memory));
  if (!mask.defined()) return;
  const Shape& shape = mask.tensor().shape();
  const auto fits = [&](int from_end, int64_t size) {
    const int axis = shape.rank() - from_end;
    return axis < 0 || shape[axis] == 1 || shape[axis] == size;
  };
  GRADUS_CHECK(fits(1, memory.size(1)) && fits(3, memory.size(0)), "[", kind, "] the mask ", shape,
               " does not broadcast to [", memory.size(0), ", Tq, ", memory.size(1), "]");
}

void check_query(const char* kind, const Variable& query, int64_t query_size, const PreparedMemory& prepared) {
  GRADUS_CHECK(query.rank() == 3 && query.size(0) == prepared.memory.size(0) && query.size(2) == query_size, "[", kind,
               "] expected a query [", prepared.memory.size(0), ", Tq, ", query_size, "], got ", describe(query));
}

const AdditiveAttentionOptions& checked(const AdditiveAttentionOptions& options) {
  detail::require_size("additive_attention", "query_size", options.query_size);
  detail::require_size("additive_attention", "key_size", options.key_size);
  detail::require_size("additive_attention", "attention_size", options.attention_size);
  return options;
}

AttentionOutput attend(Variable weights, const PreparedMemory& prepared) {
  return {.context = matmul(weights, prepared.memory), .weights = weights};
}

}  // namespace

AdditiveAttention::AdditiveAttention(const AdditiveAttentionOptions& options, Generator& generator)
    : Layer("additive_attention"),
      options_(checked(options)),
      query_proj_({.input_size = options.query_size,
                   .output_size = options.attention_size,
                   .bias = false,
                   .dtype = options.dtype},
                  generator),
      key_proj_({.input_size = options.key_size,
                 .output_size = options.attention_size,
                 .bias = false,
                 .dtype = options.dtype},
                generator) {
  const double bound = 1.0 / std::sqrt(static_cast<double>(options.attention_size));
  v_.reset_(uniform({options.attention_size}, generator, {.low = -bound, .high = bound, .dtype = options.dtype}));
  register_module("query_proj", query_proj_);
  register_module("key_proj", key_proj_);
  register_parameter("v", v_, {{"unit"}});
}

PreparedMemory AdditiveAttention::prepare(const Variable& memory, const Mask& mask) {
  const NameScope scope(name().c_str());
  check_memory(kind(), memory, options_.key_size, mask);
  return {.memory = memory, .keys = key_proj_(memory), .keep = mask.tensor()};
}

Variable AdditiveAttention::weights(const Variable& query, const PreparedMemory& prepared) {
  const NameScope scope(name().c_str());
  return masked_softmax(query, prepared);
}

Variable AdditiveAttention::masked_softmax(const Variable& query, const PreparedMemory& prepared) {
  check_query(kind(), query, options_.query_size, prepared);
  return softmax(additive_score(query_proj_(query), prepared.keys, v_), prepared.keep);
}

AttentionOutput AdditiveAttention::forward(const Variable& query, const PreparedMemory& prepared) {
  return attend(masked_softmax(query, prepared), prepared);
}

DotAttention::DotAttention(const DotAttentionOptions& options, Generator& generator)
    : Layer("dot_attention"), options_(options) {
  detail::require_size("dot_attention", "query_size", options.query_size);
  detail::require_size("dot_attention", "key_size", options.key_size);
  if (options.query_size == options.key_size) return;
  query_proj_.emplace(
      LinearOptions{
          .input_size = options.query_size, .output_size = options.key_size, .bias = false, .dtype = options.dtype},
      generator);
  register_module("query_proj", *query_proj_);
}

PreparedMemory DotAttention::prepare(const Variable& memory, const Mask& mask) {
  const NameScope scope(name().c_str());
  check_memory(kind(), memory, options_.key_size, mask);
  Variable keys = memory * (1.0 / std::sqrt(static_cast<double>(options_.key_size)));
  if (query_proj_) keys = matmul(keys, query_proj_->weight());
  return {.memory = memory, .keys = transpose(keys, 1, 2), .keep = mask.tensor()};
}

Variable DotAttention::weights(const Variable& query, const PreparedMemory& prepared) {
  const NameScope scope(name().c_str());
  return masked_softmax(query, prepared);
}

Variable DotAttention::masked_softmax(const Variable& query, const PreparedMemory& prepared) {
  check_query(kind(), query, options_.query_size, prepared);
  return softmax(matmul(query, prepared.keys), prepared.keep);
}

AttentionOutput DotAttention::forward(const Variable& query, const PreparedMemory& prepared) {
  return attend(masked_softmax(query, prepared), prepared);
}

}  // namespace gradus
