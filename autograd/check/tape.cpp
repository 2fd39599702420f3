// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/tape.hpp>

#include <algorithm>

#include <gradus/autograd/apply.hpp>
#include <gradus/autograd/check/order_check.hpp>
#include <gradus/autograd/context.hpp>
#include <gradus/autograd/ops/arithmetic.hpp>

namespace gradus::detail {
namespace {

constexpr size_t kReplayLimit = 4000;
constexpr int64_t kFullReplay = 32;  // elements of an op's input that are replayed one by one

class Recorder {
 public:
  Recorder() : observer_{call, this}, previous_(context().apply_observer) { context().apply_observer = &observer_; }
  ~Recorder() { context().apply_observer = previous_; }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  std::vector<TapeEntry> entries;

 private:
  static void call(void* state, const OpDef& op, const Attrs& attrs, const Variable* const* inputs, size_t count,
                   size_t num_outputs) {
    TapeEntry entry{&op, attrs, {}, {}, static_cast<int>(num_outputs), scope_path()};
    for (size_t i = 0; i < count; ++i) {
      const bool auxiliary = in_mask(op.auxiliary_inputs, static_cast<int>(i));
      // What can be computed from the other inputs is, because it moves with them.
      entry.inputs.push_back(auxiliary && op.complete != nullptr ? Tensor() : inputs[i]->value());
      const bool floating = inputs[i]->defined() && is_floating(inputs[i]->dtype());
      if (!auxiliary && floating && inputs[i]->requires_grad()) entry.moving.push_back(i);
    }
    static_cast<Recorder*>(state)->entries.push_back(std::move(entry));
  }

  ApplyObserver observer_;
  const ApplyObserver* previous_;
};

// x with every other row set to zero (of a vector: every other element): what arrives at an op from a mask, from
// padding or from a slice, and what no random cotangent has.
Variable without_rows(const Variable& x) {
  if (!is_floating(x.dtype())) return x;
  Tensor factor = Tensor::empty(x.shape(), DType::f64);
  const int64_t row = x.rank() < 2 ? 1 : std::max<int64_t>(1, x.size(-1));
  double* values = factor.mutable_data_<double>();
  for (int64_t i = 0; i < factor.numel(); ++i) values[i] = i / row % 2 == 0 ? 1.0 : 0.0;
  return mul(x, factor.to(x.dtype()));
}

// The op as a function of the inputs that move.
struct OneOp {
  const TapeEntry& entry;
  bool sparse;

