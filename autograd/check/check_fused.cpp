// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/check_op.hpp>

#include <algorithm>
#include <string_view>

#include <gradus/autograd/check/battery/battery.hpp>
#include <gradus/autograd/check/diagnosis/op_failures.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/tensor/runtime/parallel.hpp>
#include <gradus/tensor/runtime/runtime.hpp>

namespace gradus {
namespace {

using detail::OpCase;

struct SimdScope {
  explicit SimdScope(const char* name) : before(simd_target()) { force_simd_target(name); }
  ~SimdScope() { force_simd_target(before.c_str()); }
  SimdScope(const SimdScope&) = delete;
  SimdScope& operator=(const SimdScope&) = delete;
  std::string before;
};

enum class Kernels : uint8_t { f64, f32 };

struct Comparison {
  const char* promise;
  detail::CaseCheck check;
  Kernels kernels;
};

constexpr Comparison kComparisons[] = {
    {"values in f64 are those of the reference", detail::check_against_reference, Kernels::f64},
    {"values in f32 are those of the reference in f64", detail::check_f32_against_reference, Kernels::f32},
    {"first derivatives in f64 are those of the reference", detail::check_reference_gradients, Kernels::f64},
    {"first derivatives in f32 are those of the reference in f64", detail::check_f32_reference_gradients, Kernels::f32},
    {"second derivatives in f64 are those of the reference", detail::check_reference_second, Kernels::f64},
    {"second derivatives in f32 are those of the reference in f64", detail::check_f32_reference_second, Kernels::f32},
    {"first derivatives run kernels, never a reference", detail::check_kernels_only, Kernels::f32},
};

class FusedCheck {
 public:
  FusedCheck(const OpDef& op, const CheckFusedOptions& options) : op_(op), options_(options) {
    if (op.examples != nullptr) examples_ = op.examples();
    examples_.insert(examples_.end(), options.large.begin(), options.large.end());
    std::erase_if(examples_, [](const Example& example) { return !example.error.empty(); });
    report_ = {.op = op.name, .seed = options.bounds.seed, .examples = static_cast<int64_t>(examples_.size())};
    for (const Comparison& comparison : kComparisons) report_.checks.push_back({.promise = comparison.promise});
  }

  FusedReport run() {
    for (const char* target : simd_targets()) {
      const SimdScope simd(target);
      int64_t ran = 0;
      for (int threads : options_.bounds.threads) ran += run_with(threads, target);
      add_path(target, ran, ran > 0 ? "" : "no example ran");
    }
    add_missing_targets();
    add_path("kernel in f64", kernel_runs_[0], "no example ran it");
    add_path("kernel in f32", kernel_runs_[1], options_.bounds.f32 ? "no example ran it" : "f32 is not asked for");
    add_path("reference", reference_runs_, "the op has none");
    for (size_t i = 0; i < options_.bounds.threads.size(); ++i) add_threads(i);
    if (op_.reference == nullptr) report_.checks.front().failures.push_back("the op has no reference to compare with");
    if (examples_.empty()) report_.checks.front().failures.push_back("there is no example: nothing can be checked");
    for (const OpCheck& check : report_.checks) report_.ok = report_.ok && check.failures.empty();
    return std::move(report_);
  }

 private:
  // Returns how many checks ran.
  int64_t run_with(int threads, const char* target) {
    const detail::ThreadCountScope scope(threads);
    const std::string place = detail::join(" [", target, ", ", threads, threads == 1 ? " thread]" : " threads]");
    const int64_t split_before = detail::regions_split();
    int64_t ran = 0;
    for (size_t k = 0; k < std::size(kComparisons); ++k) {
      for (const Example& example : examples_) {
        OpCheck check;
        const PathCounts before = path_counts();
        detail::run_check(kComparisons[k].check, OpCase{op_, example, options_.bounds.seed}, options_.bounds, check);
        kernel_runs_[kComparisons[k].kernels == Kernels::f32 ? 1 : 0] += path_counts().fused - before.fused;
        reference_runs_ += path_counts().reference - before.reference;
        ran += check.count > 0 ? 1 : 0;
        report_.checks[k].merge(check, place);
      }
    }
    for (size_t i = 0; i < options_.bounds.threads.size(); ++i) {
      if (options_.bounds.threads[i] != threads) continue;
      split_.resize(options_.bounds.threads.size());
      ran_.resize(options_.bounds.threads.size());
      split_[i] += detail::regions_split() - split_before;
      ran_[i] += ran;
    }
    return ran;
  }

  void add_path(const std::string& name, int64_t runs, const std::string& why_not) {
    report_.paths.push_back({.name = name, .runs = runs, .why_not = runs > 0 ? "" : why_not});
  }

  // The count of regions shows whether the work was split. The number of allowed threads does not.
  void add_threads(size_t i) {
    const int threads = options_.bounds.threads[i];
    const std::string name = std::to_string(threads) + (threads == 1 ? " thread" : " threads");
    if (threads == 1) return add_path(name, i < ran_.size() ? ran_[i] : 0, "no example ran");
    add_path(name, i < split_.size() ? split_[i] : 0,
             "no example is large enough for its work to be split: give CheckFusedOptions::large");
  }

  void add_missing_targets() {
    const auto available = simd_targets();
    for (const char* name : {"avx2", "avx512"}) {
      const auto same = [name](const char* target) { return std::string_view(target) == name; };
      if (std::any_of(available.begin(), available.end(), same)) continue;
      add_path(name, 0, "this machine or this build has no such instruction set");
    }
  }

  const OpDef& op_;
  const CheckFusedOptions& options_;
  std::vector<Example> examples_;
  FusedReport report_;
  int64_t kernel_runs_[2] = {0, 0};
  int64_t reference_runs_ = 0;
  std::vector<int64_t> split_;
  std::vector<int64_t> ran_;
};

}  // namespace

const CodePath* FusedReport::find_path(const char* name) const {
  for (const CodePath& path : paths) {
    if (path.name == name) return &path;
  }
  return nullptr;
}

std::string FusedReport::text() const {
  std::string out = (ok ? "PASS  " : "FAIL  ") + op + " against its reference: " + std::to_string(examples) +
                    " examples, seed " + std::to_string(seed) + "\n";
  std::set<std::string> told;
  for (const OpCheck& check : checks) out += check.line() + detail::once_each(check, told);
  for (const CodePath& path : paths) {
    out += "  path " + path.name + ": " +
           (path.runs > 0 ? "ran " + std::to_string(path.runs) + (path.runs == 1 ? " time" : " times")
                          : "did not run: " + path.why_not) +
           "\n";
  }
  return out;
}

FusedReport check_fused(const OpDef& op, const CheckFusedOptions& options) { return FusedCheck(op, options).run(); }

}  // namespace gradus
