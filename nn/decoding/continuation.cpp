// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/grad.hpp>
#include <gradus/nn/decoding/parts.hpp>

namespace gradus {

Continuation::~Continuation() = default;

void Continuation::begin(int64_t items, const Tensor& source_lengths, const Prediction& first) {
  items_.resize(static_cast<size_t>(items));
  for (int64_t item = 0; item < items; ++item) items_[static_cast<size_t>(item)] = item;
  source_lengths_ = source_lengths.defined() ? source_lengths.clone() : Tensor();
  next_ = first;
}

int64_t Continuation::source_length(int64_t row) const {
  GRADUS_CHECK(row >= 0 && row < rows(), "[Continuation] there is no row ", row, ": expected one of ", rows());
  if (!source_lengths_.defined()) return next_.attention.defined() ? next_.attention.size(1) : 0;
  return source_lengths_.data<int64_t>()[items_[static_cast<size_t>(row)]];
}

void Continuation::extend(const std::vector<int64_t>& order, const std::vector<int64_t>& symbols) {
  GRADUS_CHECK(order.size() == symbols.size(), "[Continuation] expected a symbol for each row, got ",
               static_cast<int64_t>(order.size()), " rows and ", static_cast<int64_t>(symbols.size()), " symbols");
  const int64_t vocabulary = next_.logits.size(1);
  bool moves = order.size() != items_.size();
  std::vector<int64_t> items;
  for (size_t i = 0; i < order.size(); ++i) {
    GRADUS_CHECK(order[i] >= 0 && order[i] < rows(), "[Continuation] there is no row ", order[i], ": expected one of ",
                 rows());
    GRADUS_CHECK(symbols[i] >= 0 && symbols[i] < vocabulary, "[Continuation] expected symbols in [0, ", vocabulary,
                 "), got ", symbols[i]);
    items.push_back(items_[static_cast<size_t>(order[i])]);
    moves = moves || order[i] != static_cast<int64_t>(i);
  }
  const NoGrad no_grad;
  const auto count = static_cast<int64_t>(order.size());
  if (moves) reorder(Tensor::from<int64_t>(order, {count}), items != items_);
  items_ = std::move(items);
  next_ = read(Tensor::from<int64_t>(symbols, {count, 1}));
}

namespace detail {

EvaluationScope::EvaluationScope(const std::vector<NamedModule>& modules) : modules_(modules) {
  const auto trains = [](const NamedModule& named) { return named.module->training(); };
  if (std::none_of(modules.begin(), modules.end(), trains)) return;
  for (const NamedModule& named : modules) training_.push_back(trains(named));
  modules.front().module->eval_();
}

// The first module is the model, and parents come before children, so that each module gets its own mode last.
EvaluationScope::~EvaluationScope() {
  for (size_t i = 0; i < training_.size(); ++i) {
    Module& module = *modules_[i].module;
    if (module.training() == training_[i]) continue;
    if (training_[i]) {
      module.train_();
    } else {
      module.eval_();
    }
  }
}

void check_decoding(const char* called, const Continuation& rows, int64_t end, int64_t max_length) {
  const int64_t vocabulary = rows.next().logits.size(1);
  GRADUS_CHECK(end >= 0 && end < vocabulary && max_length >= 0, "[", called, "] expected end in [0, ", vocabulary,
               ") and max_length >= 0, got ", end, " and ", max_length);
}

std::vector<double> logits_of(const char* called, const Tensor& logits, int64_t row) {
  const Tensor given = logits.select(0, row).to(DType::f64).contiguous();
  std::vector<double> out(given.data<double>(), given.data<double>() + given.numel());
  bool finite = false;
  for (const double z : out) {
    GRADUS_CHECK(!std::isnan(z) && z != HUGE_VAL, "[", called, "] expected logits below infinity, got ", z, " in row ",
                 row);
    finite = finite || std::isfinite(z);
  }
  GRADUS_CHECK(finite, "[", called, "] expected a finite logit, got none in row ", row);
  return out;
}

void check_greedy(const GreedyOptions& options, int64_t vocabulary, const Tensor& source) {
  const auto in_vocabulary = [&](int64_t symbol) { return symbol >= 0 && symbol < vocabulary; };
  GRADUS_CHECK(in_vocabulary(options.begin) && in_vocabulary(options.end) && options.max_length >= 0,
               "[greedy] expected begin and end in [0, ", vocabulary, ") and max_length >= 0, got ", options.begin,
               ", ", options.end, " and ", options.max_length);
  GRADUS_CHECK(source.defined() && source.rank() == 2 && source.dtype() == DType::i64,
               "[greedy] expected source i64 [B, T], got ", describe(source));
}

Tensor first_symbols(const Tensor& source, const GreedyOptions& options) {
  return full({source.size(0), 1}, static_cast<double>(options.begin), {.dtype = DType::i64});
}

}  // namespace detail
}  // namespace gradus
