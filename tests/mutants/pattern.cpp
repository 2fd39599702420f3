// SPDX-License-Identifier: MIT
#include "tests/mutants/pattern.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

namespace gradus::mutants {
namespace {

using Index = std::vector<int64_t>;
using Names = std::set<std::string>;

class Pattern {
 public:
  explicit Pattern(const GradientChange& change) : c_(change), size_(c_.sound.size()) {
    for (size_t i = 0; i < size_; ++i) largest_ = std::max({largest_, std::abs(c_.sound[i]), std::abs(c_.wrong[i])});
    for (size_t i = 0; i < size_; ++i) {
      if (!same(c_.sound[i], c_.wrong[i])) differs_.push_back(i);
    }
  }

  std::string run() const {
    for (const Names& names : {ratios(), moved(), cotangents(), masked(), single(), parts(), offsets()}) {
      if (names.size() == 1) return *names.begin();
      if (names.size() > 1) return "";
    }
    return "";
  }

 private:
  bool same(double a, double b) const { return std::abs(a - b) <= 1e-9 * largest_; }
  bool is(const std::function<double(size_t)>& expected) const {
    for (size_t i = 0; i < size_; ++i) {
      if (!same(c_.wrong[i], expected(i))) return false;
    }
    return true;
  }

  Names ratios() const {
    size_t at = 0;
    for (size_t i = 0; i < size_; ++i) at = std::abs(c_.sound[i]) > std::abs(c_.sound[at]) ? i : at;
    if (c_.sound[at] == 0.0) return {};
    const double k = c_.wrong[at] / c_.sound[at];
    if (!is([&](size_t i) { return k * c_.sound[i]; })) return {};
    const auto near = [&](double value) { return std::abs(k - value) < 1e-9; };
    return {near(0.0) ? "all zero" : near(-1.0) ? "sign flipped" : near(2.0) ? "doubled" : "scaled"};
  }

  Index index_of(size_t position) const {
    Index index(static_cast<size_t>(c_.shape.rank()));
    for (int a = c_.shape.rank() - 1; a >= 0; --a) {
      index[static_cast<size_t>(a)] = static_cast<int64_t>(position) % c_.shape[a];
      position /= static_cast<size_t>(c_.shape[a]);
    }
    return index;
  }
  double sound_at(const Index& index) const {
    size_t position = 0;
    for (int a = 0; a < c_.shape.rank(); ++a) {
      position = position * static_cast<size_t>(c_.shape[a]) + static_cast<size_t>(index[static_cast<size_t>(a)]);
    }
    return c_.sound[position];
  }

  Names moved() const {
    Names names;
    const int rank = c_.shape.rank();
    if (rank >= 2 && c_.shape[rank - 1] > 1 && c_.shape[rank - 2] > 1) {
      const auto rows = static_cast<size_t>(c_.shape[rank - 2]);
      const auto columns = static_cast<size_t>(c_.shape[rank - 1]);
      const auto transposed = [&](size_t i) {
        const size_t matrix = i / (rows * columns) * rows * columns;
        const size_t in = i - matrix;
        return c_.sound[matrix + in % rows * columns + in / rows];
      };
      if (is(transposed)) names.insert("transposed");
    }
    for (int axis = 0; axis < rank; ++axis) {
      if (c_.shape[axis] < 2) continue;
      const auto a = static_cast<size_t>(axis);
      const auto mirrored = [&](size_t i) {
        Index index = index_of(i);
        index[a] = c_.shape[axis] - 1 - index[a];
        return sound_at(index);
      };
      const bool two = c_.shape[axis] == 2;  // of two slices, exchanged ones count as reversed
      if (is(mirrored)) names.insert("reversed");
      for (const int64_t by : {-2, -1, 1, 2}) {
        if (!two && is_shifted(axis, by)) names.insert("shifted");
      }
    }
    for (int axis = 0; axis < rank && names.empty(); ++axis) {
      if (is_permuted(axis)) names.insert("permuted");
    }
    return names;
  }

