// SPDX-License-Identifier: MIT
// Any set of axes with any strides becomes one of two forms, each with its own kernel: rows [outer, n], whose n
// elements are adjacent, and columns [outer, n, cols], whose cols elements are. Axes are taken in their order in memory
// and merged where possible. The innermost reduced group is done first; its result is dense and small.
#include <gradus/tensor/kernels/reduce/tensor_reduce.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

#include <gradus/tensor/kernels/common/rows.hpp>
#include <gradus/tensor/kernels/elementwise/integers.hpp>
#include <gradus/tensor/kernels/elementwise/tensor_elementwise.hpp>
#include <gradus/tensor/kernels/movement/copy.hpp>

namespace gradus::kernels {
namespace {

constexpr int64_t kReduceGrain = 32 << 10;  // elements: with fewer, starting a second thread costs more than it saves
constexpr int64_t kBlock = 64 << 10;        // elements of one slab that one thread reduces by itself
constexpr int64_t kBlockColumns = 4096;     // the results for so many columns stay in the first-level cache
constexpr int64_t kMaxBlockRows = 1024;     // reduce_cols reads up to so many rows in order of memory

// Neighbouring axes that are merged into one, with one stride.
struct Group {
  int64_t size;
  int64_t stride;
  bool reduced;
};

struct Groups {
  Group at[kMaxRank];
  int count = 0;
  const Group& last(int from_end = 1) const { return at[count - from_end]; }
  void add(const Group& group) {
    if (count > 0 && last().reduced == group.reduced && last().stride == group.stride * group.size) {
      at[count - 1] = {last().size * group.size, group.stride, group.reduced};
    } else {
      at[count++] = group;
    }
  }
  int64_t numel(int groups) const {
    int64_t product = 1;
    for (int i = 0; i < groups; ++i) product *= at[i].size;
    return product;
  }
  bool any_reduced() const {
    return std::any_of(at, at + count, [](const Group& group) { return group.reduced; });
  }
};

// fn along rows and columns of numbers.
template <class T>
struct NumberFn {
  ReduceFn fn;
  DType dtype;
  void rows(const T* x, int64_t rows, int64_t n, int64_t pitch, T* y) const { reduce_rows(fn, x, rows, n, pitch, y); }
  void cols(const T* x, int64_t n, int64_t pitch, int64_t cols, T* y) const { reduce_cols(fn, x, n, pitch, cols, y); }
};

// The same for integers, which wrap around.
struct IntegerFn {
  ReduceFn fn;
  DType dtype = DType::i64;
  int64_t both(int64_t a, int64_t b) const {
    switch (fn) {
      case ReduceFn::sum:
        return wrapping_add(a, b);
      case ReduceFn::prod:
        return wrapping_mul(a, b);
      case ReduceFn::max:
        return std::max(a, b);
      case ReduceFn::min:
        break;
    }
    return std::min(a, b);
  }
  void rows(const int64_t* x, int64_t rows, int64_t n, int64_t pitch, int64_t* y) const {
    for (int64_t r = 0; r < rows; ++r, x += pitch) {
      y[r] = x[0];
      for (int64_t i = 1; i < n; ++i) y[r] = both(y[r], x[i]);
    }
  }
  void cols(const int64_t* x, int64_t n, int64_t pitch, int64_t cols, int64_t* y) const {
    std::copy_n(x, cols, y);
    for (int64_t i = 1; i < n; ++i) {
      for (int64_t c = 0; c < cols; ++c) y[c] = both(y[c], x[i * pitch + c]);
    }
  }
};

// The same for bools, which are bytes of 0 and 1: `any` looks for a 1, `all` for a 0.
struct BoolFn {
  bool any;
  DType dtype = DType::boolean;
  void rows(const uint8_t* x, int64_t rows, int64_t n, int64_t pitch, uint8_t* y) const {
    for (int64_t r = 0; r < rows; ++r) {
      const bool found = std::memchr(x + r * pitch, any ? 1 : 0, static_cast<size_t>(n)) != nullptr;
      y[r] = found == any ? 1 : 0;
    }
  }
  void cols(const uint8_t* x, int64_t n, int64_t pitch, int64_t cols, uint8_t* y) const {
    std::fill_n(y, cols, any ? uint8_t{0} : uint8_t{1});
    for (int64_t i = 0; i < n; ++i) {
      const uint8_t* row = x + i * pitch;
      for (int64_t c = 0; any && c < cols; ++c) y[c] |= row[c];
      for (int64_t c = 0; !any && c < cols; ++c) y[c] &= row[c];
    }
  }
};

// `count` slabs x [n, cols] to be reduced over n; for rows, cols is 1. The first `outer` groups give the start of each
// slab.
template <class T>
struct Slabs {
  const T* x;
  const Groups& groups;
  int outer;
  int64_t count;
  int64_t n;
  int64_t pitch;
  int64_t cols;

