// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/memory.hpp>

#include <algorithm>
#include <functional>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/nn/attention/mask_rule.hpp>

namespace gradus {
namespace {

MaskSizes memory_sizes(const Variable& memory, int64_t queries, int64_t heads) {
  return {.batch = memory.size(0), .heads = heads, .queries = queries, .keys = memory.size(1)};
}

// Of a mask [B, Tq, Tk] or [B, H, Tq, Tk], whose axes may have size 1. keys [B, 1, Tk]: false for a key that no query
// of any head may attend to. queries [B, Tq, 1]: false for a query that may attend to no key.
struct Kept {
  Tensor keys;
  Tensor queries;
  bool all_keys = true;
  bool all_queries = true;

  explicit Kept(const Tensor& keep) {
    const int64_t blocks = keep.size(0), rows = keep.size(-2), columns = keep.size(-1);
    const int64_t heads = keep.rank() == 4 ? keep.size(1) : 1;
    const bool* at = keep.data<bool>();
    keys = zeros({blocks, 1, columns}, {.dtype = DType::boolean});
    queries = zeros({blocks, rows, 1}, {.dtype = DType::boolean});
    bool* key = keys.mutable_data_<bool>();
    bool* query = queries.mutable_data_<bool>();
    for (int64_t block = 0; block < blocks; ++block, key += columns, query += rows) {
      for (int64_t i = 0; i < heads * rows; ++i, at += columns) {
        std::transform(at, at + columns, key, key, std::logical_or<>());
        query[i % rows] = query[i % rows] || std::find(at, at + columns, true) != at + columns;
      }
      all_queries = all_queries && std::find(query, query + rows, false) == query + rows;
      all_keys = all_keys && std::find(key, key + columns, false) == key + columns;
    }
  }
};

// True when the mask cannot be evaluated yet: a rule depends on the queries, and their number is not known.
bool waits_for_queries(const Mask& mask, int64_t queries) {
  return queries == Mask::kAnyQueries && mask.by_query() && mask.queries() == Mask::kAnyQueries;
}

void hide_keys(const Tensor& kept, PreparedMemory& prepared) {
  const Variable rows(kept.transpose(1, 2));
  prepared.memory = detail::only_kept(rows, prepared.memory);
  if (prepared.raw_keys.defined()) prepared.raw_keys = detail::only_kept(rows, prepared.raw_keys);
}

// True when `keys` [B, 1, Tk] has a blocked key that the rules of keys, which prepare() evaluated, do not block.
bool blocks_more(const Tensor& keys, const Mask& of_keys, const MaskSizes& sizes) {
  if (!of_keys.defined()) return true;
  const Tensor known = Kept(of_keys.tensor(sizes)).keys.expand(keys.shape()).contiguous();
  const bool* before = known.data<bool>();
  const bool* now = keys.data<bool>();
  return !std::equal(now, now + keys.numel(), before);
}

}  // namespace

namespace detail {

Variable only_kept(const Variable& keep, const Variable& x) {
  return keep.defined() ? where(keep, x, zeros({}, {.dtype = x.dtype()})) : x;
}

void check_memory(const char* kind, const Variable& memory, int64_t key_size, const Mask& mask, int64_t heads) {
  GRADUS_CHECK(memory.rank() == 3 && memory.size(2) == key_size, "[", kind, "] expected a memory [B, Tk, ", key_size,
               "], got ", describe(memory));
  mask.check(memory_sizes(memory, Mask::kAnyQueries, heads));
}

void check_query(const char* kind, const Variable& query, int64_t query_size, const PreparedMemory& prepared) {
  GRADUS_CHECK(query.rank() == 3 && query.size(0) == prepared.memory.size(0) && query.size(2) == query_size, "[", kind,
               "] expected a query [", prepared.memory.size(0), ", Tq, ", query_size, "], got ", describe(query));
}

PreparedMemory readable_memory(const Variable& keys, const Variable& values, const Mask& mask, int64_t queries,
                               int64_t heads) {
  PreparedMemory out{.memory = values, .keys = {}, .raw_keys = keys, .mask = mask, .keep = {}, .asking = {}};
  const bool later = waits_for_queries(mask, queries);
  const Mask known = later ? mask.of_keys() : mask;
  if (!known.defined()) return out;
  const int64_t rows = queries == Mask::kAnyQueries ? std::max<int64_t>(known.queries(), 0) : queries;
  if (context().tracing) {
    if (!later) out.keep = mask_values(known, memory_sizes(values, rows, heads));
    return out;
  }
  const Tensor keep = known.tensor(memory_sizes(values, rows, heads));
  const Kept kept(keep);
  if (!kept.all_keys) hide_keys(kept.keys, out);
  if (later) return out;
  out.keep = keep;
  if (!kept.all_queries) out.asking = kept.queries;
  return out;
}

Variable readable_query(const Variable& query, const PreparedMemory& prepared) {
  return only_kept(prepared.asking, query);
}

MaskEvaluation evaluate_mask(int64_t queries, const PreparedMemory& prepared, PreparedMemory& here, int64_t heads) {
  const Mask& mask = prepared.mask;
  const MaskSizes sizes = memory_sizes(prepared.memory, queries, heads);
  if (prepared.keep.defined() || !waits_for_queries(mask, Mask::kAnyQueries)) {
    if (mask.by_query() && queries != mask.queries()) mask.check(sizes);
    return MaskEvaluation::before;
  }
  here = prepared;
  if (context().tracing) {
    here.keep = mask_values(mask, sizes);
    return MaskEvaluation::now;
  }
  const Tensor keep = mask.tensor(sizes);
  const Kept kept(keep);
  here.keep = keep;
  if (!kept.all_queries) here.asking = kept.queries;
  if (kept.all_keys || !blocks_more(kept.keys, mask.of_keys(), sizes)) return MaskEvaluation::now;
  hide_keys(kept.keys, here);
  return MaskEvaluation::now_blocking_keys;
}

}  // namespace detail
}  // namespace gradus
