// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/attention.hpp>

#include <algorithm>
#include <cmath>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
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

// keys [.., 1, Tk]: false for a key that no query may attend to. queries [.., Tq, 1]: false for a query that may attend
// to no key.
struct Kept {
  Tensor keys;
  Tensor queries;
  bool all_keys = true;
  bool all_queries = true;

  explicit Kept(const Tensor& keep) {
    const int rank = keep.rank();
    const int64_t columns = keep.shape()[rank - 1];
    const int64_t rows = rank > 1 ? keep.shape()[rank - 2] : 1;
    const int64_t blocks = rank > 2 ? keep.shape()[0] : 1;
    const Tensor dense = keep.contiguous();
    const bool* at = dense.data<bool>();
    keys = zeros({blocks, 1, columns}, {.dtype = DType::boolean});
    queries = zeros({blocks, rows, 1}, {.dtype = DType::boolean});
    bool* key = keys.mutable_data_<bool>();
    bool* query = queries.mutable_data_<bool>();
    for (int64_t block = 0; block < blocks; ++block, key += columns) {
      for (int64_t i = 0; i < rows; ++i, ++query, at += columns) {
        std::transform(at, at + columns, key, key, std::logical_or<>());
        *query = std::find(at, at + columns, true) != at + columns;
        all_queries = all_queries && *query;
      }
      all_keys = all_keys && std::find(key, key + columns, false) == key + columns;
    }
  }
};

Variable only(const Tensor& kept, const Variable& x) { return where(kept, x, zeros({}, {.dtype = x.dtype()})); }

// Sets the memory to 0 where no query may look, before anything is multiplied by it.
PreparedMemory readable(const Variable& memory, const Mask& mask) {
  PreparedMemory out{.memory = memory, .keys = {}, .keep = mask.tensor(), .asking = {}};
  if (!mask.defined()) return out;
  const Kept kept(mask.tensor());
  if (!kept.all_keys) out.memory = only(kept.keys.transpose(1, 2), memory);
  if (!kept.all_queries) out.asking = kept.queries;
  return out;
}

Variable readable(const Variable& query, const PreparedMemory& prepared) {
  return prepared.asking.defined() ? only(prepared.asking.value(), query) : query;
}

AttentionOutput attend(Variable weights, const PreparedMemory& prepared) {
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

PreparedMemory AdditiveAttention::prepare(const Variable& memory, const Mask& mask) {
  const NameScope scope(name().c_str());
  check_memory(kind(), memory, options().key_size, mask);
  PreparedMemory out = readable(memory, mask);
  out.keys = key_proj_(out.memory);
  return out;
}

Variable AdditiveAttention::weights(const Variable& query, const PreparedMemory& prepared) {
  const NameScope scope(name().c_str());
  return masked_softmax(query, prepared);
}

Variable AdditiveAttention::masked_softmax(const Variable& query, const PreparedMemory& prepared) {
  check_query(kind(), query, options().query_size, prepared);
  return softmax(additive_score(query_proj_(readable(query, prepared)), prepared.keys, v_), -1, prepared.keep);
}

AttentionOutput AdditiveAttention::forward(const Variable& query, const PreparedMemory& prepared) {
  return attend(masked_softmax(query, prepared), prepared);
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

PreparedMemory DotAttention::prepare(const Variable& memory, const Mask& mask) {
  const NameScope scope(name().c_str());
  check_memory(kind(), memory, options().key_size, mask);
  PreparedMemory out = readable(memory, mask);
  Variable keys = out.memory * (1.0 / std::sqrt(static_cast<double>(options().key_size)));
  if (query_proj_ && !query_proj_->has_hooks()) keys = matmul(keys, query_proj_->weight());
  out.keys = transpose(keys, 1, 2);
  return out;
}

Variable DotAttention::weights(const Variable& query, const PreparedMemory& prepared) {
  const NameScope scope(name().c_str());
  return masked_softmax(query, prepared);
}

Variable DotAttention::masked_softmax(const Variable& query, const PreparedMemory& prepared) {
  check_query(kind(), query, options().query_size, prepared);
  const Variable read = readable(query, prepared);
  // When the keys have the query's size, prepare() has already multiplied them by the projection.
  const bool projected = !query_proj_ || prepared.keys.size(1) == options().query_size;
  return softmax(matmul(projected ? read : (*query_proj_)(read), prepared.keys), -1, prepared.keep);
}

AttentionOutput DotAttention::forward(const Variable& query, const PreparedMemory& prepared) {
  return attend(masked_softmax(query, prepared), prepared);
}

}  // namespace gradus
