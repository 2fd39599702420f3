// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include <gradus/autograd/export/onnx.hpp>

namespace gradus::bench {

/// A folder of ONNX files, each with an example.
class OnnxFiles {
 public:
  explicit OnnxFiles(std::string folder) : folder_(std::move(folder)) {}

  /// Writes f as NAME.onnx, and two examples of inputs and outputs as NAME.safetensors.
  void write(const std::string& name, const FunctionRef& f, const std::vector<NamedTensor>& inputs,
             const std::vector<std::string>& outputs, const OnnxOptions& options = {});
  /// Writes each op that is no backward op, for each example of its tests, in f32.
  void write_ops();
  /// Prints how many files there are, and the ops that ONNX does not have.
  void report() const;

 private:
  std::string folder_;
  int models_ = 0;
  int ops_ = 0;
  int examples_ = 0;
  std::vector<std::string> refused_;
};

}  // namespace gradus::bench
