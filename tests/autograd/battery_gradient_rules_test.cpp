// SPDX-License-Identifier: MIT
// The battery, part 3: what every vjp promises beside being right.
#include "tests/support/battery.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/layouts.hpp"
#include "tests/support/thread_counts.hpp"

using namespace gradus;
using namespace gradus::tests;

namespace {

constexpr double kEps32 = 0x1p-23;
constexpr double kEps64 = 0x1p-52;

bool has_vjp(const OpCase& c) { return c.op.derivative.vjp() != nullptr && !c.differentiable_inputs().empty(); }

Variables gradients_with(const OpCase& c, const Tensors& inputs, const Tensors& cotangents) {
  const Variables leaves = leaves_of(c, inputs);
  Variables outputs;
  for (const Variable& output : c.function(inputs)(leaves)) {
    if (output.requires_grad()) outputs.push_back(output);
  }
  Variables gradients = grad(outputs, leaves, {.allow_unused = true, .cotangents = as_variables(cotangents)});
  for (size_t i = 0; i < leaves.size(); ++i) {
    if (!gradients[i].defined()) gradients[i] = zeros(leaves[i].shape(), {.dtype = leaves[i].dtype()});
  }
  return gradients;
}

void check_same_bits(const Variables& a, const Variables& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    INFO("gradient " << i);
    CHECK(bitwise_equal(a[i].value(), b[i].value()));
  }
}

void check_close(const Variables& a, const Variables& b, double allowed, Worst& worst, const std::string& what) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    const double error = largest_error(a[i].value(), b[i].value());
    INFO(what << ", gradient " << i);
    CHECK(error <= allowed);
    worst.take(error, what);
  }
}

// Counts gradients that a vjp computed though nobody asked for them: stated for an input that is not needed, and made
// by a node of their own that nothing else uses.
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

}  // namespace

TEST_CASE("battery: a cotangent of zeros gives exact zeros") {
  for_each_case([&](const OpCase& c) {
    if (!has_vjp(c)) return;
    INFO(c.name());
    for (DType dtype : {DType::f32, DType::f64}) {
      const Tensors inputs = c.inputs(dtype);
      const Derivatives some = differentiate(c.function(inputs), leaves_of(c, inputs), c.seed);
      Tensors none;
      for (const Tensor& cotangent : some.cotangents) none.push_back(zeros(cotangent.shape(), {.dtype = dtype}));
      for (const Variable& gradient : gradients_with(c, inputs, none)) CHECK(all_zero(gradient.value()));
    }
  });
}

TEST_CASE("battery: where a cotangent or an input lies in memory changes no gradient") {
  Worst worst;
  int64_t count = 0;
  for_each_case([&](const OpCase& c) {
    if (!has_vjp(c)) return;
    for (DType dtype : {DType::f32, DType::f64}) {
      // Measured: up to 62 eps (seven seeds), in a GRU whose products of transposed matrices add in another order.
      const double allowed = 200 * (dtype == DType::f32 ? kEps32 : kEps64);
      const Tensors inputs = c.inputs(dtype);
      const Derivatives dense = differentiate(c.function(inputs), leaves_of(c, inputs), c.seed);
      for (size_t k = 0; k < dense.cotangents.size(); ++k) {
        const Tensor& cotangent = dense.cotangents[k];
        for (const LayoutVariant& variant : layout_variants(cotangent.rank())) {
          Tensors moved = dense.cotangents;
          moved[k] = variant.arrange(cotangent);
          check_close(gradients_with(c, inputs, moved), dense.gradients, allowed, worst,
                      c.name() + ", cotangent, " + variant.name);
          ++count;
        }
        for (int axis = 0; axis < cotangent.rank() && cotangent.numel() > 0; ++axis) {
          Tensors moved = dense.cotangents;
          moved[k] = repeated(cotangent, axis);
          Tensors copied = dense.cotangents;
          copied[k] = moved[k].clone();
          check_close(gradients_with(c, inputs, moved), gradients_with(c, inputs, copied), allowed, worst,
                      c.name() + ", expanded cotangent");
          ++count;
        }
      }
      for (size_t i : c.differentiable_inputs()) {
        for (const LayoutVariant& variant : layout_variants(inputs[i].rank())) {
          Tensors moved = inputs;
          moved[i] = variant.arrange(inputs[i]);
          check_close(gradients_with(c, moved, dense.cotangents), dense.gradients, allowed, worst,
                      c.name() + ", input " + std::to_string(i) + ", " + variant.name);
          ++count;
        }
      }
    }
  });
  CHECK(count > 2000);
  std::cout << "battery: " << count << " arrangements of inputs and cotangents, worst error of a gradient "
            << worst.text() << "\n";
}

