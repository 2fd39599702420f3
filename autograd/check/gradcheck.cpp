// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/gradcheck.hpp>

#include <algorithm>

#include <gradus/autograd/check/diagnosis/tape.hpp>
#include <gradus/autograd/check/differences/order_check.hpp>
#include <gradus/autograd/check/differences/preconditions.hpp>
#include <gradus/autograd/check/report/conclusion.hpp>
#include <gradus/autograd/check/report/coverage.hpp>

namespace gradus {
namespace {

// The numbers of the inputs with a wrong derivative. All inputs when no derivative was compared.
std::vector<size_t> wrong_inputs(const std::vector<NamedInput>& inputs, const GradcheckReport& report) {
  std::vector<size_t> wrong;
  std::vector<size_t> all;
  for (size_t i = 0; i < inputs.size(); ++i) {
    all.push_back(i);
    const bool failed = std::any_of(report.results.begin(), report.results.end(),
                                    [&](const GradcheckResult& r) { return !r.ok && r.input == inputs[i].name; });
    if (failed) wrong.push_back(i);
  }
  return wrong.empty() ? all : wrong;
}

}  // namespace

GradcheckReport gradcheck(FunctionRef f, const std::vector<NamedInput>& inputs, const GradcheckOptions& options) {
  GRADUS_CHECK(options.order >= 1 && options.order <= 3, "[gradcheck] expected an order of 1, 2 or 3, got ",
               options.order);
  GRADUS_CHECK(options.directions >= 1, "[gradcheck] expected at least one direction, got ", options.directions);
  GRADUS_CHECK(options.dtype == DType::f64 || options.dtype == DType::f32,
               "[gradcheck] expected dtype f64 or f32, got ", options.dtype);
  GradcheckReport report{.options = options};
  const detail::Coverage coverage;
  const std::vector<NamedInput> own = detail::checked_inputs(inputs, options);
  const int order = detail::check_orders(f, own, report);
  report.paths = coverage.paths(report);
  detail::conclude(report);
  if (report.state != CheckState::failed || order == 0 || !options.diagnose) return report;
  GradcheckOptions replay = options;
  replay.order = order;
  report.first_bad_op = detail::find_bad_op(f, own, wrong_inputs(own, report), replay);
  return report;
}

}  // namespace gradus
