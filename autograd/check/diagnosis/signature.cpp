// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/diagnosis/signature.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <gradus/autograd/check/diagnosis/axis_view.hpp>
#include <gradus/autograd/check/differences/differences.hpp>
#include <gradus/autograd/check/report/labels.hpp>

namespace gradus::detail {
namespace {

constexpr size_t kNamedIndices = 8;

std::string list_text(const std::vector<int64_t>& numbers) {
  std::string text;
  for (size_t k = 0; k < numbers.size() && k < kNamedIndices; ++k)
    text += (k == 0 ? "" : ", ") + std::to_string(numbers[k]);
  return numbers.size() > kNamedIndices ? text + ", ..." : text;
}

std::string short_number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

class Classifier {
 public:
  explicit Classifier(const GradientPair& pair) : p_(pair), count_(static_cast<int64_t>(pair.analytic.size())) {
    for (int64_t i = 0; i < count_; ++i) {
      if (!ignored(i) && !equal(analytic(i), numeric(i))) wrong_.push_back(i);
    }
  }

  Signature run() const {
    if (wrong_.empty()) return {};
    using Guess = Signature (Classifier::*)() const;
    for (const Guess guess : {&Classifier::ratio, &Classifier::elsewhere, &Classifier::wrong_cotangent,
                              &Classifier::masked, &Classifier::single, &Classifier::places, &Classifier::offset}) {
      Signature found = (this->*guess)();
      if (found.kind != SignatureKind::none) return found;
    }
    return {.text = join(wrong_.size(), " of ", count_, " elements are wrong, in no known pattern")};
  }

  Signature ratio() const {
    if (all_of_wrong([&](int64_t i) { return analytic(i) == 0.0; }) && all_equal(0.0)) {
      return {SignatureKind::all_zero, "analytic is 0 everywhere: a term or the whole derivative is dropped", -1, 0.0};
    }
    if (all_equal(-1.0)) return {SignatureKind::sign_flipped, "analytic = -numeric everywhere", -1, -1.0};
    if (all_equal(2.0)) return {SignatureKind::doubled, "analytic = 2 x numeric everywhere: added twice", -1, 2.0};
    double square = 0.0;
    double product = 0.0;
    for (int64_t i = 0; i < count_; ++i) {
      if (ignored(i)) continue;
      square += numeric(i) * numeric(i);
      product += numeric(i) * analytic(i);
    }
    const double k = square > 0.0 ? product / square : 0.0;
    if (k == 0.0 || !std::isfinite(k) || !all_equal(k)) return {};
    return {SignatureKind::scaled, join("analytic = ", precise(k), " x numeric everywhere"), -1, k};
  }

 private:
  double analytic(int64_t i) const { return p_.analytic[static_cast<size_t>(i)]; }
  double numeric(int64_t i) const { return p_.numeric[static_cast<size_t>(i)]; }
  bool ignored(int64_t i) const { return !p_.ignore.empty() && p_.ignore[static_cast<size_t>(i)]; }
  bool equal(double a, double b) const { return derivative_error(a, b, p_.floor) <= p_.allowed; }
  // Enough digits that a ratio of 1.00001 shows its last one.
  static std::string precise(double value) {
    char text[40];
    std::snprintf(text, sizeof text, "%.9g", value);
    return text;
  }

  template <class Test>
  bool all_of_wrong(const Test& test) const {
    return std::all_of(wrong_.begin(), wrong_.end(), test);
  }
  bool all_equal(double k) const {
    return explained([&](int64_t i) { return k * numeric(i); });
  }
  // Whether every element equals `expected(i)`.
  template <class Expected>
  bool explained(const Expected& expected) const {
    for (int64_t i = 0; i < count_; ++i) {
      if (!ignored(i) && !equal(analytic(i), expected(i))) return false;
    }
    return true;
  }

  Signature elsewhere() const {
    if (count_ < 2 || wrong_.size() < 2) return {};
    if (is_transposed()) {
      return {SignatureKind::transposed, "the last two axes of analytic are transposed", p_.shape.rank() - 2, 0.0};
    }
    for (int axis = 0; axis < p_.shape.rank(); ++axis) {
      const AxisView view(p_.shape, axis);
      if (view.size < 2) continue;
      for (const int64_t by : {1, -1, 2, -2}) {
        if (std::abs(by) >= view.size || !is_shifted(view, by)) continue;
        const std::string name = axis_name(axis);
        return {SignatureKind::shifted, join("analytic is shifted by ", by, " along ", name, ": off by ", std::abs(by)),
                axis, static_cast<double>(by)};
      }
      const auto mirrored = [&](int64_t i) { return numeric(view.moved(i, view.size - 1 - view.at(i))); };
      if (explained(mirrored)) {
        return {SignatureKind::reversed, join("analytic is reversed along ", axis_name(axis)), axis, 0.0};
      }
    }
    for (int axis = 0; axis < p_.shape.rank(); ++axis) {
      const std::vector<int64_t> order = order_along(axis);
      if (order.empty()) continue;
      return {SignatureKind::permuted,
              join("analytic holds the slices of ", axis_name(axis), " in another order: ", list_text(order)), axis,
              0.0};
    }
    return {};
  }

