// SPDX-License-Identifier: MIT
// Follows the values of a traced function from op to op, and writes each op as ONNX nodes.
#include <gradus/autograd/export/onnx.hpp>

#include <algorithm>
#include <climits>
#include <deque>
#include <map>
#include <set>
#include <stdexcept>

#include <gradus/autograd/export/onnx_args.hpp>
#include <gradus/autograd/export/op_trace.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/tensor/files/replace_file.hpp>

namespace gradus {
namespace {

using detail::identity_of;
using detail::TracedOp;
using Ops = std::deque<TracedOp>;

std::string place_of(const TracedOp& traced) { return traced.path.empty() ? std::string() : " in " + traced.path; }

// The function on the example (`first`), and on other inputs (`other`), op by op.
struct Traces {
  Ops first;
  Ops other;
};

class Exporter {
 public:
  explicit Exporter(OnnxGraph& graph) : graph_(graph) {}

  void define(const Tensor& value, const std::string& name) {
    if (value.numel() > 0) names_[identity_of(value)] = name;
  }

  // Adds the ops that the `wanted` values need. The traces must live as long as the exporter.
  void add(const Traces& traces, const std::vector<Variable>& wanted) {
    require_same_path(traces);
    const std::vector<bool> needed = needed_for(traces.first, wanted);
    for (size_t n = 0; n < needed.size(); ++n) {
      if (needed[n]) add_op(traces.first[n], traces.other[n]);
    }
  }

  // The name of a value. A value that no op and no input gave is a constant, which must be the same in both traces.
  std::string name_of(const Variable& value, const Variable& other, const TracedOp* reader) {
    if (!value.defined()) return {};
    const auto known = names_.find(identity_of(value.value()));
    if (known != names_.end() && value.numel() > 0) return known->second;
    GRADUS_CHECK(detail::same_bits(value.value(), other.value()), "[export_onnx] a value ", describe(value),
                 reader == nullptr ? std::string(" of the outputs")
                                   : " that " + std::string(reader->op->name) + place_of(*reader) + " reads",
                 " follows from the inputs without an op, so the file would fix it: expected an op, or a constant");
    return graph_.constant(value.value());
  }

 private:
  // Whether the value follows from an input or a parameter.
  bool is_known(const Variable& value) const {
    return value.defined() && value.numel() > 0 && names_.count(identity_of(value.value())) != 0;
  }

  static void require_same_path(const Traces& traces) {
    const size_t count = std::min(traces.first.size(), traces.other.size());
    for (size_t n = 0; n < count; ++n) {
      const TracedOp& a = traces.first[n];
      const TracedOp& b = traces.other[n];
      bool same = a.op == b.op && a.inputs.size() == b.inputs.size() && a.outputs.size() == b.outputs.size();
      for (size_t k = 0; same && k < a.outputs.size(); ++k) same = a.outputs[k].shape() == b.outputs[k].shape();
      GRADUS_CHECK(same, "[export_onnx] the function takes another path with other inputs: ", a.op->name, place_of(a),
                   " and then ", b.op->name, place_of(b), " at the same place");
      detail::require_unchanged("export_onnx", a);
      detail::require_unchanged("export_onnx", b);
    }
    GRADUS_CHECK(traces.first.size() == traces.other.size(),
                 "[export_onnx] the function takes another path with other inputs: it applies ", traces.first.size(),
                 " ops to the example and ", traces.other.size(), " to the others");
  }

  std::vector<bool> needed_for(const Ops& ops, const std::vector<Variable>& wanted) const {
    std::set<std::string> open;
    const auto want = [&](const Variable& value) {
      if (value.defined() && value.numel() > 0 && !is_known(value)) open.insert(identity_of(value.value()));
    };
    for (const Variable& value : wanted) want(value);
    std::vector<bool> needed(ops.size(), false);
    for (size_t n = ops.size(); n-- > 0;) {
      for (const Variable& output : ops[n].outputs) {
        if (output.defined() && open.count(identity_of(output.value())) != 0) needed[n] = true;
      }
      if (!needed[n]) continue;
      for (const Variable& input : ops[n].inputs) want(input);
    }
    return needed;
  }

