// SPDX-License-Identifier: MIT
#include "onnx_files.hpp"

#include <cstdio>
#include <string_view>

#include <gradus/autograd/check/battery/op_case.hpp>
#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/ops/ops_list.hpp>
#include <gradus/autograd/ops/views/views.hpp>

namespace gradus::bench {
namespace {

void add_example(const std::string& prefix, const FunctionRef& f, const std::vector<NamedTensor>& inputs,
                 const std::vector<std::string>& outputs, std::vector<NamedTensor>& examples) {
  const NoGrad off;
  std::vector<Variable> given;
  for (const NamedTensor& input : inputs) {
    given.emplace_back(input.value);
    examples.push_back({prefix + "in." + input.name, input.value});
  }
  const std::vector<Variable> results = f(given);
  for (size_t k = 0; k < outputs.size(); ++k) examples.push_back({prefix + "out." + outputs[k], results[k].value()});
}

}  // namespace

void OnnxFiles::write(const std::string& name, const FunctionRef& f, const std::vector<NamedTensor>& inputs,
                      const std::vector<std::string>& outputs, const OnnxOptions& options) {
  const std::string path = folder_ + "/" + name;
  export_onnx(path + ".onnx", f, inputs, outputs, options);
  std::vector<NamedTensor> examples;
  add_example("", f, inputs, outputs, examples);
  std::vector<NamedTensor> others = inputs;
  for (size_t i = 0; i < others.size(); ++i) {
    Tensor& value = others[i].value;
    const bool given = i < options.other_inputs.size();
    value = given ? options.other_inputs[i] : flip(reshape(value, {-1}), 0).value().reshape(value.shape());
  }
  add_example("other ", f, others, outputs, examples);
  save_safetensors(path + ".safetensors", examples);
  ++models_;
}

namespace {

// The op on the inputs that are given.
struct GivenInputs {
  const detail::OpCase& op_case;
  const std::vector<Tensor>& all;

  std::vector<Variable> operator()(const std::vector<Variable>& given) const {
    std::vector<Variable> inputs;
    size_t next = 0;
    for (const Tensor& input : all) inputs.push_back(input.defined() ? given[next++] : Variable());
    return op_case.outputs(inputs);
  }
};

std::vector<NamedTensor> named(const OpDef& op, const std::vector<Tensor>& inputs) {
  std::vector<NamedTensor> out;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].defined()) out.push_back({input_name(op, i), inputs[i]});
  }
  return out;
}

}  // namespace

void OnnxFiles::write_ops() {
  constexpr std::string_view kBackward = "_backward";
  for (const OpDef* op : all_ops()) {
    const std::string_view name = op->name;
    if (op->examples == nullptr || name.ends_with(kBackward)) continue;
    int number = 0;
    for (const Example& example : op->examples()) {
      // ONNX does not say where a NaN is the largest or the smallest number.
      if (!example.error.empty() || example.name == "tie and NaN") continue;
      const detail::OpCase first{*op, example, 1}, other{*op, example, 2};
      const std::vector<Tensor> inputs = first.inputs(DType::f32);
      const GivenInputs f{first, inputs};
      OnnxOptions options;
      for (const NamedTensor& input : named(*op, other.inputs(DType::f32))) options.other_inputs.push_back(input.value);
      std::vector<std::string> outputs;
      const std::vector<Variable> results = first.outputs(detail::as_variables(inputs));
      for (size_t k = 0; k < results.size(); ++k) outputs.push_back(detail::join("y", k));
      const std::string file = detail::join("op_", op->name, "_", number++);
      try {
        write(file, f, named(*op, inputs), outputs, options);
      } catch (const Error& error) {
        refused_.push_back(std::string(name) + ", " + example.name + ": " + error.what());
        continue;
      }
      --models_;
      ++examples_;
    }
    ++ops_;
  }
}

void OnnxFiles::report() const {
  std::printf("%d models; %d examples of %d ops\n", models_, examples_, ops_);
  for (const std::string& text : refused_) std::printf("refused: %s\n", text.c_str());
}

}  // namespace gradus::bench
