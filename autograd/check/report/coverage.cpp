// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/report/coverage.hpp>

namespace gradus::detail {
namespace {

int64_t count_results(const GradcheckReport& report, bool (*counts)(const GradcheckResult&)) {
  int64_t sum = 0;
  for (const GradcheckResult& result : report.results) sum += counts(result) ? result.checked : 0;
  return sum;
}

CodePath path(const char* name, int64_t runs, const char* why_not) {
  return {.name = name, .runs = runs, .why_not = runs > 0 ? "" : why_not};
}

const char* no_references(const GradcheckOptions& options, int64_t fused) {
  if (fused == 0) return "the function applies no fused op";
  return options.order == 1 ? "first derivatives run kernels alone: ask for order 2"
                            : "no fused op was differentiated twice";
}

}  // namespace

std::vector<CodePath> Coverage::paths(const GradcheckReport& report) const {
  const GradcheckOptions& options = report.options;
  const bool f64 = options.dtype == DType::f64;
  const int64_t all = report.checked();
  const int64_t fused = path_counts().fused - before_.fused;
  const int64_t references = path_counts().reference - before_.reference;
  const int64_t higher = count_results(report, [](const GradcheckResult& r) { return r.order > 1; });
  const int64_t forward = count_results(report, [](const GradcheckResult& r) { return r.forward_mode; });
  return {
      path("f64", f64 ? all : 0, f64 ? "nothing was compared" : "dtype is f32"),
      path("f32", f64 ? 0 : all,
           f64 ? "ask for dtype f32; check_fused compares the f32 kernels of an op with f64" : "nothing was compared"),
      path("second order", higher, options.order == 1 ? "ask for order 2" : "the check ended at order 1"),
      path("forward mode", forward, options.forward_mode ? "the check ended before it" : "ask for forward_mode"),
      path("kernels of fused ops", fused, "the function applies no fused op"),
      path("references of fused ops", references, no_references(options, fused)),
      path("several threads", regions_split() - split_before_,
           num_threads() == 1 ? "one thread is allowed" : "no tensor is large enough for its work to be split"),
  };
}

}  // namespace gradus::detail
