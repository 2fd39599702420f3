// SPDX-License-Identifier: MIT
// diagonal: a view of the elements with equal indices on two axes. diagonal_backward puts a diagonal back into zeros.
//   d diagonal: diagonal_backward of the cotangent      d diagonal_backward: diagonal
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/kernels/movement/copy.hpp>

namespace gradus {
namespace {

struct DiagonalAttrs {
  int64_t a;
  int64_t b;
  int64_t offset;
};

struct PlacedDiagonalAttrs {
  Shape shape;
  DiagonalAttrs diagonal;
};

// Elements (i, i + offset); none when the offset is outside the matrix.
Layout diagonal_layout(const Layout& x, const DiagonalAttrs& at, const char* op) {
  const int a = normalize_axis(at.a, x.rank(), op);
  const int b = normalize_axis(at.b, x.rank(), op);
  const int axis = at.offset >= 0 ? b : a;
  const int64_t size = x.shape()[axis];
  const int64_t start =
      at.offset >= 0 ? (at.offset < size ? at.offset : size) : (at.offset > -size ? -at.offset : size);
  return x.slice(axis, start, size, 1).diagonal(a, b);
}

std::vector<Example> diagonal_examples() {
  return {
      {.name = "square", .attrs = DiagonalAttrs{0, 1, 0}, .inputs = {real({3, 3})}},
      {.name = "wide, above", .attrs = DiagonalAttrs{0, 1, 2}, .inputs = {real({3, 17})}},
      {.name = "batch, below", .attrs = DiagonalAttrs{-2, -1, -1}, .inputs = {real({2, 4, 3})}},
      {.name = "axes exchanged", .attrs = DiagonalAttrs{2, 0, 1}, .inputs = {real({3, 2, 3})}},
      {.name = "of one", .attrs = DiagonalAttrs{0, 1, 0}, .inputs = {real({1, 1})}},
      {.name = "outside", .attrs = DiagonalAttrs{0, 1, 5}, .inputs = {real({2, 3})}},
      {.name = "empty", .attrs = DiagonalAttrs{0, 1, 0}, .inputs = {real({0, 3})}},
      {.name = "vector",
       .attrs = DiagonalAttrs{0, 1, 0},
       .inputs = {real({3})},
       .error = "[diagonal] axis out of range: expected an axis in [-1, 0], got 1"},
      {.name = "one axis twice",
       .attrs = DiagonalAttrs{0, -2, 0},
       .inputs = {real({3, 3})},
       .error = "[diagonal] expected two different axes, got 0 twice"},
  };
}

std::vector<Example> place_examples() {
  return {
      {.name = "square", .attrs = PlacedDiagonalAttrs{{3, 3}, {0, 1, 0}}, .inputs = {real({3})}},
      {.name = "batch, below", .attrs = PlacedDiagonalAttrs{{2, 4, 3}, {-2, -1, -1}}, .inputs = {real({2, 3})}},
      {.name = "axes exchanged", .attrs = PlacedDiagonalAttrs{{3, 2, 3}, {2, 0, 1}}, .inputs = {real({2, 2})}},
      {.name = "outside", .attrs = PlacedDiagonalAttrs{{2, 3}, {0, 1, -4}}, .inputs = {real({0})}},
      {.name = "too long",
       .attrs = PlacedDiagonalAttrs{{2, 3}, {0, 1, 0}},
       .inputs = {real({3})},
       .error = "[diagonal_backward] wrong shape of cotangent: expected [2], got f64 [3]"},
  };
}

}  // namespace

const OpDef diagonal_op = {
    .name = "diagonal",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          s.output(diagonal_layout(Layout(s.shape(0)), s.attrs<DiagonalAttrs>(), "diagonal").shape(), s.dtype(0));
        },
    .forward =
        [](ForwardArgs& f) {
          f.out(0) = f.in(0).view(diagonal_layout(f.in(0).layout(), f.attrs<DiagonalAttrs>(), "diagonal"));
        },
    .derivative =
        [](VjpArgs& v) {
          v.set(0, apply(diagonal_backward_op, PlacedDiagonalAttrs{v.in_shape(0), v.attrs<DiagonalAttrs>()},
                         {&v.cotangent()}));
        },
    .is_view = true,
    .examples = diagonal_examples,
};

const OpDef diagonal_backward_op = {
    .name = "diagonal_backward",
    .input_names = {"g"},
    .shape =
        [](ShapeArgs& s) {
          const auto& a = s.attrs<PlacedDiagonalAttrs>();
          rules::require_floating(s, 0, "cotangent");
          rules::require_shape(s, 0, diagonal_layout(Layout(a.shape), a.diagonal, s.op_name()).shape(), "cotangent");
          s.output(a.shape, s.dtype(0));
        },
    .forward =
        [](ForwardArgs& f) {
          const auto& a = f.attrs<PlacedDiagonalAttrs>();
          kernels::fill(f.out(0), 0.0);
          Tensor place = f.out(0).view(diagonal_layout(f.out(0).layout(), a.diagonal, "diagonal_backward"));
          kernels::copy(f.in(0), place);
        },
    .derivative =
        [](VjpArgs& v) { v.set(0, apply(diagonal_op, v.attrs<PlacedDiagonalAttrs>().diagonal, {&v.cotangent()})); },
    .examples = place_examples,
};

Variable diagonal(const Variable& x, int64_t a, int64_t b, DiagonalOptions options) {
  return apply(diagonal_op, DiagonalAttrs{a, b, options.offset}, {&x});
}

}  // namespace gradus
