// SPDX-License-Identifier: MIT
// sparsemax:  y = max(x - t, 0),  dx = g - (the mean of g over y > 0) where y > 0, else 0
// entmax15:   y = max(x / 2 - t, 0)^2,  dx = s (g - sum(s g) / sum(s)) where y > 0, else 0, s = sqrt(y)
// with t such that a row sums to 1. To find t, as many elements are sorted as the support has. The sorting takes most
// of the time, so these are plain loops; sums are formed in double.
#include <gradus/tensor/kernels/rows/sparsemax.hpp>

#include <cmath>
#include <limits>
#include <vector>

#include <gradus/tensor/kernels/common/rows.hpp>

namespace gradus::kernels {
namespace {

// z_i = scale (x_i - max x) is in the support iff z_i >= least; then y_i = (z_i - threshold)^power.
struct Threshold {
  double threshold;
  double least;
};

// Gives the elements of a row in descending order, and sorts only as many as are asked for.
class Descending {
 public:
  explicit Descending(std::vector<double>& values) : heap_(values) { std::make_heap(heap_.begin(), heap_.end()); }
  bool empty() const { return heap_.empty(); }
  double next() {
    std::pop_heap(heap_.begin(), heap_.end());
    const double largest = heap_.back();
    heap_.pop_back();
    return largest;
  }

 private:
  std::vector<double>& heap_;
};

// The largest z is 0. The support is the longest run with 1 + k z_k > z_1 + .. + z_k.
struct Sparsemax {
  static constexpr double kScale = 1.0;
  static double value(double above) { return above; }
  static Threshold find(Descending& elements, double epsilon) {
    double sum = 0.0;
    double threshold = 0.0;
    double least = 0.0;
    for (double count = 1.0; !elements.empty(); ++count) {
      const double z = elements.next();
      const double with = sum + z;
      if (1.0 + count * z - with <= 8.0 * epsilon) break;
      sum = with;
      threshold = (sum - 1.0) / count;
      least = z;
    }
    return {threshold, least};
  }
};

// Over the first k: mean m, ss = sum (z - m)^2, t_k = m - sqrt((1 - ss) / k). The support is the longest run with t_k
// below z_k. y' is 0 at the threshold, so rounding may put a tie on either side.
struct Entmax15 {
  static constexpr double kScale = 0.5;
  static double value(double above) { return above * above; }
  static Threshold find(Descending& elements, double) {
    double sum = 0.0;
    double squares = 0.0;
    double threshold = 0.0;
    double least = 0.0;
    for (double count = 1.0; !elements.empty(); ++count) {
      const double z = elements.next();
      sum += z;
      squares += z * z;
      const double mean = sum / count;
      const double rest = (1.0 - (squares - sum * mean)) / count;
      const double candidate = mean - std::sqrt(std::max(rest, 0.0));
      if (candidate >= z) break;
      threshold = candidate;
      least = z;
    }
    return {threshold, least};
  }
};

bool kept(const uint8_t* keep, int64_t i) { return keep == nullptr || keep[i] != 0; }

template <class T>
void fill_kept(const uint8_t* keep, T value, T* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = kept(keep, i) ? value : T{0};
}

template <class Rule, class T>
void row(const T* x, const uint8_t* keep, T* y, int64_t n, std::vector<double>& candidates) {
  bool any = false;
  bool nan = false;
  T largest = -std::numeric_limits<T>::infinity();
  for (int64_t i = 0; i < n; ++i) {
    if (!kept(keep, i)) continue;
    any = true;
    nan = nan || x[i] != x[i];
    largest = std::max(largest, x[i]);
  }
  if (!any) return fill_kept(keep, T{0}, y, n);
  if (nan || !std::isfinite(largest)) return fill_kept(keep, std::numeric_limits<T>::quiet_NaN(), y, n);
  const auto shifted = [&](int64_t i) {
    return Rule::kScale * (static_cast<double>(x[i]) - static_cast<double>(largest));
  };
  // With only the largest element the threshold is -1, so elements below -1 are never in the support.
  candidates.clear();
  for (int64_t i = 0; i < n; ++i) {
    if (kept(keep, i) && shifted(i) > -1.0) candidates.push_back(shifted(i));
  }
  Descending elements(candidates);
  const Threshold t = Rule::find(elements, static_cast<double>(std::numeric_limits<T>::epsilon()));
  for (int64_t i = 0; i < n; ++i) {
    const bool inside = kept(keep, i) && shifted(i) >= t.least;
    y[i] = inside ? static_cast<T>(Rule::value(shifted(i) - t.threshold)) : T{0};
  }
}

// dx = s (g - sum(s g) / sum(s)) where y != 0 (so also where y is NaN), s = root(y).
template <class T, class Root>
void backward_rows(const T* y, const T* g, T* dx, int64_t rows, int64_t n, Root root) {
  for (int64_t r = 0; r < rows; ++r, y += n, g += n, dx += n) {
    double total = 0.0;
    double dot = 0.0;
    for (int64_t i = 0; i < n; ++i) {
      if (y[i] == 0) continue;
      const double s = root(static_cast<double>(y[i]));
      total += s;
      dot += s * static_cast<double>(g[i]);
    }
    const double mean = dot / total;
    for (int64_t i = 0; i < n; ++i) {
      const double s = root(static_cast<double>(y[i]));
      dx[i] = y[i] == 0 ? T{0} : static_cast<T>(s * (static_cast<double>(g[i]) - mean));
    }
  }
}

constexpr int64_t kSparsePiece = 2 << 10;  // elements

}  // namespace

void sparse_probabilities(SparseFn fn, const Tensor& x, const Tensor* keep, Tensor& y) {
  const Tensor in = dense(x), mask = dense(keep);
  dispatch_float(y.dtype(), [&]<class T>() {
    for_last_axis(y, kSparsePiece, [&](int64_t begin, int64_t rows, int64_t n) {
      std::vector<double> candidates;
      for (int64_t at = begin; at < begin + rows * n; at += n) {
        const auto find = fn == SparseFn::sparsemax ? row<Sparsemax, T> : row<Entmax15, T>;
        find(pointer<T>(in) + at, shifted(pointer<uint8_t>(mask), at), pointer<T>(y) + at, n, candidates);
      }
    });
  });
}

void sparse_probabilities_backward(SparseFn fn, const Tensor& y, const Tensor& g, Tensor& dx) {
  const Tensor out = dense(y), cotangent = dense(g);
  dispatch_float(dx.dtype(), [&]<class T>() {
    for_last_axis(dx, kSparsePiece, [&](int64_t at, int64_t rows, int64_t n) {
      const auto run = [&](auto root) {
        backward_rows(pointer<T>(out) + at, pointer<T>(cotangent) + at, pointer<T>(dx) + at, rows, n, root);
      };
      if (fn == SparseFn::sparsemax) return run([](double p) { return p > 0.0 ? 1.0 : p; });
      run([](double p) { return std::sqrt(p); });
    });
  });
}

}  // namespace gradus::kernels
