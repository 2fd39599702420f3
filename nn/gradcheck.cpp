// SPDX-License-Identifier: MIT
#include <gradus/nn/gradcheck.hpp>

#include <vector>

namespace gradus {
namespace {

// Where all random streams of a module stand: its state dictionary without what is no generator.
StateDict generators_of(const Module& module) {
  StateDict streams;
  for (NamedTensor& entry : module.state_dict({.generators = true})) {
    if (entry.value.dtype() == DType::i64) streams.push_back(std::move(entry));
  }
  return streams;
}

}  // namespace

GradcheckReport gradcheck(Module& module, const std::vector<NamedInput>& inputs, FunctionRef f,
                          const GradcheckOptions& options) {
  const std::vector<NamedParameter> parameters = module.parameters();
  std::vector<NamedInput> all = inputs;
  for (const NamedParameter& named : parameters) all.push_back({named.name, named.parameter->value()});
  const StateDict streams = generators_of(module);
  const auto rewind = [&] { module.load_state_dict(streams, {.strict = false}); };
  const auto bound = [&](const std::vector<Variable>& values) {
    const std::vector<Variable> own(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(inputs.size()));
    std::vector<Owned<ParameterBinding>> bindings;
    for (size_t i = 0; i < parameters.size(); ++i) {
      bindings.emplace_back(new ParameterBinding(*parameters[i].parameter, values[inputs.size() + i]));
    }
    rewind();
    return f(own);
  };
  const GradcheckReport report = gradcheck(bound, all, options);
  rewind();
  return report;
}

}  // namespace gradus
