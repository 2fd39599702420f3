// SPDX-License-Identifier: MIT
// y[i] = weight[indices[i]];  d weight[r] = sum of g[i] over all i with indices[i] == r. Each is the other's vjp.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/tensor/kernels/movement/indexing.hpp>

namespace gradus {
namespace {

struct RowsAttrs {
  int64_t rows;
};

std::vector<Example> embedding_examples() {
  const Tensor bad = Tensor::from({0, 7, 1}, {3}, {.dtype = DType::i64});
  return {
      {.name = "batch of sequences", .inputs = {real({5, 3}), integers({2, 4}, 0, 5)}},
      {.name = "one index", .inputs = {real({4, 17}), integers({}, 0, 4)}},
      {.name = "no index", .inputs = {real({4, 2}), integers({0}, 0, 4)}},
      {.name = "index out of range",
       .inputs = {real({5, 3}), fixed(bad)},
       .error = "[embedding] index out of range: expected 0 <= index < 5, got 7 at position 1"},
      {.name = "indices of numbers",
       .inputs = {real({5, 3}), real({2})},
       .error = "[embedding] expected indices of dtype i64, got f64 [2]"},
      {.name = "weight of rank 1",
       .inputs = {real({5}), integers({2}, 0, 5)},
       .error = "[embedding] expected weight of rank 2, got f64 [5]"},
  };
}

}  // namespace

const OpDef embedding_op = {
    .name = "embedding",
    .input_names = {"weight", "indices"},
    .shape =
        [](ShapeArgs& s) {
          rules::require_floating(s, 0, "weight");
          rules::require_rank(s, 0, 2, "weight");
          rules::require_dtype(s, 1, DType::i64, "indices");
          s.output(s.shape(1).inserted(s.shape(1).rank(), s.shape(0)[1]), s.dtype(0));
        },
    .forward = [](ForwardArgs& f) { kernels::gather_rows(f.in(0), f.in(1), f.out(0)); },
    .derivative = [](VjpArgs& v) { v.set(0, embedding_backward(v.cotangent(), v.in(1), v.in_shape(0)[0])); },
    .saves = {.inputs = 0b10},
    .examples = embedding_examples,
    .onnx =
        [](OnnxArgs& o) {
          o.become("Gather", {{"axis", 0}});
        },
};

const OpDef embedding_backward_op = {
    .name = "embedding_backward",
    .input_names = {"g", "indices"},
    .shape =
        [](ShapeArgs& s) {
          rules::require_floating(s, 0, "cotangent");
          rules::require_dtype(s, 1, DType::i64, "indices");
          GRADUS_CHECK(s.shape(0).rank() > 0, "[embedding_backward] expected a cotangent [.., D], got ", s.describe(0));
          const int64_t width = s.shape(0)[s.shape(0).rank() - 1];
          rules::require_shape(s, 0, s.shape(1).inserted(s.shape(1).rank(), width), "the cotangent");
          s.output({s.attrs<RowsAttrs>().rows, width}, s.dtype(0));
        },
    .forward = [](ForwardArgs& f) { kernels::scatter_add_rows(f.in(0), f.in(1), f.out(0)); },
    .derivative = [](VjpArgs& v) { v.set(0, embedding(v.cotangent(), v.in(1))); },
    .saves = {.inputs = 0b10},
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "repeated rows", .attrs = RowsAttrs{3}, .inputs = {real({2, 4, 5}), integers({2, 4}, 0, 3)}},
              {.name = "one index, one past a vector",
               .attrs = RowsAttrs{4},
               .inputs = {real({1, 17}), integers({1}, 0, 4)}},
              {.name = "nothing", .attrs = RowsAttrs{3}, .inputs = {real({0, 5}), integers({0}, 0, 3)}},
              {.name = "shapes differ",
               .attrs = RowsAttrs{3},
               .inputs = {real({2, 5}), integers({3}, 0, 3)},
               .error = "wrong shape of the cotangent: expected [3, 5], got f64 [2, 5]"},
          };
        },
};

Variable embedding(const Variable& weight, const Variable& indices) {
  return apply(embedding_op, {}, {&weight, &indices});
}

Variable embedding_backward(const Variable& g, const Variable& indices, int64_t rows) {
  return apply(embedding_backward_op, RowsAttrs{rows}, {&g, &indices});
}

}  // namespace gradus
