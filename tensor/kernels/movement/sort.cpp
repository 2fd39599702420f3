// SPDX-License-Identifier: MIT
#include <gradus/tensor/kernels/movement/sort.hpp>

#include <algorithm>
#include <type_traits>
#include <vector>

#include <gradus/tensor/kernels/common/rows.hpp>

namespace gradus::kernels {
namespace {

constexpr int64_t kSortGrain = 2 << 10;  // elements to a piece of work

template <class T>
struct Entry {
  T value;
  int64_t index;
};

// A total order: the index decides between equal values, so any sort is stable.
template <class T, bool kDescending>
bool before(const Entry<T>& a, const Entry<T>& b) {
  bool a_nan = false;
  if constexpr (std::is_floating_point_v<T>) {
    a_nan = a.value != a.value;
    const bool b_nan = b.value != b.value;
    if (a_nan != b_nan) return b_nan;
  }
  if (!a_nan && a.value != b.value) return kDescending ? a.value > b.value : a.value < b.value;
  return a.index < b.index;
}

template <class T, bool kDescending>
void sort_entries(std::vector<Entry<T>>& entries, int64_t count) {
  const auto middle = entries.begin() + count;
  // A heap is cheaper than sorting all elements when only a few are needed.
  if (count < static_cast<int64_t>(entries.size()) / 4) {
    std::partial_sort(entries.begin(), middle, entries.end(), before<T, kDescending>);
  } else {
    std::sort(entries.begin(), entries.end(), before<T, kDescending>);
  }
}

template <class T>
void sort_lines(const Tensor& x, int axis, bool descending, Tensor& values, Tensor& indices) {
  const int64_t n = x.shape()[axis];
  const int64_t count = values.shape()[axis];
  int64_t inner = 1;
  for (int k = axis + 1; k < x.rank(); ++k) inner *= x.shape()[k];
  const int64_t lines = x.shape().without(axis).numel();
  const T* from = pointer<T>(x);
  T* value = pointer<T>(values);
  auto* index = pointer<int64_t>(indices);
  for_rows(lines, rows_of_piece(kSortGrain, n), [&](int64_t first, int64_t many) {
    std::vector<Entry<T>> entries(static_cast<size_t>(n));
    for (int64_t line = first; line < first + many; ++line) {
      const T* in = from + line / inner * n * inner + line % inner;
      for (int64_t j = 0; j < n; ++j) entries[static_cast<size_t>(j)] = {in[j * inner], j};
      descending ? sort_entries<T, true>(entries, count) : sort_entries<T, false>(entries, count);
      const int64_t at = line / inner * count * inner + line % inner;
      for (int64_t j = 0; j < count; ++j) {
        value[at + j * inner] = entries[static_cast<size_t>(j)].value;
        index[at + j * inner] = entries[static_cast<size_t>(j)].index;
      }
    }
  });
}

}  // namespace

void sort(const Tensor& x, int axis, bool descending, Tensor& values, Tensor& indices) {
  const Tensor source = x.contiguous();
  if (values.numel() == 0) return;
  dispatch_all(x.dtype(), [&]<class T>() { sort_lines<T>(source, axis, descending, values, indices); });
}

}  // namespace gradus::kernels
