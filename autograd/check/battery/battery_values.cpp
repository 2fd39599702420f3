// SPDX-License-Identifier: MIT
// Checks the values of every op.
#include <limits>

#include <gradus/autograd/check/battery/battery.hpp>
#include <gradus/autograd/check/battery/layout_variants.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/tensor/compare.hpp>

namespace gradus::detail {

bool has_floating_input(const OpCase& c) {
  for (const Tensor& input : c.inputs()) {
    if (input.defined() && is_floating(input.dtype())) return true;
  }
  return false;
}

namespace {

bool same_number(const Variables& got, const Variables& expected, const std::string& what, OpCheck& check) {
  if (got.size() == expected.size()) return true;
  check.require(false, join(what, ": expected ", static_cast<int64_t>(expected.size()), " tensors, got ",
                            static_cast<int64_t>(got.size())));
  return false;
}

}  // namespace

void compare(const Variables& got, const Variables& expected, double allowed, const std::string& what, OpCheck& check) {
  if (!same_number(got, expected, what, check)) return;
  for (size_t k = 0; k < got.size(); ++k) {
    if (!got[k].defined() || !expected[k].defined()) continue;
    check.take(largest_error(got[k].value(), expected[k].value()), allowed, what + ", tensor " + std::to_string(k));
  }
}

void compare_bits(const Variables& got, const Variables& expected, const std::string& what, OpCheck& check) {
  if (!same_number(got, expected, what, check)) return;
  for (size_t k = 0; k < got.size(); ++k) {
    check.require(bitwise_equal(got[k].value(), expected[k].value()),
                  what + ": tensor " + std::to_string(k) + " has other bits");
  }
}

std::span<const DType> dtypes_of(const CheckOpOptions& options) {
  static constexpr DType kBoth[] = {DType::f32, DType::f64};
  return std::span<const DType>(kBoth).subspan(options.f32 ? 0 : 1);
}

bool checks_f32(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (!options.f32) check.skip("f32 is not asked for", c.name());
  return options.f32;
}

void check_shapes(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  for (DType dtype : dtypes_of(options)) {
    const NoGrad off;
    Variables inputs = as_variables(c.inputs(dtype));
    if (c.lacks_auxiliary(inputs)) c.op.complete(c.example.attrs, inputs);
    std::vector<const Variable*> pointers;
    for (const Variable& input : inputs) pointers.push_back(&input);
    ShapeArgs shapes(c.op, c.example.attrs, pointers);
    c.op.shape(shapes);
    const Variables results = c.all_outputs(inputs);
    for (size_t k = 0; k < results.size(); ++k) {
      const int index = static_cast<int>(k);
      const bool as_stated =
          results[k].shape() == shapes.output_shape(index) && results[k].dtype() == shapes.output_dtype(index);
      check.require(as_stated, join(c.name(), ": the shape rule states ", dtype_name(shapes.output_dtype(index)), " ",
                                    shapes.output_shape(index), " for output ", index, ", the forward gives ",
                                    describe(results[k])));
      check.require(c.op.is_view || results[k].value().is_contiguous(),
                    join(c.name(), ": output ", index, " is not dense, and the op is not a view"));
    }
  }
}

void check_expected(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (c.example.expected.empty()) return check.skip("the example has no expected values", c.name());
  const NoGrad off;
  compare(c.outputs(as_variables(c.inputs())), as_variables(c.example.expected), options.expected_units * kEps64,
          c.name(), check);
}

void check_against_reference(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (c.op.reference == nullptr) return check.skip("the op has no reference", c.name());
  const NoGrad off;
  const Variables inputs = as_variables(c.inputs());
  compare(c.outputs(inputs), c.reference_outputs(inputs), options.reference_units * kEps64, c.name(), check);
}

void check_f32_against_reference(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (c.op.reference == nullptr) return check.skip("the op has no reference", c.name());
  if (!has_floating_input(c)) return check.skip("no input is floating", c.name());
  if (!checks_f32(c, options, check)) return;
  const NoGrad off;
  compare(c.outputs(as_variables(c.inputs(DType::f32))), c.reference_outputs(as_variables(c.inputs())),
          options.value_units * kEps32, c.name(), check);
}

void check_f32_values(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (!has_floating_input(c)) return check.skip("no input is floating", c.name());
  if (!checks_f32(c, options, check)) return;
  const NoGrad off;
  const Variables exact = c.outputs(as_variables(c.inputs(DType::f64)));
  const Variables rounded = c.outputs(as_variables(c.inputs(DType::f32)));
  for (size_t k = 0; k < exact.size(); ++k) {
    const DType expected = is_floating(exact[k].dtype()) ? DType::f32 : exact[k].dtype();
    check.require(rounded[k].dtype() == expected, join(c.name(), ": output ", static_cast<int64_t>(k),
                                                       " of f32 inputs is ", dtype_name(rounded[k].dtype())));
  }
  compare(rounded, exact, options.value_units * kEps32, c.name(), check);
}

void check_layouts(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  const NoGrad off;
  for (DType dtype : dtypes_of(options)) {
    const Tensors inputs = c.inputs(dtype);
    const Variables expected = c.outputs(as_variables(inputs));
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].defined()) continue;
      for (const LayoutVariant& variant : layout_variants(inputs[i].rank())) {
        Tensors moved = inputs;
        moved[i] = variant.arrange(inputs[i]);
        const Variables got = c.outputs(as_variables(moved));
        const std::string what = c.name() + ", " + input_text(c.op, i) + ", " + variant.name;
        if (options.layout_units == 0) {
          compare_bits(got, expected, what, check);
        } else {
          compare(got, expected, options.layout_units * eps_of(dtype), what, check);
        }
      }
    }
  }
}

void check_expanded(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (!c.example.no_differences.empty()) return check.skip(c.example.no_differences, c.name());
  const NoGrad off;
  for (DType dtype : dtypes_of(options)) {
    const Tensors inputs = c.inputs(dtype);
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].defined() || inputs[i].numel() == 0) continue;
      for (int axis = 0; axis < inputs[i].rank(); ++axis) {
        Tensors moved = inputs;
        moved[i] = repeated(inputs[i], axis);
        Tensors copied = inputs;
        copied[i] = moved[i].clone();
        const std::string what = c.name() + ", input " + std::to_string(i) + ", axis " + std::to_string(axis);
        const Variables got = c.outputs(as_variables(moved));
        const Variables expected = c.outputs(as_variables(copied));
        if (options.layout_units == 0) {
          compare_bits(got, expected, what, check);
        } else {
          compare(got, expected, options.layout_units * eps_of(dtype), what, check);
        }
      }
    }
  }
}

void check_not_finite(const OpCase& c, const CheckOpOptions& options, OpCheck& check) {
  if (!has_floating_input(c)) return check.skip("no input is floating", c.name());
  const double infinity = std::numeric_limits<double>::infinity();
  for (double value : {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity}) {
    for (DType dtype : dtypes_of(options)) {
      Tensors inputs = c.inputs(dtype);
      for (Tensor& input : inputs) {
        if (input.defined() && is_floating(input.dtype())) input = full(input.shape(), value, {.dtype = dtype});
      }
      c.outputs(as_variables(inputs));
      if (c.has_vjp()) differentiate(c.function(inputs), leaves_of(c, inputs), 1);
      check.require(true, "");
    }
  }
}

}  // namespace gradus::detail
