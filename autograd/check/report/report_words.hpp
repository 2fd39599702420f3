// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/autograd/check/gradcheck.hpp>

namespace gradus::detail {

/// The worst result: failures first, then the largest error; null without any.
const GradcheckResult* worst_result(const GradcheckReport& report);
/// Of the failing results whose signature is known, the worst; null without any.
const GradcheckResult* telling_result(const GradcheckReport& report);
/// "doubled: analytic = 2 x numeric everywhere: added twice"; without its kind where nothing known fits.
std::string signature_text(const Signature& signature);
/// "detached: matmul in cell, step 1, input a: what tanh in cell wrote, read as a constant".
std::string detached_text(const DetachedValue& value);
/// "16 of 16 elements, and 2 more derivatives": of the worst result, and how many others fail.
std::string failing_count(const GradcheckReport& report);
/// Whether the first problem is the headline: nothing better is known.
bool leads_with_problem(const GradcheckReport& report);
/// "d out / d weight_hh", with the order and "(forward mode)".
std::string derivative_name(const GradcheckResult& result);
/// "abs(analytic - numeric) <= 1e-09 max(abs(analytic), abs(numeric)), or what rounding puts into the difference".
std::string rule_text(const GradcheckResult& result);
/// How to run the check again: options.reproduce, or the options that are not the default, as C++.
std::string reproduction(const GradcheckOptions& options);
/// The first line, without the word for its state: of a failure the first bad op, or what was detached, where that is
/// known.
std::string verdict_text(const GradcheckReport& report);

/// "passed", "failed", "not checked": for programs.
const char* state_word(CheckState state);

/// "1.0e-11".
std::string error_text(double value);
/// Twelve digits.
std::string value_text(double value);

}  // namespace gradus::detail
