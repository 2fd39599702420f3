// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/model/head_weights.hpp>

#include <memory>
#include <string_view>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/attention.hpp>

namespace gradus::examples {
namespace {

constexpr std::string_view kAttention = ".multihead_attn";

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

/// Keeps what a module returns while it lives.
class Seen {
 public:
  explicit Seen(Module& module) : module_(module) {
    module.on_output_([this](const Variable& x) {
      value_ = x;
      return x;
    });
  }
  ~Seen() { module_.remove_hooks_(); }
  Seen(const Seen&) = delete;
  Seen& operator=(const Seen&) = delete;
  const Variable& value() const { return value_; }

 private:
  Module& module_;
  Variable value_;
};

}  // namespace

// The attention of a layer gets the output of its second norm as query, and that of the encoder as memory.
Tensor head_weights(const ModelView& transformer, const Tensor& source, const Tensor& target_in) {
  const NoGrad no_grad;
  Module& module = transformer.module();
  const Seen memory(module.submodule("transformer.encoder"));
  std::vector<MultiHeadAttention*> attentions;
  std::vector<std::unique_ptr<Seen>> queries;
  for (const NamedModule& named : module.modules()) {
    if (!ends_with(named.path, kAttention)) continue;
    attentions.push_back(static_cast<MultiHeadAttention*>(named.module));
    const std::string layer = named.path.substr(0, named.path.size() - kAttention.size());
    queries.push_back(std::make_unique<Seen>(module.submodule(layer + ".norm2")));
  }
  static_cast<void>(transformer(source, Tensor(), target_in));
  std::vector<Variable> layers;
  for (size_t i = 0; i < attentions.size(); ++i) {
    layers.push_back(attentions[i]->weights(queries[i]->value(), memory.value()));
  }
  return concat(layers, 0).value();
}

}  // namespace gradus::examples