  void add_op(const TracedOp& traced, const TracedOp& other) {
    bool follows = false;
    for (const Variable& input : traced.inputs) follows = follows || is_known(input);
    if (!follows) return;  // of constants only, so that its outputs are constants
    graph_.set_path(traced.path);
    const OpDef& op = *traced.op;
    if (op.onnx != nullptr) {
      OnnxGraph::Names names;
      for (size_t i = 0; i < traced.inputs.size(); ++i) {
        names.push_back(name_of(traced.inputs[i], other.inputs[i], &traced));
      }
      OnnxArgs args(graph_, op, traced.attrs, traced.inputs, traced.outputs, std::move(names));
      op.onnx(args);
      if (!args.as_reference()) return define_outputs(traced, args.given());
    }
    GRADUS_CHECK(op.reference != nullptr && op.auxiliary_inputs == 0,
                 "[export_onnx] ONNX has no counterpart of the op ", op.name, place_of(traced));
    add_reference(traced, other);
  }

  void define_outputs(const TracedOp& traced, const OnnxGraph::Names& given) {
    for (size_t k = 0; k < given.size(); ++k) {
      if (!given[k].empty()) define(traced.outputs[k].value(), given[k]);
    }
  }

  static std::vector<Variable> run(const TracedOp& traced, Ops& ops) {
    std::vector<const Variable*> inputs;
    for (const Variable& input : traced.inputs) inputs.push_back(&input);
    std::vector<Variable> outputs(traced.outputs.size());
    const detail::TraceOps tracing(ops);
    traced.op->reference(traced.attrs, inputs, outputs.data());
    for (TracedOp& part : ops) part.path = traced.path.empty() ? traced.op->name : traced.path + "/" + traced.op->name;
    return outputs;
  }

  void add_reference(const TracedOp& traced, const TracedOp& other) {
    Traces& traces = references_.emplace_back();
    std::vector<Variable> outputs = run(traced, traces.first);
    const std::vector<Variable> of_other = run(other, traces.other);
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (in_mask(traced.op->auxiliary_outputs, static_cast<int>(k))) outputs[k] = Variable();
    }
    kept_.push_back(outputs);
    add(traces, outputs);
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (!outputs[k].defined()) continue;
      define(traced.outputs[k].value(), name_of(outputs[k], of_other[k], &traced));
    }
  }

  OnnxGraph& graph_;
  std::map<std::string, std::string> names_;
  std::deque<Traces> references_;
  std::deque<std::vector<Variable>> kept_;
};

void check_names(const OnnxGraph::Names& outputs, const std::vector<NamedTensor>& inputs) {
  GRADUS_CHECK(!outputs.empty(), "[export_onnx] expected at least one name of an output, got none");
  for (const std::string& name : outputs) {
    GRADUS_CHECK(!name.empty(), "[export_onnx] expected names of outputs that are not empty");
  }
  for (const NamedTensor& input : inputs) {
    GRADUS_CHECK(!input.name.empty() && input.value.defined(), "[export_onnx] expected inputs with a name, got '",
                 input.name, "': ", describe(input.value));
  }
}

template <class T>
void reverse_elements(Tensor& dense) {
  T* values = dense.mutable_data_<T>();
  std::reverse(values, values + dense.numel());
}

// The elements in the opposite order; if that changes nothing, numbers are halved and bools negated.
Tensor changed(const NamedTensor& input) {
  Tensor out = input.value.contiguous().clone();
  if (out.numel() == 0) return out;
  switch (out.dtype()) {
    case DType::f32:
      reverse_elements<float>(out);
      break;
    case DType::f64:
      reverse_elements<double>(out);
      break;
    case DType::i64:
      reverse_elements<int64_t>(out);
      break;
    case DType::boolean:
      reverse_elements<bool>(out);
      break;
  }
  if (!detail::same_bits(out, input.value)) return out;
  GRADUS_CHECK(out.dtype() != DType::i64, "[export_onnx] the integers of the input ", input.name,
               " read the same backwards: expected OnnxOptions::other_inputs, to see what depends on them");
  if (out.dtype() == DType::boolean) return logical_not(Variable(out)).value();
  return affine(Variable(out), 0.5, 0.25).value();
}

