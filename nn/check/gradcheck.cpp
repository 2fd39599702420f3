// SPDX-License-Identifier: MIT
#include <gradus/nn/check/gradcheck.hpp>

#include <gradus/autograd/check/differences/parameters_read.hpp>
#include <gradus/autograd/check/report/conclusion.hpp>

#include <vector>

namespace gradus {
namespace {

// The current states of all random streams of a module: the generator entries of its state dictionary.
StateDict generators_of(const Module& module) {
  StateDict streams;
  for (NamedTensor& entry : module.state_dict({.generators = true})) {
    if (entry.value.dtype() == DType::i64) streams.push_back(std::move(entry));
  }
  return streams;
}

// A module and f, which calls it, as one function of f's inputs and all parameters.
class BoundModule {
 public:
  BoundModule(Module& module, const std::vector<NamedInput>& inputs, const FunctionRef& f)
      : module_(module), f_(f), num_inputs_(inputs.size()), all_(inputs) {
    const std::vector<InputLabels> labels = module.axis_labels();
    for (const NamedParameter& named : module.parameters()) {
      if (!named.parameter->requires_grad()) {
        frozen_.push_back(named.name);
        continue;
      }
      parameters_.push_back(named);
      all_.push_back({named.name, named.parameter->value()});
      for (const InputLabels& known : labels) {
        if (known.input == named.name) all_.back().axes = known.axes;
      }
    }
    streams_ = generators_of(module);
    detail::mark_called(module);  // foreign_parameters() gives a better message
  }
  ~BoundModule() { rewind(); }
  BoundModule(const BoundModule&) = delete;
  BoundModule& operator=(const BoundModule&) = delete;

  const std::vector<NamedInput>& inputs() const { return all_; }
  const std::vector<std::string>& frozen() const { return frozen_; }

  // A sentence for each Parameter that f reads and the module has not registered.
  std::vector<std::string> foreign_parameters() const {
    std::vector<Tensor> values;
    values.reserve(all_.size());
    for (const NamedInput& input : all_) values.push_back(input.value);
    std::vector<std::string> sentences;
    for (const detail::ParameterRead& read : detail::parameters_read(*this, values)) {
      sentences.push_back(detail::join(read.op, read.path.empty() ? "" : " in " + read.path, " reads a Parameter ",
                                       describe(read.parameter->value()), " that ", module_.name(),
                                       " has not registered: its derivative is not checked"));
    }
    return sentences;
  }

  std::vector<Variable> operator()(const std::vector<Variable>& values) const {
    const std::vector<Variable> own(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(num_inputs_));
    std::vector<Owned<ParameterBinding>> bindings;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      bindings.emplace_back(new ParameterBinding(*parameters_[i].parameter, values[num_inputs_ + i]));
    }
    rewind();
    return f_(own);
  }

 private:
  void rewind() const { module_.load_state_dict(streams_, {.strict = false}); }

  Module& module_;
  const FunctionRef& f_;
  size_t num_inputs_;
  std::vector<NamedParameter> parameters_;
  std::vector<NamedInput> all_;
  std::vector<std::string> frozen_;
  StateDict streams_;
};

}  // namespace

void detail::throw_wrong_inputs(const Module& layer, size_t count) {
  throw_error(join("[gradcheck] ", layer.kind(), " is not called with ", count, count == 1 ? " Variable" : " Variables",
                   ": expected layer(x) or layer(x, y); otherwise pass a ", "function that calls it"));
}

GradcheckReport gradcheck(Module& module, const std::vector<NamedInput>& inputs, FunctionRef f,
                          const GradcheckOptions& options) {
  const BoundModule bound(module, inputs, f);
  GradcheckReport report = gradcheck(bound, bound.inputs(), options);
  report.frozen = bound.frozen();
  // When f could not even be called twice, the report already says so.
  if (report.results.empty() && !report.problems.empty()) return report;
  detail::add_not_checked(report, bound.foreign_parameters());
  return report;
}

SelfTestReport self_test(Module& module, const std::vector<NamedInput>& inputs, FunctionRef f,
                         const GradcheckOptions& options) {
  const BoundModule bound(module, inputs, f);
  const std::vector<std::string> foreign = bound.foreign_parameters();
  GRADUS_CHECK(foreign.empty(), "[self_test] ", foreign.front());
  return self_test(bound, bound.inputs(), options);
}

}  // namespace gradus