  // For each position along the axis, the slice of `numeric` that `analytic` has there. Empty when some slice is found
  // nowhere.
  std::vector<int64_t> order_along(int axis) const {
    const AxisView view(p_.shape, axis);
    std::vector<int64_t> order;
    std::vector<bool> taken(static_cast<size_t>(view.size), false);
    for (int64_t place = 0; place < view.size; ++place) {
      int64_t from = place;  // keeps its own position if that fits
      for (int64_t tried = 0; tried < view.size; ++tried, from = (from + 1) % view.size) {
        if (!taken[static_cast<size_t>(from)] && is_slice(view, place, from)) break;
      }
      if (taken[static_cast<size_t>(from)] || !is_slice(view, place, from)) return {};
      taken[static_cast<size_t>(from)] = true;
      order.push_back(from);
    }
    return order;
  }

  bool is_slice(const AxisView& view, int64_t place, int64_t from) const {
    for (int64_t i = place * view.inner; i < count_; i += view.size * view.inner) {
      for (int64_t k = i; k < i + view.inner; ++k) {
        if (!ignored(k) && !equal(analytic(k), numeric(view.moved(k, from)))) return false;
      }
    }
    return true;
  }

  bool is_transposed() const {
    return has_matrices(p_.shape) && explained([&](int64_t i) { return numeric(transposed_position(p_.shape, i)); });
  }

  // What is shifted in at the end may be anything: zeros, the other end, or the neighbour in memory. With a single
  // remaining slice only zeros count as evidence.
  bool is_shifted(const AxisView& view, int64_t by) const {
    const bool filled = view.size - std::abs(by) < 2;
    bool moved = false;
    for (int64_t i = 0; i < count_; ++i) {
      if (ignored(i)) continue;
      const int64_t from = view.at(i) - by;
      const bool inside = from >= 0 && from < view.size;
      if (!inside && !filled) continue;
      if (!equal(analytic(i), inside ? numeric(view.moved(i, from)) : 0.0)) return false;
      moved = moved || !equal(analytic(i), numeric(i));
    }
    return moved;
  }

  Signature wrong_cotangent() const {
    for (size_t k = 0; k < p_.by_output.size() && p_.by_output.size() > 1; ++k) {
      const std::vector<double>& share = p_.by_output[k];
      const auto without = [&](int64_t i) { return numeric(i) - share[static_cast<size_t>(i)]; };
      if (explained(without)) {
        return {SignatureKind::cotangent_ignored, join("the cotangent of output ", k, " is ignored"), -1, 0.0};
      }
    }
    const auto of_ones = [&](int64_t i) { return p_.for_ones[static_cast<size_t>(i)]; };
    if (!p_.for_ones.empty() && explained(of_ones)) {
      return {SignatureKind::cotangent_of_ones, "the cotangent is taken for 1", -1, 0.0};
    }
    return {};
  }

  Signature masked() const {
    const auto blocked = [&](int64_t i) { return !p_.keep.empty() && !p_.keep[static_cast<size_t>(i)]; };
    if (all_of_wrong(blocked)) {
      return {SignatureKind::only_masked, "analytic is wrong only where the input is masked", -1, 0.0};
    }
    // Wrong in all places where the derivative should be exactly zero, and only there.
    const auto silent = [&](int64_t i) { return numeric(i) == 0.0; };
    if (!all_of_wrong(silent)) return {};
    int64_t zeros = 0;
    for (int64_t i = 0; i < count_; ++i) zeros += !ignored(i) && silent(i) ? 1 : 0;
    if (zeros != static_cast<int64_t>(wrong_.size())) return {};
    return {SignatureKind::only_masked, "analytic is wrong only where it should be exactly 0: a mask is ignored", -1,
            0.0};
  }

  Signature single() const {
    if (wrong_.size() != 1 || count_ < 2) return {};
    const int64_t i = wrong_.front();
    const std::string label = label_text(p_.axes, p_.shape, i);
    return {SignatureKind::one_element,
            join("one element is wrong, ", index_text(p_.shape, i), label.empty() ? "" : " (" + label + ")",
                 analytic(i) == 0.0 ? ": it is 0" : ""),
            -1, 0.0};
  }

