// SPDX-License-Identifier: MIT
#include <gradus/tensor/detail/lengths.hpp>

#include <algorithm>
#include <string>

namespace gradus {
namespace {

[[noreturn]] void refuse(const char* who, int64_t rows, int64_t limit, const std::string& got) {
  const std::string count = rows == kAnyRows ? "B" : std::to_string(rows);
  const std::string range = limit == kAnyLength ? "0 or more" : "from 0 to " + std::to_string(limit);
  detail::throw_error(
      detail::join("[", who, "] wrong lengths: expected i64 [", count, "], each ", range, ", got ", got));
}

}  // namespace

LengthRange require_lengths(const char* who, const Tensor& lengths, int64_t rows, int64_t limit) {
  const bool fits = lengths.defined() && lengths.dtype() == DType::i64 && lengths.rank() == 1 &&
                    (rows == kAnyRows || lengths.size(0) == rows);
  if (!fits) refuse(who, rows, limit, describe(lengths));
  const Tensor dense = lengths.contiguous();
  const int64_t* at = dense.data<int64_t>();
  LengthRange range{.least = limit, .most = 0};
  for (int64_t row = 0; row < dense.numel(); ++row) {
    if (at[row] < 0 || at[row] > limit) {
      refuse(who, rows, limit, std::to_string(at[row]) + " in row " + std::to_string(row));
    }
    range.least = std::min(range.least, at[row]);
    range.most = std::max(range.most, at[row]);
  }
  return range;
}

Tensor valid_steps(const Tensor& lengths, int64_t steps) {
  const Tensor dense = lengths.contiguous();
  const int64_t rows = dense.numel();
  Tensor valid = Tensor::empty({rows, steps}, DType::boolean);
  bool* at = valid.mutable_data_<bool>();
  for (int64_t row = 0; row < rows; ++row, at += steps) {
    const int64_t length = std::clamp<int64_t>(dense.data<int64_t>()[row], 0, steps);
    std::fill(at, at + length, true);
    std::fill(at + length, at + steps, false);
  }
  return valid;
}

}  // namespace gradus