  // Sorted, the wrong slices and the right slices along the axis are the same.
  bool is_permuted(int axis) const {
    std::vector<std::vector<double>> wrong(static_cast<size_t>(c_.shape[axis]));
    std::vector<std::vector<double>> sound = wrong;
    for (size_t i = 0; i < size_; ++i) {
      const auto at = static_cast<size_t>(index_of(i)[static_cast<size_t>(axis)]);
      wrong[at].push_back(c_.wrong[i]);
      sound[at].push_back(c_.sound[i]);
    }
    std::sort(wrong.begin(), wrong.end());
    std::sort(sound.begin(), sound.end());
    for (size_t at = 0; at < sound.size(); ++at) {
      for (size_t k = 0; k < sound[at].size(); ++k) {
        if (!same(wrong[at][k], sound[at][k])) return false;
      }
    }
    return true;
  }

  // At least two slices, one of them wrong, are at the places of their neighbours. Anything may have been shifted in.
  bool is_shifted(int axis, int64_t by) const {
    const auto a = static_cast<size_t>(axis);
    bool moved = false;
    int64_t inside = 0;
    for (size_t i = 0; i < size_; ++i) {
      Index index = index_of(i);
      index[a] -= by;
      if (index[a] < 0 || index[a] >= c_.shape[axis]) continue;
      const double expected = sound_at(index);
      if (!same(c_.wrong[i], expected)) return false;
      moved = moved || !same(c_.wrong[i], c_.sound[i]);
      ++inside;
    }
    return moved && inside * c_.shape[axis] >= 2 * static_cast<int64_t>(size_);
  }

  Names cotangents() const {
    Names names;
    for (const std::vector<double>& some : c_.without) {
      if (c_.without.size() > 1 && is([&](size_t i) { return some[i]; })) names.insert("cotangent ignored");
    }
    if (is([&](size_t i) { return c_.for_ones[i]; })) names.insert("cotangent of ones");
    return names;
  }

  Names masked() const {
    size_t silent = 0;
    for (const double value : c_.sound) silent += value == 0.0 ? 1 : 0;
    const bool all = std::all_of(differs_.begin(), differs_.end(), [&](size_t i) { return c_.sound[i] == 0.0; });
    return all && silent == differs_.size() ? Names{"only masked"} : Names{};
  }

  Names single() const { return differs_.size() == 1 && size_ > 1 ? Names{"one element"} : Names{}; }

  // The axis where the smallest share of slices contains all wrong elements.
  Names parts() const {
    Names names;
    double smallest = 1.0;
    for (int axis = 0; axis < c_.shape.rank(); ++axis) {
      std::set<int64_t> hit;
      for (const size_t i : differs_) hit.insert(index_of(i)[static_cast<size_t>(axis)]);
      const double share = static_cast<double>(hit.size()) / static_cast<double>(c_.shape[axis]);
      const std::string name = share < 1.0 ? part(axis, hit) : "";
      if (name.empty() || share > smallest) continue;
      if (share < smallest) names.clear();
      smallest = share;
      names.insert(name);
    }
    return names;
  }

  std::string part(int axis, const std::set<int64_t>& hit) const {
    bool zero = true;
    for (size_t i = 0; i < size_; ++i) {
      zero = zero && (hit.count(index_of(i)[static_cast<size_t>(axis)]) == 0 || c_.wrong[i] == 0.0);
    }
    if (zero) return "slice zero";
    if (hit.size() > 1) return 2 * static_cast<int64_t>(hit.size()) <= c_.shape[axis] ? "one block" : "";
    if (*hit.begin() == 0) return "first only";
    return *hit.begin() == c_.shape[axis] - 1 ? "last only" : "one block";
  }

  Names offsets() const {
    for (int axis = 0; axis < c_.shape.rank(); ++axis) {
      if (c_.shape[axis] < 3) continue;
      bool constant = true;
      for (size_t i = 0; i < size_; ++i) {
        Index origin = index_of(i);
        origin[static_cast<size_t>(axis)] = 0;
        size_t first = 0;
        for (int a = 0; a < c_.shape.rank(); ++a) {
          first = first * static_cast<size_t>(c_.shape[a]) + static_cast<size_t>(origin[static_cast<size_t>(a)]);
        }
        constant = constant && same(c_.wrong[i] - c_.sound[i], c_.wrong[first] - c_.sound[first]);
      }
      if (constant) return {"constant offset"};
    }
    return {};
  }

  const GradientChange& c_;
  size_t size_;
  double largest_ = 0.0;
  std::vector<size_t> differs_;
};

}  // namespace

std::string pattern_of(const GradientChange& change) { return Pattern(change).run(); }

}  // namespace gradus::mutants
