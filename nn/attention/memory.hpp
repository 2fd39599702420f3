// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/engine/context.hpp>
#include <gradus/nn/attention/attention.hpp>

// What every attention does with a memory and its mask: checks, and zeros where nothing may be read.

namespace gradus::detail {

/// x where `keep` is true, else 0; x itself when `keep` is undefined.
Variable only_kept(const Variable& keep, const Variable& x);

/// Throws `[kind] expected a memory ...` unless it is [B, Tk, key_size] and the mask fits it. `heads`, here and below,
/// is that of MaskSizes.
void check_memory(const char* kind, const Variable& memory, int64_t key_size, const Mask& mask, int64_t heads = 0);
/// Throws `[kind] expected a query ...` unless it is [B, Tq, query_size] for the memory's B.
void check_query(const char* kind, const Variable& query, int64_t query_size, const PreparedMemory& prepared);

/// Keys and values [B, Tk, ..] with 0 where no query may look, before anything is multiplied by them, and the mask as
/// far as it can be evaluated. `keys` undefined: the values are the keys. The result has no `keys` yet: the caller
/// computes them from raw_keys.
PreparedMemory readable_memory(const Variable& keys, const Variable& values, const Mask& mask,
                               int64_t queries = Mask::kAnyQueries, int64_t heads = 0);

/// What the keys of a prepared memory are computed from, [B, Tk, Dk].
inline const Variable& raw_keys(const PreparedMemory& prepared) {
  return prepared.raw_keys.defined() ? prepared.raw_keys : prepared.memory;
}

/// The query with 0 in the rows that may attend to nothing.
Variable readable_query(const Variable& query, const PreparedMemory& prepared);

/// When a mask was evaluated: before the call, now, or now with keys blocked that prepare() had projected.
enum class MaskEvaluation : uint8_t { before, now, now_blocking_keys };
/// Evaluates a mask that waited for the number of queries, into `here`.
MaskEvaluation evaluate_mask(int64_t queries, const PreparedMemory& prepared, PreparedMemory& here, int64_t heads);

/// The prepared memory for the queries of one call: `prepared`, or `here` for a mask that waited for their number.
/// Without recording, the values of blocked keys make no difference, so they are not projected again.
template <class Project>
const PreparedMemory& for_queries(int64_t queries, const PreparedMemory& prepared, PreparedMemory& here,
                                  const Project& project, int64_t heads = 0) {
  const MaskEvaluation evaluated = evaluate_mask(queries, prepared, here, heads);
  if (evaluated == MaskEvaluation::before) return prepared;
  if (evaluated == MaskEvaluation::now_blocking_keys && context().grad_enabled) here.keys = project(raw_keys(here));
  return here;
}

}  // namespace gradus::detail
