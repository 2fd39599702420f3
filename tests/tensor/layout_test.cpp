// SPDX-License-Identifier: MIT
#include <cstdint>
#include <functional>
#include <vector>

#include <gradus/tensor/error.hpp>
#include <gradus/tensor/shape.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/index_map.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus {
namespace {

using tests::all_indices;
using tests::error_text;
using tests::Index;
using tests::place;
using tests::places;
using tests::random_layout;
using tests::random_shape;
using tests::RandomNumbers;

// Each element of `view` must have the position of the element of `base` with the index old_index(index).
void check_view(const Layout& base, const Layout& view, const Shape& expected_shape,
                const std::function<Index(const Index&)>& old_index) {
  REQUIRE(view.shape() == expected_shape);
  for (const Index& index : all_indices(view.shape())) {
    REQUIRE(place(view, index) == place(base, old_index(index)));
  }
}

// Calls test(random, layout) for random layouts of rank `lowest` to 8.
void for_random_layouts(uint64_t standard_seed, int lowest,
                        const std::function<void(RandomNumbers&, const Layout&)>& test) {
  const uint64_t seed = tests::seed(standard_seed);
  INFO("seed " << seed);
  RandomNumbers random(seed);
  for (int round = 0; round < 400; ++round) {
    const auto rank = static_cast<int>(random.integer(lowest, round % 20 == 0 ? 8 : 4));
    const Layout layout = random_layout(random, random_shape(random, rank, rank > 4 ? 2 : 4), true);
    INFO("round " << round << ", shape " << to_string(layout.shape()));
    test(random, layout);
  }
}

int random_axis(RandomNumbers& random, int rank) { return static_cast<int>(random.integer(0, rank - 1)); }

}  // namespace

TEST_CASE("Layout: the layout of a shape is dense and row-major") {
  const Layout layout(Shape{2, 3, 4});
  CHECK(layout.offset() == 0);
  CHECK(layout.stride(0) == 12);
  CHECK(layout.stride(1) == 4);
  CHECK(layout.stride(2) == 1);
  CHECK(places(Layout(Shape{})) == std::vector<int64_t>{0});
  CHECK(places(Layout(Shape{2, 2, 1, 2, 1, 1, 2, 1})).back() == 15);
  CHECK(Layout().rank() == 0);
}

TEST_CASE("Layout: contiguous means adjacent in row-major order, expanded means one place for two indices") {
  for_random_layouts(11, 0, [](RandomNumbers&, const Layout& layout) {
    const std::vector<int64_t> at = places(layout);
    bool adjacent = true;
    bool repeats = false;
    for (size_t i = 0; i < at.size(); ++i) {
      adjacent = adjacent && at[i] == layout.offset() + static_cast<int64_t>(i);
      for (size_t k = 0; k < i; ++k) repeats = repeats || at[k] == at[i];
    }
    REQUIRE(layout.is_contiguous() == adjacent);
    REQUIRE(layout.is_expanded() == repeats);
  });
}

TEST_CASE("Layout: an empty layout is contiguous and never expanded") {
  CHECK(Layout(Shape{3, 0}).is_contiguous());
  CHECK_FALSE(Layout(Shape{3, 0}).is_expanded());
  CHECK_FALSE(Layout(Shape{3, 0, 2}).is_expanded());
  CHECK_FALSE(Layout(Shape{1, 0}).expand({4, 0}).is_expanded());
  CHECK(Layout(Shape{1, 0}).expand({4, 0}).is_contiguous());
  CHECK(Layout(Shape{2, 0, 3}).transpose(0, 2).is_contiguous());
  CHECK(Layout(Shape{1}).expand({4}).is_expanded());
}

TEST_CASE("Layout: permute and transpose against a naive index map") {
  for_random_layouts(12, 1, [](RandomNumbers& random, const Layout& layout) {
    const std::vector<int> axes = tests::random_axes(random, layout.rank());
    std::vector<int64_t> sizes;
    for (const int axis : axes) sizes.push_back(layout.shape()[axis]);
    check_view(layout, layout.permute(axes), Shape(std::span<const int64_t>(sizes)), [&](const Index& index) {
      Index old(index.size());
      for (size_t i = 0; i < index.size(); ++i) old[static_cast<size_t>(axes[i])] = index[i];
      return old;
    });
    const int a = random_axis(random, layout.rank());
    const int b = random_axis(random, layout.rank());
    const Shape swapped = layout.shape().with(a, 1).with(b, layout.shape()[a]).with(a, layout.shape()[b]);
    check_view(layout, layout.transpose(a, b - layout.rank()), swapped, [&](Index index) {
      std::swap(index[static_cast<size_t>(a)], index[static_cast<size_t>(b)]);
      return index;
    });
  });
}

