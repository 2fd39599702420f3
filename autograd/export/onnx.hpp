// SPDX-License-Identifier: MIT
// Writes a function of tensors, such as a layer, as an ONNX file that other programs run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradus/autograd/parameter.hpp>
#include <gradus/autograd/transforms.hpp>
#include <gradus/tensor/files/safetensors.hpp>

namespace gradus {

struct OnnxOptions {
  /// The parameters that f reads, which become initialisers of their names: `model.parameters()`. Other tensors that f
  /// reads become constants without a name.
  std::vector<NamedParameter> parameters = {};
  /// Other inputs of the same shapes and dtypes, for the check below. Undefined: made from the example, with the
  /// elements of integers in the opposite order. Integers that this does not change must be given here.
  std::vector<Tensor> other_inputs = {};
};

/// Writes the ops that f applies to the example `inputs` as an ONNX model (opset 18), which replaces the file in one
/// step. The inputs and outputs of the model have the given names, and the dtypes and the shapes of the example: batch
/// and lengths are fixed. f runs without recording; call `model.eval_()` before, because dropout is refused.
///   export_onnx("gru.onnx", [&](const std::vector<Variable>& in) { return gru(in[0]).output; }, {{"x", x}}, {"y"},
///               {.parameters = gru.parameters()});
/// A fused op without a counterpart in ONNX is written as its reference. Runs f a second time, on other inputs. Throws
/// when something follows from an input without an op (a branch, a number that was read), since the file would fix it,
/// and when an op has no counterpart: a backward op, or one that draws random numbers.
GRADUS_API void export_onnx(const std::string& path, const FunctionRef& f, const std::vector<NamedTensor>& inputs,
                            const std::vector<std::string>& outputs, const OnnxOptions& options = {});

}  // namespace gradus
