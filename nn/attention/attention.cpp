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

MaskSizes sizes_of(const Variable& memory, int64_t queries) {
  return {.batch = memory.size(0), .queries = queries, .keys = memory.size(1)};
}

void check_memory(const char* kind, const Variable& memory, int64_t key_size, const Mask& mask) {
  GRADUS_CHECK(memory.rank() == 3 && memory.size(2) == key_size, "[", kind, "] expected a memory [B, Tk, ", key_size,
               "], got ", describe(memory));
  mask.check(sizes_of(memory, Mask::kAnyQueries));
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

// Of a mask [B, Tq, Tk], whose axes may have size 1. keys [B, 1, Tk]: false for a key that no query may attend to.
// queries [B, Tq, 1]: false for a query that may attend to no key.
struct Kept {
  Tensor keys;
  Tensor queries;
  bool all_keys = true;
  bool all_queries = true;

  explicit Kept(const Tensor& keep) {
    const int64_t blocks = keep.size(0), rows = keep.size(1), columns = keep.size(2);
    const bool* at = keep.data<bool>();
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

// True when prepare() cannot evaluate the mask: a rule depends on the queries, and their number is not known yet.
bool waits(const Mask& mask) { return mask.by_query() && mask.queries() == Mask::kAnyQueries; }

// Sets the memory to 0 where no query may look, before anything is multiplied by it.
PreparedMemory readable(const Variable& memory, const Mask& mask) {
  PreparedMemory out{.memory = memory, .keys = {}, .mask = mask, .keep = {}, .asking = {}};
  const bool later = waits(mask);
  const Mask known = later ? mask.of_keys() : mask;
  if (!known.defined()) return out;
  const Tensor keep = known.tensor(sizes_of(memory, std::max<int64_t>(known.queries(), 0)));
  const Kept kept(keep);
  if (!kept.all_keys) out.memory = only(kept.keys.transpose(1, 2), memory);
  if (later) return out;
  out.keep = keep;
  if (!kept.all_queries) out.asking = kept.queries;
  return out;
}

// True when `keys` [B, 1, Tk] has a blocked key that the rules of keys, which prepare() evaluated, do not block.
bool blocks_more(const Tensor& keys, const Mask& of_keys, const MaskSizes& sizes) {
  if (!of_keys.defined()) return true;
  const Tensor known = of_keys.tensor(sizes).expand(keys.shape()).contiguous();
  const bool* before = known.data<bool>();
  const bool* now = keys.data<bool>();
  return !std::equal(now, now + keys.numel(), before);
}

// The prepared memory for the queries of one call. A mask that waited for their number is evaluated into `here`.
// Without recording, the values of blocked keys make no difference, so they are not projected again.
template <class Project>
const PreparedMemory& for_queries(int64_t queries, const PreparedMemory& prepared, PreparedMemory& here,
                                  const Project& project) {
  const Mask& mask = prepared.mask;
  const MaskSizes sizes = sizes_of(prepared.memory, queries);
  if (!waits(mask)) {
    if (mask.by_query() && queries != mask.queries()) mask.check(sizes);
    return prepared;
  }
  here = prepared;
  const Tensor keep = mask.tensor(sizes);
  const Kept kept(keep);
  here.keep = keep;
  if (!kept.all_queries) here.asking = kept.queries;
  if (kept.all_keys || !blocks_more(kept.keys, mask.of_keys(), sizes)) return here;
  here.memory = only(kept.keys.transpose(1, 2), prepared.memory);
  if (context().grad_enabled) here.keys = project(here.memory);
  return here;
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

Variable AdditiveAttention::project(const Variable& memory) { return key_proj_(memory); }

PreparedMemory AdditiveAttention::prepare(const Variable& memory, const Mask& mask) {
  const NameScope scope(name().c_str());
  check_memory(kind(), memory, options().key_size, mask);
  PreparedMemory out = readable(memory, mask);
  out.keys = project(out.memory);
  return out;
}

const PreparedMemory& AdditiveAttention::evaluated(const Variable& query, const PreparedMemory& prepared,
                                                   PreparedMemory& here) {
  check_query(kind(), query, options().query_size, prepared);
  return for_queries(query.size(1), prepared, here, [this](const Variable& memory) { return project(memory); });
}

Variable AdditiveAttention::masked_softmax(const Variable& query, const PreparedMemory& prepared) {
  return softmax(additive_score(query_proj_(readable(query, prepared)), prepared.keys, v_), -1, prepared.keep);
}

Variable AdditiveAttention::weights(const Variable& query, const PreparedMemory& prepared) {
  const NameScope scope(name().c_str());
  PreparedMemory here;
  return masked_softmax(query, evaluated(query, prepared, here));
}

AttentionOutput AdditiveAttention::forward(const Variable& query, const PreparedMemory& prepared) {
  PreparedMemory here;
  const PreparedMemory& now = evaluated(query, prepared, here);
  return attend(masked_softmax(query, now), now);
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
  check_memory(kind(), memory, options().key_size, mask);
  PreparedMemory out = readable(memory, mask);
  out.keys = project(out.memory);
  return out;
}

const PreparedMemory& DotAttention::evaluated(const Variable& query, const PreparedMemory& prepared,
                                              PreparedMemory& here) {
  check_query(kind(), query, options().query_size, prepared);
  return for_queries(query.size(1), prepared, here, [this](const Variable& memory) { return project(memory); });
}

Variable DotAttention::masked_softmax(const Variable& query, const PreparedMemory& prepared) {
  const Variable read = readable(query, prepared);
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
  return attend(masked_softmax(query, now), now);
}

}  // namespace gradus
