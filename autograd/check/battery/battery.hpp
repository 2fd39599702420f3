// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include <gradus/autograd/check/battery/op_case.hpp>
#include <gradus/autograd/check/check_op.hpp>
#include <gradus/autograd/check/gradcheck.hpp>

// The promises that every op keeps, each as a check of one op on one example. check_op and the library's tests run
// them.

namespace gradus::detail {

inline constexpr double kEps32 = 0x1p-23;
inline constexpr double kEps64 = 0x1p-52;
inline double eps_of(DType dtype) { return dtype == DType::f32 ? kEps32 : kEps64; }

using CaseCheck = void (*)(const OpCase& c, const CheckOpOptions& options, OpCheck& check);

struct Promise {
  const char* sentence;
  CaseCheck check;
  /// True: this check is for examples that the op must refuse. False: for examples that must work.
  bool of_refused = false;
};

// battery_values.cpp
GRADUS_API void check_shapes(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_expected(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_against_reference(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_f32_against_reference(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_f32_values(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_layouts(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_expanded(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_not_finite(const OpCase& c, const CheckOpOptions& options, OpCheck& check);

// battery_derivatives.cpp
GRADUS_API void check_differences(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_reference_gradients(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_reference_second(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_f32_reference_gradients(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_f32_reference_second(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_kernels_only(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_f32_gradients(const OpCase& c, const CheckOpOptions& options, OpCheck& check);

// battery_gradient_rules.cpp
GRADUS_API void check_zero_cotangent(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_gradient_layouts(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_same_variable_twice(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_one_gradient(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_same_bits(const OpCase& c, const CheckOpOptions& options, OpCheck& check);

// battery_sweep.cpp
GRADUS_API void check_sweep(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_zeros(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_untouched(const OpCase& c, const CheckOpOptions& options, OpCheck& check);

// battery_refusals.cpp
GRADUS_API void check_refused(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_undefined_inputs(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
GRADUS_API void check_refused_derivatives(const OpCase& c, const CheckOpOptions& options, OpCheck& check);

/// Runs one check. An exception from the op becomes a failure of the check.
GRADUS_API void run_check(CaseCheck function, const OpCase& c, const CheckOpOptions& options, OpCheck& check);

/// All of the above, in the order of a report.
GRADUS_API std::span<const Promise> all_promises();

/// Sets every third element of the inputs to 0 where their domains allow 0. Returns false when no domain does.
GRADUS_API bool put_zeros(const OpCase& c, Tensors& inputs);
/// Why check_differences skips this example; empty when it runs.
GRADUS_API std::string why_not_compared(const OpCase& c);
/// Runs gradcheck on the op as a function of its differentiable inputs, up to the highest order that the op promises;
/// `options` says the rest, except for the seed.
GRADUS_API GradcheckReport gradcheck_case(const OpCase& c, const Tensors& inputs, const GradcheckOptions& options = {});

GRADUS_API bool has_floating_input(const OpCase& c);
/// The dtypes that the options ask for.
GRADUS_API std::span<const DType> dtypes_of(const CheckOpOptions& options);
/// False when f32 is not checked; then a skip is noted in the check.
GRADUS_API bool checks_f32(const OpCase& c, const CheckOpOptions& options, OpCheck& check);
/// Compares each output that is defined on both sides, and records the error.
GRADUS_API void compare(const Variables& got, const Variables& expected, double allowed, const std::string& what,
                        OpCheck& check);
GRADUS_API void compare_bits(const Variables& got, const Variables& expected, const std::string& what, OpCheck& check);

/// "1.2e-10"
GRADUS_API std::string short_number(double value);

}  // namespace gradus::detail
