// SPDX-License-Identifier: MIT
#pragma once

#include <concepts>
#include <memory>

#include <gradus/examples/copy_reverse/model/settings.hpp>
#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/nn/module.hpp>

namespace gradus::examples {

/// Any of the library's models between symbols. It refers to a model that must outlive it.
class ModelView {
 public:
  ModelView() = default;
  template <std::derived_from<Module> Model>
  ModelView(Model& model)  // NOLINT(google-explicit-constructor)
      : object_(&model), module_(&model), forward_(call_forward<Model>), greedy_(call_greedy<Model>) {}

  /// The logits by teacher forcing: see Seq2Seq.
  Variable operator()(const Tensor& source, const Tensor& lengths, const Tensor& target_in) const {
    return forward_(object_, source, lengths, target_in);
  }
  Decoded greedy(const Tensor& source, const Tensor& lengths, const GreedyOptions& options) const {
    return greedy_(object_, source, lengths, options);
  }
  Module& module() const { return *module_; }

 private:
  template <class Model>
  static Variable call_forward(void* model, const Tensor& source, const Tensor& lengths, const Tensor& target_in) {
    return (*static_cast<Model*>(model))(source, lengths, target_in);
  }
  template <class Model>
  static Decoded call_greedy(void* model, const Tensor& source, const Tensor& lengths, const GreedyOptions& options) {
    return static_cast<Model*>(model)->greedy(source, lengths, options);
  }

  void* object_ = nullptr;
  Module* module_ = nullptr;
  Variable (*forward_)(void*, const Tensor&, const Tensor&, const Tensor&) = nullptr;
  Decoded (*greedy_)(void*, const Tensor&, const Tensor&, const GreedyOptions&) = nullptr;
};

/// One of them, with its owner.
class AnyModel {
 public:
  AnyModel() = default;
  template <class Model>
  explicit AnyModel(std::shared_ptr<Model> model) : view_(*model), owner_(std::move(model)) {}
  const ModelView& operator*() const { return view_; }
  const ModelView* operator->() const { return &view_; }

 private:
  ModelView view_;
  std::shared_ptr<void> owner_;
};

/// Builds a model for `vocabulary` symbols in source and target.
AnyModel make_model(const ModelSettings& settings, int64_t vocabulary, Generator& generator);

/// The number of its parameters, computed without building it.
int64_t parameter_count(const ModelSettings& settings, int64_t vocabulary);

}  // namespace gradus::examples
