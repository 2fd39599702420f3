// SPDX-License-Identifier: MIT
// y = x m / (1 - p), where the mask m of zeros and ones is a function of the attributes only. It is linear in x, so dx
// is the same op on g.
#include <gradus/autograd/engine/example.hpp>
#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/rules.hpp>
#include <gradus/tensor/kernels/random/random.hpp>

namespace gradus {
namespace {

struct DropoutAttrs {
  double p;
  uint64_t key;
  uint64_t counter;
};

}  // namespace

const OpDef dropout_op = {
    .name = "dropout",
    .input_names = {"x"},
    .shape =
        [](ShapeArgs& s) {
          const double p = s.attrs<DropoutAttrs>().p;
          GRADUS_CHECK(p >= 0.0 && p < 1.0, "[dropout] expected 0 <= p < 1, got ", p);
          rules::unary(s);
        },
    .forward =
        [](ForwardArgs& f) {
          const auto& a = f.attrs<DropoutAttrs>();
          kernels::dropout(f.in(0), f.out(0), a.key, a.counter, a.p);
        },
    .derivative = [](VjpArgs& v) { v.set(0, apply(dropout_op, v.raw_attrs(), {&v.cotangent()})); },
    .examples =
        [] {
          return std::vector<Example>{
              {.name = "half", .attrs = DropoutAttrs{0.5, 1, 0}, .inputs = {real({5, 7})}},
              {.name = "another stream", .attrs = DropoutAttrs{0.1, 9, 1000}, .inputs = {real({17})}},
              {.name = "nothing dropped", .attrs = DropoutAttrs{0.0, 1, 0}, .inputs = {real({3})}},
              {.name = "empty", .attrs = DropoutAttrs{0.5, 1, 0}, .inputs = {real({0})}},
              {.name = "all dropped",
               .attrs = DropoutAttrs{1.0, 1, 0},
               .inputs = {real({3})},
               .error = "[dropout] expected 0 <= p < 1, got 1"},
          };
        },
    .onnx =
        [](OnnxArgs& o) {
          GRADUS_CHECK(o.attrs<DropoutAttrs>().p == 0.0,
                       "[export_onnx] dropout draws random numbers, which a file cannot repeat: expected the module in "
                       "evaluation mode, eval_()");
          o.out(0, o.in(0));
        },
};

Variable dropout(const Variable& x, double p, RandomPosition key) {
  return apply(dropout_op, DropoutAttrs{p, key.key, key.counter}, {&x});
}

}  // namespace gradus
