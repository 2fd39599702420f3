// SPDX-License-Identifier: MIT
// What the recurrent models share.
#pragma once

#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus::detail {

/// Throws `[called] expected source i64 [B, T], got ...`, or the same for target_in.
void check_symbols(const char* called, const char* what, const Tensor& symbols);
/// The checks of a model's forward(): throws `[kind] ...`.
void check_teacher_forcing(const char* kind, const Tensor& source, const Tensor& lengths, const Tensor& target_in);
/// The checks of a model's start(): throws `[start] ...`.
void check_start(const Tensor& source, const Tensor& lengths, const Tensor& prompt);

Mask mask_of_lengths(const Tensor& lengths);

// Symbols, and their embeddings when hooks or dropout need them.
Variable project(const EmbeddedSymbols& plain, const Variable& embedded, const Variable& weight, const Variable& bias);
Variable embedded(const EmbeddedSymbols& plain, const Variable& embedded);

/// a [B, T, M] and b [B, T or 1, N] -> [B, T, M + N].
Variable beside(const Variable& a, const Variable& b);

/// The rows i64 [R] of x [B, ..]. One row stands for all rows when there are several; undefined stays so.
Variable chosen_rows(const Variable& x, const Tensor& order, int64_t batch);
PreparedMemory chosen_rows(const PreparedMemory& prepared, const Tensor& lengths, const Tensor& order, int64_t batch);

/// Column `step` of symbols i64 [B, T], as [B, 1].
inline Tensor symbol_column(const Tensor& symbols, int64_t step) {
  return symbols.slice(1, step, step + 1).contiguous();
}

}  // namespace gradus::detail
