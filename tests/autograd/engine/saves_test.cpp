// SPDX-License-Identifier: MIT
// The inputs and outputs that the masks of an op include, for any number of inputs.
#include <gradus/autograd/engine/reference.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"

using namespace gradus;
using gradus::tests::error_text;
using gradus::tests::number;

namespace {

// y = x_0 x_1 .. x_n
void product_forward(ForwardArgs& f) {
  double product = 1.0;
  for (int i = 0; i < f.num_inputs(); ++i) {
    if (f.has(i)) product *= f.in(i).item<double>();
  }
  f.out(0).fill_(product);
}

void like_first(ShapeArgs& s) { s.output(s.shape(0), s.dtype(0)); }

void product_reference(const Attrs&, InputSpan inputs, Variable* outputs) {
  outputs[0] = *inputs[0];
  for (const Variable* x : inputs.subspan(1)) {
    if (x->defined()) outputs[0] = outputs[0] * *x;
  }
}

void reads_all(VjpArgs& v) {
  for (int i = 0; i < v.num_inputs(); ++i) {
    Variable g = v.cotangent();
    for (int j = 0; j < v.num_inputs(); ++j) {
      if (j != i) g = g * v.in(j);
    }
    v.set(i, g);
  }
}

const OpDef forgets_input_op = {.name = "forgets_input",
                                .shape = like_first,
                                .forward = product_forward,
                                .derivative = reads_all,
                                .saves = {.inputs = 0b1}};
const OpDef forgets_output_op = {
    .name = "forgets_output", .shape = like_first, .forward = product_forward, .derivative = [](VjpArgs& v) {
      v.set(0, v.cotangent() * v.out(0));
    }};
const OpDef saves_bits_op = {.name = "saves_bits",
                             .shape = like_first,
                             .forward = product_forward,
                             .derivative = reads_all,
                             .saves = {.inputs = 0x7FFFFFFF}};
const OpDef saves_all_op = {.name = "saves_all",
                            .shape = like_first,
                            .forward = product_forward,
                            .derivative = reads_all,
                            .saves = {.inputs = kAllBits}};
const OpDef by_reference_op = {.name = "by_reference",
                               .shape = like_first,
                               .forward = product_forward,
                               .derivative = vjp_via_reference,
                               .saves = {.inputs = kAllBits},
                               .optional_inputs = kAllBits,
                               .reference = product_reference};

std::vector<Variable> factors(size_t count) {
  std::vector<Variable> out;
  for (size_t i = 0; i < count; ++i) {
    out.push_back(leaf(scalar(1.0 + 0.01 * static_cast<double>(i), {.dtype = DType::f64})));
  }
  return out;
}

Variable apply_to(const OpDef& op, const std::vector<Variable>& inputs) {
  std::vector<const Variable*> pointers;
  for (const Variable& x : inputs) pointers.push_back(&x);
  Variable out;
  apply_into(op, {}, pointers, {&out, 1});
  return out;
}

std::string refusal_of(const OpDef& op, size_t count) {
  const std::vector<Variable> x = factors(count);
  const Variable y = apply_to(op, x);
  return error_text([&] { return grad({y}, {x[0]}); });
}

}  // namespace

TEST_CASE("a vjp that reads what its op does not save is told which bit is missing") {
  CHECK(refusal_of(forgets_input_op, 2) ==
        "[forgets_input] the vjp reads input 1, which the op does not save: expected bit 1 of saves.inputs set, or "
        "kAllBits");
  CHECK(refusal_of(forgets_output_op, 1) ==
        "[forgets_output] the vjp reads output 0, which the op does not save: expected bit 0 of saves.outputs set, or "
        "kAllBits");
  CHECK(refusal_of(saves_bits_op, 40) ==
        "[saves_bits] the vjp reads input 31, which the op does not save: expected bit 31 of saves.inputs set, or "
        "kAllBits");
}

TEST_CASE("an op of 40 inputs saves them all, and a reference serves them all") {
  const std::vector<Variable> x = factors(40);
  double product = 1.0;
  for (const Variable& factor : x) product *= number(factor);
  for (const OpDef* op : {&saves_all_op, &by_reference_op}) {
    INFO(op->name);
    const Variable y = apply_to(*op, x);
    CHECK(number(y) == Approx(product).epsilon(1e-14));
    const std::vector<Variable> first = grad({y}, x, {.create_graph = true});
    for (size_t i = 0; i < x.size(); ++i) CHECK(number(first[i]) == Approx(product / number(x[i])).epsilon(1e-13));
    const Variable second = grad({first[39]}, {x[35]})[0];
    CHECK(number(second) == Approx(product / number(x[39]) / number(x[35])).epsilon(1e-13));
  }
}

TEST_CASE("input 40 may be undefined when all are optional") {
  std::vector<Variable> x = factors(41);
  x[40] = Variable();
  const Variable y = apply_to(by_reference_op, x);
  const std::vector<Variable> gradients = grad({y}, {x[39]});
  CHECK(number(gradients[0]) == Approx(number(y) / number(x[39])).epsilon(1e-13));
  CHECK(error_text([&] { return apply_to(saves_all_op, x); }) ==
        "[saves_all] input 40 is undefined: expected a tensor");
}

TEST_CASE("masks name the first 32 by bits, and all by kAllBits") {
  CHECK(in_mask(0b100, 2));
  CHECK_FALSE(in_mask(0b100, 1));
  CHECK(in_mask(uint32_t{1} << 31, 31));
  CHECK_FALSE(in_mask(uint32_t{1} << 31, 32));
  CHECK_FALSE(in_mask(0, 40));
  CHECK(in_mask(kAllBits, 40));
  CHECK(in_mask(kAllBits, 0));
}