TEST_CASE("Layout: slice and select against a naive index map") {
  for_random_layouts(13, 1, [](RandomNumbers& random, const Layout& layout) {
    const int axis = random_axis(random, layout.rank());
    const int64_t size = layout.shape()[axis];
    const int64_t stop = random.integer(0, size);
    const int64_t start = random.integer(0, stop);
    const int64_t step = random.integer(1, 3);
    int64_t count = 0;
    for (int64_t i = start; i < stop; i += step) ++count;
    const Layout sliced = layout.slice(axis - layout.rank(), start, stop, step);
    check_view(layout, sliced, layout.shape().with(axis, count), [&](Index index) {
      index[static_cast<size_t>(axis)] = start + step * index[static_cast<size_t>(axis)];
      return index;
    });
    if (size == 0) return;
    const int64_t chosen = random.integer(0, size - 1);
    const Layout selected = layout.select(axis, random.integer(0, 1) == 0 ? chosen : chosen - size);
    check_view(layout, selected, layout.shape().without(axis), [&](Index index) {
      index.insert(index.begin() + axis, chosen);
      return index;
    });
  });
}

TEST_CASE("Layout: expand against a naive index map") {
  for_random_layouts(14, 0, [](RandomNumbers& random, const Layout& layout) {
    Shape target = layout.shape();
    for (int axis = 0; axis < target.rank(); ++axis) {
      if (target[axis] == 1) target = target.with(axis, random.integer(0, 3));
    }
    while (target.rank() < kMaxRank && random.integer(0, 1) == 0) target = target.inserted(0, random.integer(1, 2));
    const auto lead = static_cast<size_t>(target.rank() - layout.rank());
    check_view(layout, layout.expand(target), target, [&](const Index& index) {
      Index old(index.begin() + static_cast<int64_t>(lead), index.end());
      for (size_t i = 0; i < old.size(); ++i) {
        if (layout.shape()[static_cast<int>(i)] == 1) old[i] = 0;
      }
      return old;
    });
  });
}

TEST_CASE("Layout: squeeze and unsqueeze against a naive index map") {
  for_random_layouts(15, 0, [](RandomNumbers& random, const Layout& layout) {
    if (layout.rank() == kMaxRank) return;
    const auto axis = static_cast<int>(random.integer(0, layout.rank()));
    const Layout longer = layout.unsqueeze(random.integer(0, 1) == 0 ? axis : axis - layout.rank() - 1);
    check_view(layout, longer, layout.shape().inserted(axis, 1), [&](Index index) {
      index.erase(index.begin() + axis);
      return index;
    });
    const Layout back = longer.squeeze(axis);
    check_view(layout, back, layout.shape(), [](const Index& index) { return index; });
    REQUIRE(back.is_contiguous() == layout.is_contiguous());
    REQUIRE(longer.is_contiguous() == layout.is_contiguous());
  });
}

TEST_CASE("Layout: diagonal against a naive index map") {
  for_random_layouts(16, 2, [](RandomNumbers& random, const Layout& layout) {
    const int a = random_axis(random, layout.rank());
    const int b = (a + 1 + static_cast<int>(random.integer(0, layout.rank() - 2))) % layout.rank();
    const int64_t length = std::min(layout.shape()[a], layout.shape()[b]);
    const Shape rest = layout.shape().without(std::max(a, b)).without(std::min(a, b));
    check_view(layout, layout.diagonal(a, b), rest.inserted(rest.rank(), length), [&](Index index) {
      const int64_t at = index.back();
      index.pop_back();
      index.insert(index.begin() + std::min(a, b), at);
      index.insert(index.begin() + std::max(a, b), at);
      return index;
    });
  });
}

TEST_CASE("Layout: reshape keeps the row-major order, and fails only where no strides could do it") {
  int views = 0;
  int copies = 0;
  for_random_layouts(17, 0, [&](RandomNumbers& random, const Layout& layout) {
    // Another shape with the same number of elements: splits it into random factors.
    std::vector<int64_t> sizes;
    int64_t rest = layout.shape().numel();
    while (rest > 1 && sizes.size() < 5) {
      int64_t factor = random.integer(1, std::min<int64_t>(rest, 8));
      while (rest % factor != 0) --factor;
      sizes.push_back(factor);
      rest /= factor;
    }
    sizes.push_back(rest);
    const Shape target{std::span<const int64_t>(sizes)};
    const std::vector<int64_t> before = places(layout);
    Layout after;
    if (layout.reshape(target, after)) {
      ++views;
      REQUIRE(after.shape() == target);
      REQUIRE(places(after) == before);
      return;
    }
    ++copies;
    // Proves that no strides fit. One step along each axis determines the strides, and some element is at another
    // place.
    Index steps;
    int64_t inner = 1;
    for (int axis = target.rank() - 1; axis >= 0; --axis) {
      steps.insert(steps.begin(), target[axis] > 1 ? before[static_cast<size_t>(inner)] - before[0] : 0);
      inner *= target[axis];
    }
    bool fits = true;
    const std::vector<Index> indices = all_indices(target);
    for (size_t i = 0; i < indices.size(); ++i) {
      int64_t at = before[0];
      for (size_t k = 0; k < steps.size(); ++k) at += indices[i][k] * steps[k];
      fits = fits && at == before[i];
    }
    REQUIRE_FALSE(fits);
  });
  CHECK(views > 50);
  CHECK(copies > 50);
}