  int64_t offset(int64_t slab) const {
    int64_t place = 0;
    for (int i = outer - 1; i >= 0; --i) {
      place += slab % groups.at[i].size * groups.at[i].stride;
      slab /= groups.at[i].size;
    }
    return place;
  }
};

// Reduces slabs that are at most one piece of work each.
template <class Fn, class T>
void reduce_small_slabs(const Fn& fn, const Slabs<T>& s, bool rows, T* y) {
  const auto body = [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const T* slab = s.x + s.offset(begin);
      if (!rows) {
        fn.cols(slab, s.n, s.pitch, s.cols, y + begin * s.cols);
        ++begin;
        continue;
      }
      // As many rows at once as have the same distance from one to the next.
      const int64_t inner = s.outer == 0 ? 1 : s.groups.at[s.outer - 1].size;
      const int64_t run = std::min(end - begin, inner - begin % inner);
      fn.rows(slab, run, s.n, s.outer == 0 ? 0 : s.groups.at[s.outer - 1].stride, y + begin);
      begin += run;
    }
  };
  const int64_t work = s.n * s.cols;
  if (s.count * work <= kReduceGrain) return body(0, s.count);
  parallel_for(s.count, body, rows_of_piece(kReduceGrain, work));
}

template <class Fn, class T>
void reduce_long_rows(const Fn& fn, const Slabs<T>& s, T* y) {
  const int64_t blocks = (s.n + kBlock - 1) / kBlock;
  Tensor partial = Tensor::empty({s.count * blocks}, fn.dtype);
  T* parts = pointer<T>(partial);
  const auto body = [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t start = task % blocks * kBlock;
      fn.rows(s.x + s.offset(task / blocks) + start, 1, std::min(kBlock, s.n - start), 0, parts + task);
    }
  };
  parallel_for(s.count * blocks, body, 1);
  fn.rows(parts, s.count, blocks, blocks, y);
}

template <class Fn, class T>
void reduce_large_slabs(const Fn& fn, const Slabs<T>& s, T* y) {
  const int64_t width = std::min(s.cols, kBlockColumns);
  const int64_t height = std::clamp<int64_t>(kBlock / width, 64, kMaxBlockRows);
  const int64_t across = (s.cols + width - 1) / width;
  const int64_t down = (s.n + height - 1) / height;
  Tensor partial = down == 1 ? Tensor() : Tensor::empty({s.count * down * s.cols}, fn.dtype);
  T* parts = down == 1 ? y : pointer<T>(partial);
  const auto body = [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t column = task % across * width;
      const int64_t band = task / across;  // the number of the band among those of all slabs
      const int64_t row = band % down * height;
      fn.cols(s.x + s.offset(band / down) + row * s.pitch + column, std::min(height, s.n - row), s.pitch,
              std::min(width, s.cols - column), parts + band * s.cols + column);
    }
  };
  parallel_for(s.count * down * across, body, std::max<int64_t>(1, kReduceGrain / (width * height)));
  if (down == 1) return;
  for (int64_t slab = 0; slab < s.count; ++slab) {
    fn.cols(parts + slab * down * s.cols, down, s.cols, s.cols, y + slab * s.cols);
  }
}

bool is_rows(const Groups& g) { return g.last().reduced && g.last().stride == 1; }
bool is_cols(const Groups& g) { return g.count >= 2 && !g.last().reduced && g.last().stride == 1 && g.last(2).reduced; }

// y is dense over the groups that are kept, in their order. At least one group is reduced, and the innermost of these
// groups is rows or columns.
template <class Fn, class T>
void reduce_groups(const Fn& fn, const T* x, const Groups& g, T* y) {
  const bool rows = is_rows(g);
  GRADUS_ASSERT(rows || is_cols(g));
  const Group& group = g.last(rows ? 1 : 2);
  const int outer = g.count - (rows ? 1 : 2);
  const Slabs<T> s{.x = x,
                   .groups = g,
                   .outer = outer,
                   .count = g.numel(outer),
                   .n = group.size,
                   .pitch = group.stride,
                   .cols = rows ? 1 : g.last().size};
  Groups rest;
  int64_t stride = s.count * s.cols;
  for (int i = 0; i < g.count; ++i) {
    if (i == outer) continue;
    stride /= g.at[i].size;
    rest.add({g.at[i].size, stride, g.at[i].reduced});
  }
  const bool last = !rest.any_reduced();
  Tensor held = last ? Tensor() : Tensor::empty({s.count * s.cols}, fn.dtype);
  T* to = last ? y : pointer<T>(held);
  if (s.n * s.cols <= kBlock) {
    reduce_small_slabs(fn, s, rows, to);
  } else if (rows) {
    reduce_long_rows(fn, s, to);
  } else {
    reduce_large_slabs(fn, s, to);
  }
  if (!last) reduce_groups(fn, static_cast<const T*>(to), rest, y);
}

