// SPDX-License-Identifier: MIT
// Checks the rules that every vjp must follow, apart from being right.
#include <gradus/autograd/check/battery/battery.hpp>
#include <gradus/autograd/check/battery/layout_variants.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/node.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/tensor/compare.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::detail {
namespace {

// True when there is no gradient to check; then a skip is noted.
bool lacks_gradients(const OpCase& c, OpCheck& check) {
  if (c.has_vjp() && !c.differentiable_inputs().empty()) return false;
  check.skip("has no derivative", c.name());
  return true;
}

// Counts gradients that a vjp computed in vain: the input was not needed, and the gradient has a node of its own that
// nothing else uses.
struct WasteCounter {
  const OpDef* op = nullptr;
  int needed = 0;
  int64_t newest_before = 0;
  int64_t wasted = 0;

  static void see(void* state, const OpDef& op, VjpValue what, int index, Variable& value) {
    auto* self = static_cast<WasteCounter*>(state);
    if (&op != self->op) return;
    if (what != VjpValue::gradient || index == self->needed || !value.requires_grad()) return;
    const Node* node = value.node().get();
    const bool fresh = node->op != nullptr && node->sequence > self->newest_before;
    if (fresh && node->references == 1) ++self->wasted;
  }
};

class FilterScope {
 public:
  explicit FilterScope(const VjpFilter& filter) : before_(context().vjp_filter) { context().vjp_filter = &filter; }
  ~FilterScope() { context().vjp_filter = before_; }
  FilterScope(const FilterScope&) = delete;
  FilterScope& operator=(const FilterScope&) = delete;

 private:
  const VjpFilter* before_;
};

}  // namespace

void check_zero_cotangent(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (lacks_gradients(c, check)) return;
  for (DType dtype : dtypes_of(options)) {
    const Tensors inputs = c.inputs(dtype);
    const Derivatives some = differentiate(c.function(inputs), leaves_of(c, inputs), c.seed);
    Tensors none;
    for (const Tensor& cotangent : some.cotangents) none.push_back(zeros(cotangent.shape(), {.dtype = dtype}));
    const Variables gradients = gradients_with(c.function(inputs), leaves_of(c, inputs), none);
    for (size_t p = 0; p < gradients.size(); ++p) {
      check.require(all_zero(gradients[p].value()),
                    join(c.name(), ": the gradient of ", input_text(c.op, c.differentiable_inputs()[p]),
                         " is not 0 for a cotangent of zeros"));
    }
  }
}

void check_gradient_layouts(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (lacks_gradients(c, check)) return;
  for (DType dtype : dtypes_of(options)) {
    const double allowed = options.gradient_units * eps_of(dtype);
    const Tensors inputs = c.inputs(dtype);
    const auto gradients = [&](const Tensors& at, const Tensors& cotangents) {
      return gradients_with(c.function(at), leaves_of(c, at), cotangents);
    };
    const Derivatives dense = differentiate(c.function(inputs), leaves_of(c, inputs), c.seed);
    for (size_t k = 0; k < dense.cotangents.size(); ++k) {
      const Tensor& cotangent = dense.cotangents[k];
      for (const LayoutVariant& variant : layout_variants(cotangent.rank())) {
        Tensors moved = dense.cotangents;
        moved[k] = variant.arrange(cotangent);
        compare(gradients(inputs, moved), dense.gradients, allowed, c.name() + ", cotangent, " + variant.name, check);
      }
      for (int axis = 0; axis < cotangent.rank() && cotangent.numel() > 0; ++axis) {
        Tensors moved = dense.cotangents;
        moved[k] = repeated(cotangent, axis);
        Tensors copied = dense.cotangents;
        copied[k] = moved[k].clone();
        compare(gradients(inputs, moved), gradients(inputs, copied), allowed, c.name() + ", expanded cotangent", check);
      }
    }
    for (size_t i : c.differentiable_inputs()) {
      for (const LayoutVariant& variant : layout_variants(inputs[i].rank())) {
        Tensors moved = inputs;
        moved[i] = variant.arrange(inputs[i]);
        compare(gradients(moved, dense.cotangents), dense.gradients, allowed,
                c.name() + ", " + input_text(c.op, i) + ", " + variant.name, check);
      }
    }
  }
}

