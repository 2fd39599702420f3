// SPDX-License-Identifier: MIT
#include <gradus/autograd/check/differences/parameters_read.hpp>

#include <algorithm>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/engine/node.hpp>

namespace gradus::detail {
namespace {

class Reader {
 public:
  Reader() : observer_{call, this}, previous_(context().apply_observer) { context().apply_observer = &observer_; }
  ~Reader() { context().apply_observer = previous_; }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  std::vector<ParameterRead> read;

 private:
  static void call(void* state, const OpDef& op, const Attrs& attrs, const Variable* const* inputs, size_t count,
                   const Variable* outputs, size_t num_outputs) {
    auto& self = *static_cast<Reader*>(state);
    auto& read = self.read;
    if (self.previous_ != nullptr) {
      self.previous_->call(self.previous_->state, op, attrs, inputs, count, outputs, num_outputs);
    }
    for (size_t i = 0; i < count; ++i) {
      const NodeRef& node = inputs[i]->node();
      if (!node || node->parameter == nullptr) continue;
      const Parameter* parameter = node->parameter;
      const auto same = [&](const ParameterRead& other) { return other.parameter == parameter; };
      if (std::none_of(read.begin(), read.end(), same)) read.push_back({parameter, op.name, scope_path()});
    }
  }

  ApplyObserver observer_;
  const ApplyObserver* previous_;
};

}  // namespace

std::vector<ParameterRead> parameters_read(const FunctionRef& f, const std::vector<Tensor>& values) {
  const EnableGrad on;
  std::vector<Variable> leaves;
  leaves.reserve(values.size());
  for (const Tensor& value : values) leaves.push_back(leaf(value));
  Reader reader;
  f(leaves);
  return std::move(reader.read);
}

}  // namespace gradus::detail
