// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/diagnosis/tape.hpp>

#include <algorithm>

#include <gradus/autograd/check/differences/order_check.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>

namespace gradus::detail {
namespace {

constexpr size_t kReplayLimit = 4000;
constexpr int64_t kFullReplay = 32;  // input elements of an op that are replayed one by one

std::vector<TapeEntry> tape_of(const std::vector<AppliedOp>& ops) {
  std::vector<TapeEntry> entries;
  for (size_t n = 0; n < ops.size(); ++n) {
    const AppliedOp& applied = ops[n];
    if (!applied.recorded) continue;
    const OpDef& op = *applied.op;
    TapeEntry entry{.op = &op,
                    .attrs = applied.attrs,
                    .num_outputs = static_cast<int>(applied.outputs.size()),
                    .path = applied.path,
                    .applied = static_cast<int64_t>(n)};
    for (size_t i = 0; i < applied.inputs.size(); ++i) {
      const Variable& input = applied.inputs[i];
      const bool auxiliary = in_mask(op.auxiliary_inputs, static_cast<int>(i));
      // An auxiliary input moves with the other inputs, so it is computed from them.
      entry.inputs.push_back(auxiliary && op.complete != nullptr ? Tensor() : input.value());
      const bool floating = input.defined() && is_floating(input.dtype());
      if (!auxiliary && floating && input.requires_grad()) entry.moving.push_back(i);
    }
    entries.push_back(std::move(entry));
  }
  return entries;
}

// x with every second row set to zero (in a vector, every second element). Masks, padding and slices give an op such
// cotangents; random cotangents never look like that.
Variable without_rows(const Variable& x) {
  if (!is_floating(x.dtype())) return x;
  Tensor factor = Tensor::empty(x.shape(), DType::f64);
  const int64_t row = x.rank() < 2 ? 1 : std::max<int64_t>(1, x.size(-1));
  double* values = factor.mutable_data_<double>();
  for (int64_t i = 0; i < factor.numel(); ++i) values[i] = i / row % 2 == 0 ? 1.0 : 0.0;
  return mul(x, factor.to(x.dtype()));
}

// The op as a function of its moving inputs.
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

// The worst failed result whose signature is known, or else the worst failed result.
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

// Describes the error of an op whose own check failed.
void describe_failure(const GradcheckReport& report, BadOp& bad) {
  const GradcheckResult* result = telling_failure(report);
  if (result == nullptr) {
    if (!report.problems.empty()) bad.text = report.problems.front();
    return;
  }
  bad.signature = result->signature;
  bad.input = result->input;
  bad.text = join("order ", result->order, ", ", result->input, " at ", result->where, ": analytic ", result->analytic,
                  ", numeric ", result->numeric);
}

// How closely a recorded op is checked. glance: one direction, so that a long tape is done quickly. sparse: with a
// cotangent that is zero in places.
enum class Look : uint8_t { glance, full, sparse };

GradcheckReport check_entry(const TapeEntry& entry, const GradcheckOptions& options, Look look) {
  std::vector<NamedInput> inputs;
  bool small = true;
  for (const size_t i : entry.moving) {
    inputs.push_back({input_name(*entry.op, i), entry.inputs[i].clone()});
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
  // Checks the bad op closely.
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
  return tape_of(record_ops(f, values).ops);
}

namespace {

// The first recorded op whose own check fails.
struct Found {
  BadOp bad;
  int64_t applied = -1;  // its number among all ops that ran, recorded or not
};

Found first_bad(const std::vector<TapeEntry>& tape, const GradcheckOptions& options, Look look) {
  Found found;
  BadOp& result = found.bad;
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
    found.applied = entry.applied;
    if (look == Look::sparse) result.text += " (with a cotangent that is zero in places)";
    return found;
  }
  return found;
}

}  // namespace

BadOp find_bad_op(const FunctionRef& f, const std::vector<NamedInput>& inputs, const std::vector<size_t>& wrong,
                  const GradcheckOptions& options) {
  std::vector<Tensor> values;
  values.reserve(inputs.size());
  for (const NamedInput& input : inputs) values.push_back(input.value);
  AppliedOps applied = record_ops(f, values);
  const std::vector<TapeEntry> tape = tape_of(applied.ops);
  Found found;
  for (const Look look : {Look::glance, Look::full, Look::sparse}) {
    found = first_bad(tape, options, look);
    if (found.bad.found()) break;
  }
  BadOp& bad = found.bad;
  const Trace trace(std::move(applied));
  if (bad.found()) {
    bad.step = trace.step_of(found.applied);
    return bad;
  }
  bad.detached = trace.detached(wrong, inputs);
  if (tape.size() > kReplayLimit) {
    bad.text = join("the first ", kReplayLimit, " recorded ops pass by themselves");
  } else {
    bad.text = "each recorded op passes by itself";
    if (bad.detached.empty()) bad.text += ": look for a value that was detached, or a branch that is not recorded";
  }
  return bad;
}

}  // namespace gradus::detail