  // The axis along which the fewest slices contain all wrong elements.
  Signature places() const {
    Signature best;
    double share = 1.0;
    for (int axis = 0; axis < p_.shape.rank(); ++axis) {
      const AxisView view(p_.shape, axis);
      std::vector<bool> hit(static_cast<size_t>(view.size), false);
      for (const int64_t i : wrong_) hit[static_cast<size_t>(view.at(i))] = true;
      const double part =
          static_cast<double>(std::count(hit.begin(), hit.end(), true)) / static_cast<double>(view.size);
      if (part >= share) continue;
      Signature found = in_slices(view, axis, hit);
      if (found.kind == SignatureKind::none) continue;
      share = part;
      best = std::move(found);
    }
    return best;
  }

  Signature in_slices(const AxisView& view, int axis, const std::vector<bool>& hit) const {
    const auto first = static_cast<int64_t>(std::find(hit.begin(), hit.end(), true) - hit.begin());
    const auto number = static_cast<int64_t>(std::count(hit.begin(), hit.end(), true));
    const std::string where = number == 1 ? slice_text(p_.axes, p_.shape, axis, first) : block_text(axis, hit);
    bool zero = true;
    for (int64_t i = 0; i < count_; ++i) {
      zero = zero && (!hit[static_cast<size_t>(view.at(i))] || ignored(i) || analytic(i) == 0.0);
    }
    if (zero) {
      const std::string which = where.empty() ? join(number, " slices of ", axis_name(axis)) : where;
      return {SignatureKind::slice_zero, "analytic is 0 at " + which + ", and right elsewhere", axis, 0.0};
    }
    // More than half of the slices is too many to name as the place.
    if (where.empty() && 2 * number > view.size) return {};
    const std::string text = "analytic is wrong only at " + (where.empty() ? indices_text(axis, hit) : where);
    if (number > 1) return {SignatureKind::block_only, text, axis, 0.0};
    if (first == 0) return {SignatureKind::first_only, text + ", the first", axis, 0.0};
    if (first == view.size - 1) return {SignatureKind::last_only, text + ", the last", axis, 0.0};
    return {SignatureKind::block_only, text, axis, 0.0};
  }

  // "indices 1, 3 of axis 0 (row)"
  std::string indices_text(int axis, const std::vector<bool>& hit) const {
    std::vector<int64_t> indices;
    for (size_t k = 0; k < hit.size(); ++k) {
      if (hit[k]) indices.push_back(static_cast<int64_t>(k));
    }
    return "indices " + list_text(indices) + " of " + axis_name(axis);
  }

  // "gate f" when all affected indices are in one labelled block; otherwise empty.
  std::string block_text(int axis, const std::vector<bool>& hit) const {
    const auto a = static_cast<size_t>(axis);
    if (a >= p_.axes.size()) return "";
    const auto size = static_cast<size_t>(block_size(p_.axes[a], p_.shape[axis]));
    if (size == 0) return "";
    std::string text;
    for (size_t b = 0; b < p_.axes[a].blocks.size(); ++b) {
      const auto begin = hit.begin() + static_cast<std::ptrdiff_t>(b * size);
      if (std::find(begin, begin + static_cast<std::ptrdiff_t>(size), true) ==
          begin + static_cast<std::ptrdiff_t>(size))
        continue;
      if (!text.empty()) return "";
      text = p_.axes[a].name + " " + p_.axes[a].blocks[b];
    }
    return text;
  }

  Signature offset() const {
    for (int axis = 0; axis < p_.shape.rank(); ++axis) {
      const AxisView view(p_.shape, axis);
      if (view.size < 3) continue;
      const auto from_first = [&](int64_t i) {
        const int64_t origin = view.moved(i, 0);
        return numeric(i) + analytic(origin) - numeric(origin);
      };
      if (!explained(from_first)) continue;
      return {SignatureKind::constant_offset,
              join("analytic - numeric is the same all along ", axis_name(axis), " (",
                   short_number(analytic(wrong_[0]) - numeric(wrong_[0])),
                   " at the first): a term is missing there, or one too many"),
              axis, 0.0};
    }
    return {};
  }

  std::string axis_name(int axis) const {
    const auto a = static_cast<size_t>(axis);
    if (a >= p_.axes.size() || p_.axes[a].name.empty()) return join("axis ", axis);
    return join("axis ", axis, " (", p_.axes[a].name, ")");
  }

  const GradientPair& p_;
  int64_t count_;
  std::vector<int64_t> wrong_;
};

}  // namespace

Signature classify(const GradientPair& pair) { return Classifier(pair).run(); }

Signature classify_directions(const GradientPair& pair) {
  Signature found = Classifier(pair).ratio();
  return found;
}

}  // namespace gradus::detail
