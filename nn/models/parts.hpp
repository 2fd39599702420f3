// SPDX-License-Identifier: MIT
// What the models between symbols share.
#pragma once

#include <vector>

#include <gradus/autograd/grad.hpp>
#include <gradus/nn/attention/attention.hpp>
#include <gradus/nn/decoding/decoding.hpp>
#include <gradus/nn/decoding/parts.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus::detail {

/// Throws `[called] expected source i64 [B, T], got ...`, or the same for target_in.
void check_symbols(const char* called, const char* what, const Tensor& symbols);
/// The checks of a model's forward(): throws `[kind] ...`.
void check_teacher_forcing(const char* kind, const Tensor& source, const Tensor& lengths, const Tensor& target_in);
/// The checks of a model's start(): throws `[start] ...`.
void check_start(const Tensor& source, const Tensor& lengths, const Tensor& prompt);
/// Throws `[greedy] ...` for lengths that are not those of the source.
void check_greedy_lengths(const Tensor& source, const Tensor& lengths);

Mask mask_of_lengths(const Tensor& lengths);

// Symbols, and their embeddings when hooks or dropout need them.
Variable project(const EmbeddedSymbols& plain, const Variable& embedded, const Variable& weight, const Variable& bias);
Variable embedded(const EmbeddedSymbols& plain, const Variable& embedded);

/// a [B, T, M] and b [B, T or 1, N] -> [B, T, M + N].
Variable beside(const Variable& a, const Variable& b);

/// The rows i64 [R] of x [B, ..]. One row stands for all rows when there are several; undefined stays so.
Variable chosen_rows(const Variable& x, const Tensor& order, int64_t batch);
PreparedMemory chosen_rows(const PreparedMemory& prepared, const Tensor& lengths, const Tensor& order, int64_t batch);

/// Column `step` of symbols i64 [B, T], as [B, 1].
inline Tensor symbol_column(const Tensor& symbols, int64_t step) {
  return symbols.slice(1, step, step + 1).contiguous();
}

/// The targets that a recurrent model continues.
class RecurrentTarget : public Continuation {
 protected:
  RecurrentTarget(Module& model, const Tensor& lengths) : model_(model), modules_(model.modules()), lengths_(lengths) {}

  /// For the constructor of a model's own: encode() reads the source, then the prompt i64 [B, P] is read.
  template <class Encode>
  void begin_after(const Encode& encode, const Tensor& prompt) {
    const EvaluationScope evaluation(modules_);
    encode();
    begin_with(prompt);
  }
  /// Reads one symbol for each row, i64 [R, 1], in evaluation mode.
  virtual Prediction step_of(const Tensor& column) = 0;
  const Tensor& lengths() const noexcept { return lengths_; }
  void reorder_lengths(const Tensor& order);

 private:
  void begin_with(const Tensor& prompt);
  Prediction read(const Tensor& symbols) final;

  Module& model_;
  std::vector<NamedModule> modules_;
  Tensor lengths_;  // of the source, for each row
};

/// The body of a recurrent model's start().
template <class Target, class Model>
Owned<Continuation> start_target(Model& model, const Tensor& source, const Tensor& lengths, const Tensor& prompt) {
  const NameScope scope(model.name().c_str());
  check_start(source, lengths, prompt);
  const NoGrad no_grad;
  return Owned<Continuation>(new Target(model, source, lengths, prompt));
}

/// The body of a model's greedy(). `more` goes to its start().
template <class Model, class... More>
Decoded greedy_of(Model& model, const Tensor& source, const Tensor& lengths, const GreedyOptions& options,
                  const More&... more) {
  const NameScope scope(model.name().c_str());
  check_greedy(options, model.options().target_vocab, source);
  check_greedy_lengths(source, lengths);
  const Owned<Continuation> target = model.start(source, lengths, first_symbols(source, options), more...);
  return decode_greedy(
      *target, {.end = options.end, .max_length = options.max_length, .want_attention = options.want_attention});
}

}  // namespace gradus::detail