TEST_CASE("battery: one Variable passed as two inputs gathers both gradients") {
  int64_t pairs = 0;
  for_each_case([&](const OpCase& c) {
    if (!has_vjp(c)) return;
    const std::vector<size_t> positions = c.differentiable_inputs();
    for (size_t p = 0; p < positions.size(); ++p) {
      for (size_t q = p + 1; q < positions.size(); ++q) {
        Tensors inputs = c.inputs();
        if (!(inputs[positions[p]].shape() == inputs[positions[q]].shape())) continue;
        inputs[positions[p]] = inputs[positions[q]].clone();
        const auto f = c.function(inputs);
        const Derivatives apart = differentiate(f, leaves_of(c, inputs), c.seed);
        Variables leaves = leaves_of(c, inputs);
        const auto twice = [&](const Variables& given) {
          Variables all = leaves;
          all[p] = given[0];
          all[q] = given[0];
          return f(all);
        };
        const Derivatives together = differentiate(twice, {leaf(inputs[positions[q]])}, c.seed);
        Tensor sum = apart.gradients[p].value().clone();
        sum.add_(apart.gradients[q].value());
        INFO(c.name() << ", inputs " << positions[p] << " and " << positions[q]);
        CHECK(largest_error(together.gradients[0].value(), sum) <= 4 * kEps64);
        ++pairs;
      }
    }
  });
  CHECK(pairs > 20);
  std::cout << "battery: " << pairs << " pairs of inputs given by one Variable\n";
}

TEST_CASE("battery: asking for one gradient gives the same bits and computes no other") {
  int64_t asked = 0;
  for_each_case([&](const OpCase& c) {
    if (!has_vjp(c)) return;
    const Tensors inputs = c.inputs();
    const std::vector<size_t> positions = c.differentiable_inputs();
    const auto f = c.function(inputs);
    const Derivatives all = differentiate(f, leaves_of(c, inputs), c.seed);
    for (size_t p = 0; p < positions.size(); ++p) {
      INFO(c.name() << ", input " << positions[p]);
      // the others are constants
      const auto alone = [&](const Variables& given) {
        Variables values;
        for (size_t i : positions) values.push_back(inputs[i]);
        values[p] = given[0];
        return f(values);
      };
      const Derivatives one = differentiate(alone, {leaf(inputs[positions[p]])}, c.seed);
      check_same_bits(one.gradients, {all.gradients[p]});
      // the others are leaves, but nobody asks for their gradients
      const Variables leaves = leaves_of(c, inputs);
      Variables outputs;
      for (const Variable& output : f(leaves)) {
        if (output.requires_grad()) outputs.push_back(output);
      }
      WasteCounter counter{&c.op, static_cast<int>(positions[p]), context().sequence};
      const VjpFilter filter{WasteCounter::see, &counter};
      context().vjp_filter = &filter;
      const Variables masked =
          grad(outputs, {leaves[p]},
               {.create_graph = true, .allow_unused = true, .cotangents = as_variables(all.cotangents)});
      context().vjp_filter = nullptr;
      if (masked[0].defined()) check_same_bits(masked, {all.gradients[p]});
      CHECK(counter.wasted == 0);
      ++asked;
    }
  });
  CHECK(asked > 100);
  std::cout << "battery: " << asked << " gradients asked for alone\n";
}

TEST_CASE("battery: gradients have the same bits in every run and with every number of threads") {
  for_each_case([&](const OpCase& c) {
    if (!has_vjp(c)) return;
    INFO(c.name());
    for (DType dtype : {DType::f32, DType::f64}) {
      const Tensors inputs = c.inputs(dtype);
      const auto run = [&] {
        const Derivatives result = differentiate(c.function(inputs), leaves_of(c, inputs), c.seed);
        Variables all = result.gradients;
        for (const Variable& output : result.outputs) all.push_back(output.detach());
        return all;
      };
      const Variables first = run();
      check_same_bits(run(), first);
      for (int threads : {1, 2, 3}) {
        INFO(threads << " threads");
        const ThreadCountScope scope(threads);
        check_same_bits(run(), first);
      }
    }
  });
}
