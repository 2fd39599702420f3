// SPDX-License-Identifier: MIT
// The battery, part 1: every op on every example, values.
#include <limits>

#include "tests/support/battery.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/layouts.hpp"

using namespace gradus;
using namespace gradus::tests;

namespace {

constexpr double kEps32 = 0x1p-23;
constexpr double kEps64 = 0x1p-52;

bool has_floating_input(const OpCase& c) {
  for (const Tensor& input : c.inputs()) {
    if (input.defined() && is_floating(input.dtype())) return true;
  }
  return false;
}

void compare_outputs(const Variables& got, const Variables& expected, double allowed, const std::string& what,
                     Worst& worst) {
  REQUIRE(got.size() == expected.size());
  for (size_t k = 0; k < got.size(); ++k) {
    if (!got[k].defined() || !expected[k].defined()) continue;
    const double error = largest_error(got[k].value(), expected[k].value());
    worst.take(error, what);
    INFO(what << ", output " << k);
    CHECK(error <= allowed);
  }
}

}  // namespace

TEST_CASE("battery: every op stands in the list once, and has examples that work and cases that are refused") {
  std::map<std::string, int> names;
  for (const OpDef* op : all_ops()) {
    INFO(op->name);
    ++names[op->name];
    REQUIRE(op->shape != nullptr);
    REQUIRE(op->forward != nullptr);
    REQUIRE(op->examples != nullptr);
    int works = 0;
    std::map<std::string, int> example_names;
    for (const Example& example : op->examples()) {
      works += example.error.empty() ? 1 : 0;
      ++example_names[example.name];
    }
    CHECK(works > 0);
    for (const auto& [name, count] : example_names) {
      INFO("example " << name);
      CHECK(count == 1);
    }
  }
  for (const auto& [name, count] : names) {
    INFO(name);
    CHECK(count == 1);
  }
  std::cout << "battery: " << all_ops().size() << " ops\n";
}

TEST_CASE("battery: the shape rule states what the forward gives") {
  int64_t outputs = 0;
  const int64_t cases = for_each_case([&](const OpCase& c) {
    INFO(c.name());
    for (DType dtype : {DType::f32, DType::f64}) {
      Variables inputs = as_variables(c.inputs(dtype));
      const NoGrad off;
      if (c.lacks_auxiliary(inputs)) c.op.complete(c.example.attrs, inputs);
      std::vector<const Variable*> pointers;
      for (const Variable& input : inputs) pointers.push_back(&input);
      ShapeArgs shapes(c.op, c.example.attrs, pointers);
      c.op.shape(shapes);
      const Variables results = c.all_outputs(inputs);
      for (size_t k = 0; k < results.size(); ++k) {
        CHECK(results[k].shape() == shapes.output_shape(static_cast<int>(k)));
        CHECK(results[k].dtype() == shapes.output_dtype(static_cast<int>(k)));
        CHECK((c.op.is_view || results[k].value().is_contiguous()));
        ++outputs;
      }
    }
  });
  CHECK(cases >= static_cast<int64_t>(all_ops().size()));
  std::cout << "battery: shape rules held to " << outputs << " outputs of " << cases << " examples\n";
}

TEST_CASE("battery: values are those of the reference and those written down") {
  Worst in_f64;
  Worst in_f32;
  int64_t with_reference = 0;
  int64_t with_values = 0;
  for_each_case([&](const OpCase& c) {
    INFO(c.name());
    const NoGrad off;
    const Variables inputs = as_variables(c.inputs());
    const Variables outputs = c.outputs(inputs);
    if (c.op.reference != nullptr) {
      ++with_reference;
      const Variables expected = c.reference_outputs(inputs);
      // Measured: 2e-15.
      compare_outputs(outputs, expected, 1e-13, c.name(), in_f64);
      // The kernel that users train with, in f32, against the reference in f64. Measured: 8 eps.
      if (has_floating_input(c)) {
        compare_outputs(c.outputs(as_variables(c.inputs(DType::f32))), expected, 64 * kEps32, c.name(), in_f32);
      }
    }
    if (!c.example.expected.empty()) {
      ++with_values;
      compare_outputs(outputs, as_variables(c.example.expected), 4 * kEps64, c.name(), in_f64);
    }
  });
  CHECK(with_reference > 0);
  std::cout << "battery: " << with_reference << " examples against a reference, " << with_values
            << " against values; worst error in f64 " << in_f64.text() << ", in f32 " << in_f32.text() << "\n";
}

