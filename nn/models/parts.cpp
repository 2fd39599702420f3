// SPDX-License-Identifier: MIT
#include <gradus/nn/models/parts.hpp>

#include <gradus/autograd/ops/indexing/indexing.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/detail/lengths.hpp>

namespace gradus::detail {

void check_symbols(const char* called, const char* what, const Tensor& symbols) {
  GRADUS_CHECK(symbols.defined() && symbols.rank() == 2 && symbols.dtype() == DType::i64, "[", called, "] expected ",
               what, " i64 [B, T], got ", describe(symbols));
}

void check_teacher_forcing(const char* kind, const Tensor& source, const Tensor& lengths, const Tensor& target_in) {
  check_symbols(kind, "source", source);
  check_symbols(kind, "target_in", target_in);
  GRADUS_CHECK(target_in.size(0) == source.size(0), "[", kind, "] batches differ: source is ", describe(source),
               ", target_in is ", describe(target_in));
  if (lengths.defined()) require_lengths(kind, lengths, source.size(0), source.size(1));
}

void check_start(const Tensor& source, const Tensor& lengths, const Tensor& prompt) {
  check_symbols("start", "source", source);
  GRADUS_CHECK(prompt.defined() && prompt.rank() == 2 && prompt.dtype() == DType::i64 &&
                   prompt.size(0) == source.size(0) && prompt.size(1) >= 1,
               "[start] expected a prompt i64 [", source.size(0), ", P] with P >= 1, got ", describe(prompt));
  if (lengths.defined()) require_lengths("start", lengths, source.size(0), source.size(1));
}

void check_greedy_lengths(const Tensor& source, const Tensor& lengths) {
  if (lengths.defined()) require_lengths("greedy", lengths, source.size(0), source.size(1));
}

Mask mask_of_lengths(const Tensor& lengths) { return lengths.defined() ? Mask::from_lengths(lengths) : Mask::none(); }

Variable project(const EmbeddedSymbols& plain, const Variable& embedded, const Variable& weight, const Variable& bias) {
  return embedded.defined() ? linear(embedded, weight, bias) : project_symbols(plain, weight, bias);
}

Variable embedded(const EmbeddedSymbols& plain, const Variable& embedded) {
  return embedded.defined() ? embedded : embedding(plain.table, plain.symbols);
}

Variable beside(const Variable& a, const Variable& b) {
  return concat({a, expand(b, {a.size(0), a.size(1), b.size(2)})}, -1);
}

Variable chosen_rows(const Variable& x, const Tensor& order, int64_t batch) {
  return !x.defined() || (x.size(0) == 1 && batch != 1) ? x : index_select(x, 0, order);
}

PreparedMemory chosen_rows(const PreparedMemory& prepared, const Tensor& lengths, const Tensor& order, int64_t batch) {
  PreparedMemory out = prepared;
  for (Variable* x : {&out.memory, &out.keys, &out.raw_keys, &out.keep, &out.asking}) {
    *x = chosen_rows(*x, order, batch);
  }
  if (lengths.defined()) out.mask = Mask::from_lengths(index_select(lengths, 0, order).value());
  return out;
}

void RecurrentTarget::begin_with(const Tensor& prompt) {
  Prediction first;
  for (int64_t step = 0; step < prompt.size(1); ++step) first = step_of(symbol_column(prompt, step));
  begin(prompt.size(0), lengths_, first);
}

Prediction RecurrentTarget::read(const Tensor& symbols) {
  const NameScope scope(model_.name().c_str());
  const EvaluationScope evaluation(modules_);
  return step_of(symbols);
}

void RecurrentTarget::reorder_lengths(const Tensor& order) {
  if (lengths_.defined()) lengths_ = index_select(lengths_, 0, order).value();
}

}  // namespace gradus::detail