std::vector<Variable> example_of(const std::vector<NamedTensor>& inputs) {
  std::vector<Variable> out;
  out.reserve(inputs.size());
  for (const NamedTensor& input : inputs) out.emplace_back(input.value.contiguous().clone());
  return out;
}

std::vector<Variable> others_of(const std::vector<NamedTensor>& inputs, const std::vector<Tensor>& given) {
  GRADUS_CHECK(given.empty() || given.size() == inputs.size(), "[export_onnx] expected ", inputs.size(),
               " other_inputs, got ", given.size());
  std::vector<Variable> out;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (given.empty() || !given[i].defined()) {
      out.emplace_back(changed(inputs[i]));
      continue;
    }
    const Tensor& example = inputs[i].value;
    GRADUS_CHECK(given[i].shape() == example.shape() && given[i].dtype() == example.dtype(),
                 "[export_onnx] wrong other input ", inputs[i].name, ": expected ", describe(example), ", got ",
                 describe(given[i]));
    out.emplace_back(given[i].contiguous().clone());
  }
  return out;
}

std::vector<Variable> traced(const FunctionRef& f, const std::vector<Variable>& inputs, Ops& ops) {
  const detail::TraceOps tracing(ops);
  return f(inputs);
}

void take(OnnxGraph& graph, const char* what, const std::string& name) {
  GRADUS_CHECK(graph.take(name), "[export_onnx] the name of the ", what, " '", name, "' is taken: expected a new one");
}

void write(const std::string& path, const std::string& bytes) {
  // What a reader of Protocol Buffers takes at most.
  GRADUS_CHECK(bytes.size() <= INT_MAX, "[export_onnx] ", path, ": the model has ", bytes.size(),
               " bytes, expected at most ", INT_MAX);
  try {
    detail::ReplaceFile file(path);
    file.write(bytes.data(), bytes.size());
    file.commit();
  } catch (const std::runtime_error& failure) {
    detail::throw_error(detail::join("[export_onnx] ", path, ": cannot write the file: ", failure.what()));
  }
}

}  // namespace

void export_onnx(const std::string& path, const FunctionRef& f, const std::vector<NamedTensor>& inputs,
                 const std::vector<std::string>& outputs, const OnnxOptions& options) {
  check_names(outputs, inputs);
  const std::vector<Variable> example = example_of(inputs);
  const std::vector<Variable> others = others_of(inputs, options.other_inputs);
  Traces traces;
  const std::vector<Variable> results = traced(f, example, traces.first);
  const std::vector<Variable> of_others = traced(f, others, traces.other);
  GRADUS_CHECK(results.size() == outputs.size() && of_others.size() == outputs.size(), "[export_onnx] expected ",
               outputs.size(), " outputs of the function, as many as names, got ", results.size());

  OnnxGraph graph;
  Exporter exporter(graph);
  for (size_t i = 0; i < inputs.size(); ++i) {
    take(graph, "input", inputs[i].name);
    graph.input(inputs[i].name, example[i].value());
    exporter.define(example[i].value(), inputs[i].name);
  }
  for (const std::string& output : outputs) take(graph, "output", output);
  for (const NamedParameter& named : options.parameters) {
    take(graph, "parameter", named.name);
    graph.initializer(named.name, named.parameter->value());
    exporter.define(named.parameter->value(), named.name);
  }
  exporter.add(traces, results);
  graph.set_path("");
  for (size_t k = 0; k < outputs.size(); ++k) {
    GRADUS_CHECK(results[k].defined(), "[export_onnx] the output ", outputs[k], " is undefined: expected a tensor");
    graph.named_node("Identity", {exporter.name_of(results[k], of_others[k], nullptr)}, outputs[k]);
    graph.output(outputs[k], results[k].value());
  }
  write(path, graph.model());
}

}  // namespace gradus