TEST_CASE("Layout: reshape of known cases") {
  Layout out;
  const Layout matrix(Shape{4, 6});
  CHECK(matrix.reshape({2, 2, 3, 2}, out));
  CHECK(matrix.slice(0, 1, 3, 1).reshape({12}, out));
  CHECK(out.offset() == 6);
  CHECK(matrix.slice(1, 0, 4, 1).reshape({2, 2, 4}, out));
  CHECK(matrix.slice(1, 0, 4, 1).reshape({4, 2, 2}, out));
  CHECK_FALSE(matrix.slice(1, 0, 4, 1).reshape({16}, out));
  CHECK_FALSE(matrix.transpose(0, 1).reshape({24}, out));
  CHECK(matrix.transpose(0, 1).reshape({3, 2, 1, 4}, out));
  CHECK(Layout(Shape{1}).expand({6}).reshape({2, 3}, out));
  CHECK(out.stride(0) == 0);
  CHECK(Layout(Shape{}).reshape({1, 1}, out));
  CHECK(Layout(Shape{0, 3}).reshape({2, 0}, out));
}

TEST_CASE("Layout: views of large shapes neither overflow nor are refused") {
  constexpr int64_t kHuge = int64_t{1} << 40;
  const Layout tall(Shape{kHuge, 2});
  CHECK(tall.transpose(0, 1).shape() == Shape{2, kHuge});
  CHECK(tall.transpose(1, 0).shape() == Shape{2, kHuge});
  const Layout sliced = tall.slice(0, 5, kHuge, INT64_MAX);
  CHECK(sliced.shape() == Shape{1, 2});
  CHECK(sliced.offset() == 10);
  const Layout late = tall.slice(0, 1, kHuge, kHuge - 2);
  CHECK(late.shape() == Shape{2, 2});
  CHECK(place(late, {1, 1}) == 2 * (kHuge - 1) + 1);
}

TEST_CASE("Layout: an empty slice keeps its place inside the storage") {
  const Layout layout = Layout(Shape{3, 4}).slice(0, 3, 3, 1);
  CHECK(layout.shape() == Shape{0, 4});
  CHECK(layout.offset() == 0);
}

TEST_CASE("Layout: wrong arguments are refused") {
  const Layout layout(Shape{2, 3});
  const int short_axes[] = {0};
  const int twice[] = {1, -1};
  const int outside[] = {0, 2};
  Layout out;
  CHECK(error_text([&] { return layout.permute(short_axes); }) == "[permute] wrong number of axes: expected 2, got 1");
  CHECK(error_text([&] { return layout.permute(twice); }) == "[permute] axis 1 is named twice");
  CHECK(error_text([&] { return layout.permute(outside); }) ==
        "[permute] axis out of range: expected an axis in [-2, 1], got 2");
  CHECK(error_text([&] { return layout.transpose(0, 5); }) ==
        "[transpose] axis out of range: expected an axis in [-2, 1], got 5");
  CHECK(error_text([&] { return layout.slice(1, 0, 3, 0); }) == "[slice] expected a step > 0, got 0");
  CHECK(error_text([&] { return layout.slice(1, 2, 4, 1); }) ==
        "[slice] range out of bounds: expected 0 <= start <= stop <= 3 on axis 1 of [2, 3], got [2, 4)");
  CHECK(error_text([&] { return layout.slice(1, 2, 1, 1); }) ==
        "[slice] range out of bounds: expected 0 <= start <= stop <= 3 on axis 1 of [2, 3], got [2, 1)");
  CHECK(error_text([&] { return layout.slice(1, -1, 1, 1); }) ==
        "[slice] range out of bounds: expected 0 <= start <= stop <= 3 on axis 1 of [2, 3], got [-1, 1)");
  CHECK(error_text([&] { return layout.select(0, 2); }) ==
        "[select] index out of range: expected an index in [-2, 1] on axis 0 of [2, 3], got 2");
  CHECK(error_text([&] { return layout.expand({3}); }) == "[expand] cannot drop axes: shape is [2, 3], asked for [3]");
  CHECK(error_text([&] {
          return layout.expand({4, 2, 4});
        }) == "[expand] sizes differ on axis 2: shape is [2, 3], asked for [4, 2, 4]");
  CHECK(error_text([&] { return layout.squeeze(0); }) == "[squeeze] expected size 1 on axis 0 of [2, 3]");
  CHECK(error_text([&] { return layout.unsqueeze(3); }) ==
        "[unsqueeze] axis out of range: expected an axis in [-3, 2], got 3");
  CHECK(error_text([&] { return layout.diagonal(1, -1); }) == "[diagonal] expected two different axes, got 1 twice");
  CHECK(error_text([&] { return layout.reshape({5}, out); }) ==
        "[reshape] element counts differ: shape is [2, 3] (6 elements), asked for [5] (5)");
}

}  // namespace gradus
