// SPDX-License-Identifier: MIT
#include "tests/mutants/cases.hpp"

#include <gradus/autograd/check/battery/battery.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::mutants {
namespace {

class ExampleCase final : public Case {
 public:
  ExampleCase(const OpDef& op, const Example& example, bool zeros) : example_(example), op_case_{op, example_, 11} {
    name = op_case_.name() + (zeros ? ", with zeros" : "");
    set = "op";
    order = op_case_.has_second_order() && !zeros ? 2 : 1;
    detail::Tensors values = op_case_.inputs();
    has_zeros = zeros && detail::put_zeros(op_case_, values);
    base_ = detail::as_variables(values);
    for (const size_t i : op_case_.differentiable_inputs()) {
      inputs_.push_back({input_name(op, i), values[i].clone()});
    }
  }
  bool has_zeros = false;

  const std::vector<NamedInput>& inputs() const override { return inputs_; }
  Values operator()(const Values& in) const override { return detail::OpCase::Function{op_case_, base_}(in); }

 private:
  Example example_;
  detail::OpCase op_case_;
  Values base_;
  std::vector<NamedInput> inputs_;
};

class LayerFunction final : public Case {
 public:
  explicit LayerFunction(Owned<LayerSample> sample) : sample_(std::move(sample)), all_(sample_->inputs()) {
    num_inputs_ = all_.size();
    parameters_ = sample_->module().parameters();
    for (const NamedParameter& named : parameters_) all_.push_back({named.name, named.parameter->value().clone()});
    for (NamedTensor& entry : sample_->module().state_dict({.generators = true})) {
      if (entry.value.dtype() == DType::i64) streams_.push_back(std::move(entry));
    }
  }
  const std::vector<NamedInput>& inputs() const override { return all_; }
  Values operator()(const Values& in) const override {
    std::vector<std::unique_ptr<ParameterBinding>> bindings;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      bindings.push_back(std::make_unique<ParameterBinding>(*parameters_[i].parameter, in[num_inputs_ + i]));
    }
    // Each call uses the same random numbers.
    sample_->module().load_state_dict(streams_, {.strict = false});
    return sample_->run({in.begin(), in.begin() + static_cast<std::ptrdiff_t>(num_inputs_)});
  }

 private:
  Owned<LayerSample> sample_;
  std::vector<NamedInput> all_;
  size_t num_inputs_ = 0;
  std::vector<NamedParameter> parameters_;
  StateDict streams_;
};

}  // namespace

std::unique_ptr<Case> case_of(Owned<LayerSample> sample, const std::string& name, const std::string& set,
                              uint64_t seed) {
  auto made = std::make_unique<LayerFunction>(std::move(sample));
  made->name = name;
  made->set = set;
  made->seed = seed;
  return made;
}

Cases op_cases() {
  Cases cases;
  for (const OpDef* op : all_ops()) {
    if (op->examples == nullptr || op->derivative.vjp() == nullptr) continue;
    bool zeros = false;
    for (const Example& example : op->examples()) {
      if (!example.error.empty() || !example.no_differences.empty()) continue;
      auto made = std::make_unique<ExampleCase>(*op, example, false);
      if (made->inputs().empty()) continue;
      cases.push_back(std::move(made));
      auto with_zeros = std::make_unique<ExampleCase>(*op, example, true);
      if (zeros || !with_zeros->has_zeros) continue;
      zeros = true;  // one example is enough
      cases.push_back(std::move(with_zeros));
    }
  }
  return cases;
}

Cases layer_cases() {
  Cases cases;
  for (const LayerCase& layer : all_layers()) {
    Generator generator(1);
    cases.push_back(case_of(layer.make(generator), layer.name, "layer", 1));
  }
  return cases;
}

}  // namespace gradus::mutants