void check_same_variable_twice(const OpCase& c, const CheckOpOptions&, OpCheck& check) {
  if (lacks_gradients(c, check)) return;
  const std::vector<size_t> positions = c.differentiable_inputs();
  for (size_t p = 0; p < positions.size(); ++p) {
    for (size_t q = p + 1; q < positions.size(); ++q) {
      Tensors inputs = c.inputs();
      if (!(inputs[positions[p]].shape() == inputs[positions[q]].shape())) continue;
      inputs[positions[p]] = inputs[positions[q]].clone();
      const auto f = c.function(inputs);
      const Derivatives apart = differentiate(f, leaves_of(c, inputs), c.seed);
      const Variables leaves = leaves_of(c, inputs);
      const auto twice = [&](const Variables& given) {
        Variables all = leaves;
        all[p] = given[0];
        all[q] = given[0];
        return f(all);
      };
      const Derivatives together = differentiate(twice, {leaf(inputs[positions[q]])}, c.seed);
      Tensor sum = apart.gradients[p].value().clone();
      sum.add_(apart.gradients[q].value());
      check.take(largest_error(together.gradients[0].value(), sum), 4 * kEps64,
                 join(c.name(), ", inputs ", input_name(c.op, positions[p]), " and ", input_name(c.op, positions[q]),
                      " given by one Variable"));
    }
  }
}

void check_one_gradient(const OpCase& c, const CheckOpOptions&, OpCheck& check) {
  if (lacks_gradients(c, check)) return;
  const Tensors inputs = c.inputs();
  const std::vector<size_t> positions = c.differentiable_inputs();
  const auto f = c.function(inputs);
  const Derivatives all = differentiate(f, leaves_of(c, inputs), c.seed);
  for (size_t p = 0; p < positions.size(); ++p) {
    const std::string what = c.name() + ", " + input_text(c.op, positions[p]);
    // The other inputs are constants.
    const auto alone = [&](const Variables& given) {
      Variables values;
      for (size_t i : positions) values.push_back(inputs[i]);
      values[p] = given[0];
      return f(values);
    };
    const Derivatives one = differentiate(alone, {leaf(inputs[positions[p]])}, c.seed);
    compare_bits(one.gradients, {all.gradients[p]}, what + ", the others constant", check);
    if (!c.has_second_order()) continue;  // wasted work shows only in recorded derivatives
    // The other inputs are leaves too, but their gradients are not asked for.
    const Variables leaves = leaves_of(c, inputs);
    Variables outputs;
    for (const Variable& output : f(leaves)) {
      if (output.requires_grad()) outputs.push_back(output);
    }
    WasteCounter counter{&c.op, static_cast<int>(positions[p]), context().sequence};
    const VjpFilter filter{WasteCounter::see, &counter};
    const FilterScope scope(filter);
    const Variables masked = grad(
        outputs, {leaves[p]}, {.create_graph = true, .allow_unused = true, .cotangents = as_variables(all.cotangents)});
    if (masked[0].defined()) compare_bits(masked, {all.gradients[p]}, what + ", asked for alone", check);
    if (counter.wasted > 0) {
      check.notes.push_back(what +
                            ": asked for alone, and the vjp computes others too, for nothing: VjpArgs::needs(i) "
                            "tells which are wanted");
    }
  }
}

void check_same_bits(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  for (DType dtype : dtypes_of(options)) {
    const Tensors inputs = c.inputs(dtype);
    const auto run = [&] {
      if (!c.has_vjp() || c.differentiable_inputs().empty()) return c.outputs(as_variables(inputs));
      Derivatives result = differentiate(c.function(inputs), leaves_of(c, inputs), c.seed);
      for (const Variable& output : result.outputs) result.gradients.push_back(output.detach());
      return result.gradients;
    };
    const Variables first = run();
    compare_bits(run(), first, c.name() + ", run again", check);
    for (int threads : options.threads) {
      const ThreadCountScope scope(threads);
      compare_bits(run(), first, join(c.name(), ", ", threads, threads == 1 ? " thread" : " threads"), check);
    }
  }
}

}  // namespace gradus::detail
