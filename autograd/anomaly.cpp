// SPDX-License-Identifier: MIT
#include <gradus/autograd/inspect.hpp>

#include <cmath>
#include <mutex>
#include <set>

#include <gradus/autograd/engine/node.hpp>

namespace gradus {
namespace {

struct Range {
  int64_t nans = 0;
  int64_t infinities = 0;
  int64_t finite = 0;
  double low = 0.0;
  double high = 0.0;

  explicit Range(const Tensor& tensor) {
    const Tensor values = tensor.to(DType::f64).contiguous();
    const auto* data = values.data<double>();
    for (int64_t i = 0; i < values.numel(); ++i) add(data[i]);
  }
  void add(double value) {
    if (std::isnan(value)) {
      ++nans;
    } else if (std::isinf(value)) {
      ++infinities;
    } else {
      low = finite == 0 || value < low ? value : low;
      high = finite == 0 || value > high ? value : high;
      ++finite;
    }
  }
  std::string text() const {
    std::string out = finite > 0 ? detail::join("in [", low, ", ", high, "]") : std::string("nothing finite");
    if (nans > 0) out += detail::join(", ", nans, " NaN");
    if (infinities > 0) out += detail::join(", ", infinities, " infinite");
    return out;
  }
};

// The inputs of an op, as far as they are known, and whether they explain a value that is not finite.
class Sources {
 public:
  void add(const std::string& name, const Tensor& value) {
    const Range range(value);
    nans_ = nans_ || range.nans > 0;
    infinities_ = infinities_ || range.infinities > 0;
    text_ += detail::join(text_.empty() ? "" : "; ", name, " ", describe(value), " ", range.text());
  }
  bool explain(const Range& result) const { return result.nans == 0 && (result.infinities == 0 || infinities_); }
  const char* verb() const { return nans_ ? "received" : "produced"; }
  const std::string& text() const { return text_; }

 private:
  bool nans_ = false;
  bool infinities_ = false;
  std::string text_;
};

[[noreturn]] void report(const OpDef& op, const char* way, const std::string& path, const Sources& sources,
                         const std::string& what, const Tensor& value, const Range& range) {
  // Every Error gets the path of the running module appended. A different path is added here.
  const bool say_path = !path.empty() && path != scope_path();
  detail::throw_error(detail::join("[", op.name, "] ", way, " ", sources.verb(), " ",
                                   range.nans > 0 ? "NaN" : "an infinity", say_path ? " (in " : "",
                                   say_path ? path : "", say_path ? ")" : "", ": ", what, " ", describe(value), " ",
                                   range.text(), "; from ", sources.text().empty() ? "no tensor" : sources.text()));
}

}  // namespace

namespace detail {

void check_forward(const OpDef& op, InputSpan inputs, const Tensor* outputs, int num_outputs) {
  for (int k = 0; k < num_outputs; ++k) {
    if (!outputs[k].defined() || !is_floating(outputs[k].dtype())) continue;
    const Range range(outputs[k]);
    if (range.nans + range.infinities == 0) continue;
    Sources sources;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i]->defined()) sources.add(input_text(op, i), inputs[i]->value());
    }
    if (!sources.explain(range)) {
      report(op, "forward", scope_path(), sources, join("output ", k), outputs[k], range);
    }
  }
}

void check_gradient(Node& node, int i, const Variable& gradient) {
  const Range range(gradient.value());
  if (range.nans + range.infinities == 0) return;
  Sources sources;
  for (int k = 0; k < node.num_outputs; ++k) {
    if (node.output(k).cotangent.defined()) sources.add(join("cotangent ", k), node.output(k).cotangent.value());
    if (node.output(k).value.defined()) sources.add(join("output ", k), node.output(k).value);
  }
  for (int j = 0; j < node.num_inputs; ++j) {
    if (node.input(j).value.defined()) sources.add(input_text(*node.op, static_cast<size_t>(j)), node.input(j).value);
  }
  if (sources.explain(range)) return;
  const std::string path = node.path != nullptr ? node.path : "a forward that ran without DetectAnomaly";
  report(*node.op, "backward", path, sources, "gradient of " + input_text(*node.op, static_cast<size_t>(i)),
         gradient.value(), range);
}

const char* lasting_scope_path() {
  static std::mutex mutex;
  static auto* paths = new std::set<std::string>;  // outlives every node
  const std::lock_guard<std::mutex> lock(mutex);
  return paths->insert(scope_path()).first->c_str();
}

}  // namespace detail
}  // namespace gradus