// The axes of x (size > 1, no stride of 0) from the outermost in memory to the innermost.
struct MemoryOrder {
  int axes[kMaxRank];
  int count = 0;
};

MemoryOrder memory_order(const Layout& x) {
  MemoryOrder order;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (x.shape()[axis] == 1 || x.stride(axis) == 0) continue;
    int at = order.count++;
    for (; at > 0 && x.stride(order.axes[at - 1]) < x.stride(axis); --at) order.axes[at] = order.axes[at - 1];
    order.axes[at] = axis;
  }
  return order;
}

// The layout with the shape of y for results that are dense in the order of `kept`: every other axis is added and
// expanded.
Layout seen_as(const Shape& y, const Shape& x, const MemoryOrder& kept) {
  int64_t sizes[kMaxRank];
  int places[kMaxRank];
  bool is_kept[kMaxRank] = {};
  for (int i = 0; i < kept.count; ++i) {
    sizes[i] = x[kept.axes[i]];
    is_kept[kept.axes[i]] = true;
    int before = 0;
    for (int k = 0; k < kept.count; ++k) before += kept.axes[k] < kept.axes[i] ? 1 : 0;
    places[before] = i;
  }
  const auto count = static_cast<size_t>(kept.count);
  Layout out = Layout(Shape(std::span<const int64_t>(sizes, count))).permute(std::span<const int>(places, count));
  for (int axis = 0; axis < y.rank(); ++axis) {
    if (!is_kept[axis]) out = out.unsqueeze(axis);
  }
  return out.expand(y);
}

template <class Fn, class T>
void reduce_tensor(const Fn& fn, const Tensor& x, Tensor& y) {
  const MemoryOrder order = memory_order(x.layout());
  Groups groups;
  MemoryOrder kept;
  for (int i = 0; i < order.count; ++i) {
    const int axis = order.axes[i];
    const bool reduced = y.shape()[axis] == 1;
    groups.add({x.shape()[axis], x.layout().stride(axis), reduced});
    if (!reduced) kept.axes[kept.count++] = axis;
  }
  if (!is_rows(groups) && !is_cols(groups)) return reduce_tensor<Fn, T>(fn, x.clone(), y);
  const auto* from = pointer<T>(x);
  int64_t elements = 1;
  bool in_order = true;
  for (int i = 0; i < kept.count; ++i) {
    elements *= x.shape()[kept.axes[i]];
    in_order = in_order && (i == 0 || kept.axes[i - 1] < kept.axes[i]);
  }
  if (in_order && elements == y.numel()) return reduce_groups(fn, from, groups, pointer<T>(y));
  Tensor held = Tensor::empty({elements}, y.dtype());
  reduce_groups(fn, from, groups, pointer<T>(held));
  copy(held.view(seen_as(y.shape(), x.shape(), kept)), y);
}

// x with each reduced axis of stride 0 cut to one element. `repeats` counts how often that element was repeated.
Tensor without_repeats(const Tensor& x, const Tensor& y, int64_t& repeats) {
  Tensor out = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (x.layout().stride(axis) != 0 || x.shape()[axis] == 1 || y.shape()[axis] != 1) continue;
    repeats *= x.shape()[axis];
    out = out.slice(axis, 0, 1);
  }
  return out;
}

}  // namespace

void reduce(ReduceFn fn, const Tensor& x, Tensor& y) {
  if (x.numel() == 0) return fill(y, neutral_of(fn));
  int64_t repeats = 1;
  const Tensor once = fn == ReduceFn::prod ? x.contiguous() : without_repeats(x, y, repeats);
  if (once.shape() == y.shape()) {
    copy(once, y);
  } else if (x.dtype() == DType::i64) {
    reduce_tensor<IntegerFn, int64_t>({fn}, once, y);
  } else {
    dispatch_float(x.dtype(), [&]<class T>() { reduce_tensor<NumberFn<T>, T>({fn, x.dtype()}, once, y); });
  }
  if (fn == ReduceFn::sum && repeats > 1) affine(y, static_cast<double>(repeats), 0.0, y);
}

namespace {

void reduce_bools(bool look_for_any, const Tensor& x, Tensor& y) {
  if (x.numel() == 0) return fill(y, look_for_any ? 0.0 : 1.0);
  int64_t repeats = 1;
  const Tensor once = without_repeats(x, y, repeats);
  if (once.shape() == y.shape()) return copy(once, y);
  reduce_tensor<BoolFn, uint8_t>({.any = look_for_any}, once, y);
}

}  // namespace

void any(const Tensor& x, Tensor& y) { reduce_bools(true, x, y); }
void all(const Tensor& x, Tensor& y) { reduce_bools(false, x, y); }

}  // namespace gradus::kernels
