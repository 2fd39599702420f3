// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>

namespace gradus::detail {

/// The worst result: failures first, then by largest error. Null when there are no results.
const GradcheckResult* worst_result(const GradcheckReport& report);
/// The worst failing result whose signature is known, or null.
const GradcheckResult* telling_result(const GradcheckReport& report);
/// "doubled: analytic = 2 x numeric everywhere: added twice". Without the kind when no known one fits.
std::string signature_text(const Signature& signature);
/// "detached: matmul in cell, step 1, input a: what tanh in cell wrote, read as a constant".
std::string detached_text(const DetachedValue& value);
/// "16 of 16 elements, and 2 more derivatives": the count in the worst result, and how many other results fail.
std::string failing_count(const GradcheckReport& report);
/// Whether the first problem is the headline, because nothing better is known.
bool leads_with_problem(const GradcheckReport& report);
/// "d out / d weight_hh", with the order and "(forward mode)" where they apply.
std::string derivative_name(const GradcheckResult& result);
/// "abs(analytic - numeric) <= 1e-09 max(abs(analytic), abs(numeric)), or what rounding puts into the difference".
std::string rule_text(const GradcheckResult& result);
/// How to run the check again: options.reproduce, or the non-default options as C++.
std::string reproduction(const GradcheckOptions& options);
/// The first line of the report, without the word for its state. For a failure it names the first bad op or the
/// detached value, when that is known.
std::string verdict_text(const GradcheckReport& report);

/// "passed", "failed" or "not checked", for programs.
const char* state_word(CheckState state);

/// "1.0e-11".
std::string error_text(double value);
/// Twelve digits.
std::string value_text(double value);

}  // namespace gradus::detail