TEST_CASE("battery: f32 gives what f64 gives, but for rounding") {
  Worst worst;
  const int64_t cases = for_each_case([&](const OpCase& c) {
    if (!has_floating_input(c)) return;
    const NoGrad off;
    const Variables exact = c.outputs(as_variables(c.inputs(DType::f64)));
    const Variables rounded = c.outputs(as_variables(c.inputs(DType::f32)));
    for (size_t k = 0; k < exact.size(); ++k) {
      INFO(c.name() << ", output " << k);
      CHECK(rounded[k].dtype() == (is_floating(exact[k].dtype()) ? DType::f32 : exact[k].dtype()));
    }
    compare_outputs(rounded, exact, 64 * kEps32, c.name(), worst);
  });
  std::cout << "battery: f32 against f64 over " << cases << " examples, worst error " << worst.text() << "\n";
}

TEST_CASE("battery: running an op twice gives the same bits") {
  for_each_case([&](const OpCase& c) {
    INFO(c.name());
    const NoGrad off;
    for (DType dtype : {DType::f32, DType::f64}) {
      const Variables first = c.outputs(as_variables(c.inputs(dtype)));
      const Variables second = c.outputs(as_variables(c.inputs(dtype)));
      for (size_t k = 0; k < first.size(); ++k) CHECK(bitwise_equal(first[k].value(), second[k].value()));
    }
  });
}

TEST_CASE("battery: where an input lies in memory changes nothing") {
  Worst worst;
  int64_t arrangements = 0;
  int64_t same_bits = 0;
  for_each_case([&](const OpCase& c) {
    const NoGrad off;
    for (DType dtype : {DType::f32, DType::f64}) {
      const Tensors inputs = c.inputs(dtype);
      const Variables expected = c.outputs(as_variables(inputs));
      const double eps = dtype == DType::f32 ? kEps32 : kEps64;
      for (size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].defined()) continue;
        for (const LayoutVariant& variant : layout_variants(inputs[i].rank())) {
          Tensors moved = inputs;
          moved[i] = variant.arrange(inputs[i]);
          REQUIRE(bitwise_equal(moved[i], inputs[i]));
          const Variables got = c.outputs(as_variables(moved));
          // A product of transposed matrices adds in another order; nothing else differs at all.
          const std::string what = c.name() + ", input " + std::to_string(i) + ", " + variant.name;
          compare_outputs(got, expected, 16 * eps, what, worst);
          bool same = true;
          for (size_t k = 0; k < got.size(); ++k) same = same && bitwise_equal(got[k].value(), expected[k].value());
          ++arrangements;
          same_bits += same ? 1 : 0;
        }
      }
    }
  });
  CHECK(arrangements > 1000);
  std::cout << "battery: " << arrangements << " arrangements of inputs, " << same_bits
            << " with the same bits, worst error " << worst.text() << "\n";
}

TEST_CASE("battery: an expanded input counts as its copy") {
  Worst worst;
  int64_t count = 0;
  for_each_case([&](const OpCase& c) {
    if (!c.example.no_differences.empty()) return;
    const NoGrad off;
    for (DType dtype : {DType::f32, DType::f64}) {
      const Tensors inputs = c.inputs(dtype);
      for (size_t i = 0; i < inputs.size(); ++i) {
        if (!inputs[i].defined() || inputs[i].numel() == 0) continue;
        for (int axis = 0; axis < inputs[i].rank(); ++axis) {
          Tensors moved = inputs;
          moved[i] = repeated(inputs[i], axis);
          Tensors copied = inputs;
          copied[i] = moved[i].clone();
          const std::string what = c.name() + ", input " + std::to_string(i) + ", axis " + std::to_string(axis);
          compare_outputs(c.outputs(as_variables(moved)), c.outputs(as_variables(copied)),
                          16 * (dtype == DType::f32 ? kEps32 : kEps64), what, worst);
          ++count;
        }
      }
    }
  });
  CHECK(count > 500);
  std::cout << "battery: " << count << " expanded inputs, worst error " << worst.text() << "\n";
}

TEST_CASE("battery: inputs of NaN and infinity crash nothing") {
  for_each_case([&](const OpCase& c) {
    INFO(c.name());
    const double infinity = std::numeric_limits<double>::infinity();
    for (double value : {std::numeric_limits<double>::quiet_NaN(), infinity, -infinity}) {
      for (DType dtype : {DType::f32, DType::f64}) {
        Tensors inputs = c.inputs(dtype);
        for (Tensor& input : inputs) {
          if (input.defined() && is_floating(input.dtype())) input = full(input.shape(), value, {.dtype = dtype});
        }
        CHECK_NOTHROW(c.outputs(as_variables(inputs)));
        if (c.op.derivative.vjp() == nullptr) continue;
        const auto run = [&] { return differentiate(c.function(inputs), leaves_of(c, inputs), 1); };
        CHECK_NOTHROW(run());
      }
    }
  });
}