  std::vector<Variable> operator()(const std::vector<Variable>& moving) const {
    const OpDef& op = *entry.op;
    std::vector<Variable> inputs(entry.inputs.begin(), entry.inputs.end());
    for (size_t m = 0; m < moving.size(); ++m) inputs[entry.moving[m]] = moving[m];
    if (op.auxiliary_inputs != 0 && op.complete != nullptr) op.complete(entry.attrs, inputs);
    std::vector<const Variable*> pointers;
    pointers.reserve(inputs.size());
    for (const Variable& input : inputs) pointers.push_back(&input);
    ShapeArgs shapes(op, entry.attrs, pointers);
    op.shape(shapes);
    std::vector<Variable> outputs(static_cast<size_t>(shapes.num_outputs()));
    apply_into(op, entry.attrs, pointers, outputs);
    std::vector<Variable> visible;
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (!in_mask(op.auxiliary_outputs, static_cast<int>(k)))
        visible.push_back(sparse ? without_rows(outputs[k]) : outputs[k]);
    }
    return visible;
  }
};

// Of the results that failed, the worst whose signature is known; else the worst.
const GradcheckResult* telling_failure(const GradcheckReport& report) {
  const GradcheckResult* worst = nullptr;
  const auto known = [](const GradcheckResult& r) { return r.signature.kind != SignatureKind::none; };
  for (const GradcheckResult& result : report.results) {
    if (result.ok) continue;
    const bool better = worst == nullptr || (known(result) && !known(*worst)) ||
                        (known(result) == known(*worst) && result.error > worst->error);
    if (better) worst = &result;
  }
  return worst;
}

// What is wrong with an op whose own check failed.
void describe_failure(const GradcheckReport& report, BadOp& bad) {
  const GradcheckResult* result = telling_failure(report);
  if (result == nullptr) {
    if (!report.problems.empty()) bad.text = report.problems.front();
    return;
  }
  bad.signature = result->signature;
  bad.text = join("order ", result->order, ", ", result->input, " at ", result->where, ": analytic ", result->analytic,
                  ", numeric ", result->numeric);
}

// How closely a recorded op is looked at. glance: one direction, so that a long tape is soon through. sparse: with a
// cotangent that is zero in places.
enum class Look : uint8_t { glance, full, sparse };

GradcheckReport check_entry(const TapeEntry& entry, const GradcheckOptions& options, Look look) {
  std::vector<NamedInput> inputs;
  bool small = true;
  for (const size_t i : entry.moving) {
    inputs.push_back({"input " + std::to_string(i), entry.inputs[i].clone()});
    small = small && entry.inputs[i].numel() <= kFullReplay;
  }
  const GradcheckOptions own = {
      .order = options.order,
      .stencil = options.stencil,
      .mode = small && look != Look::glance ? GradcheckMode::full : GradcheckMode::directional,
      .step = options.step,
      .tolerance = options.tolerance,
      .directions = look == Look::glance ? 1 : 2,
      .seed = options.seed,
      .dtype = options.dtype,
      .diagnose = false,
      .stop_at_failure = true};
  const OneOp one{entry, look == Look::sparse};
  GradcheckReport report{.options = own};
  check_orders(one, inputs, report);
  if (report.ok) return report;
  // The bad one is looked at closely.
  GradcheckReport close{.options = own};
  close.options.mode = GradcheckMode::automatic;
  close.options.directions = 2;
  close.options.diagnose = true;
  close.options.stop_at_failure = false;
  check_orders(one, inputs, close);
  return close.ok && look != Look::glance ? report : close;
}

}  // namespace

std::vector<TapeEntry> record_tape(const FunctionRef& f, const std::vector<Tensor>& values) {
  const EnableGrad on;
  std::vector<Variable> leaves;
  leaves.reserve(values.size());
  for (const Tensor& value : values) leaves.push_back(leaf(value));
  Recorder recorder;
  f(leaves);
  return std::move(recorder.entries);
}

namespace {

// Of the recorded ops the first whose own check fails.
BadOp first_bad(const std::vector<TapeEntry>& tape, const GradcheckOptions& options, Look look) {
  BadOp result;
  result.recorded = static_cast<int64_t>(tape.size());
  for (size_t n = 0; n < tape.size() && n < kReplayLimit; ++n) {
    const TapeEntry& entry = tape[n];
    if (entry.moving.empty() || entry.op->derivative.vjp() == nullptr) continue;
    ++result.checked;
    try {
      const GradcheckReport report = check_entry(entry, options, look);
      if (report.ok) continue;
      describe_failure(report, result);
    } catch (const Error& error) {
      result.text = error.what();
    }
    result.op = entry.op->name;
    result.path = entry.path;
    result.position = static_cast<int64_t>(n);
    if (look == Look::sparse) result.text += " (with a cotangent that is zero in places)";
    return result;
  }
  return result;
}

}  // namespace

BadOp find_bad_op(const FunctionRef& f, const std::vector<Tensor>& values, const GradcheckOptions& options) {
  const std::vector<TapeEntry> tape = record_tape(f, values);
  BadOp result;
  for (const Look look : {Look::glance, Look::full, Look::sparse}) {
    result = first_bad(tape, options, look);
    if (result.found()) return result;
  }
  result.text =
      "each recorded op passes by itself: look for a value that was detached, or a branch that is not recorded";
  if (tape.size() > kReplayLimit) result.text = join("the first ", kReplayLimit, " recorded ops pass by themselves");
  return result;
}

}  // namespace gradus::detail
