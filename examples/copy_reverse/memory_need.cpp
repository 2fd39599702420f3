// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/memory_need.hpp>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/cell.hpp>
#include <gradus/examples/common/machine_memory.hpp>
#include <gradus/examples/copy_reverse/model/any_model.hpp>

namespace gradus::examples {
namespace {

int64_t gates(CellKind cell) { return cell == CellKind::rnn ? 1 : cell == CellKind::gru ? 3 : 4; }

// At least so many values of one step are kept for the backward pass.
int64_t values_of_step(const ModelSettings& settings) {
  const int64_t hidden = settings.number("hidden");
  switch (settings.model()) {
    case ModelKind::rnn_search:
      return 2 * gates(CellKind::gru) * hidden;
    case ModelKind::luong:
      return 2 * gates(CellKind::lstm) * hidden * settings.number("layers");
    case ModelKind::transformer:
      return 8 * hidden * settings.number("layers");
    case ModelKind::seq2seq:
      break;
  }
  return 2 * gates(cell_from(settings.text("cell")).value()) * hidden;
}

}  // namespace

int64_t parameter_count(const Seq2SeqOptions& o) {
  const int64_t h = o.hidden_size;
  const auto cell = [&](int64_t input) { return gates(o.cell) * h * (input + h + 2); };
  const int64_t bridges = o.cell == CellKind::lstm ? 2 : 1;
  int64_t count = (o.source_vocab + o.target_vocab) * o.embedding_size;
  count += 2 * cell(o.embedding_size) + bridges * (h + 1) * h + cell(o.embedding_size + 2 * h);
  if (o.attention == AttentionKind::additive) count += h * h + 2 * h * h + h;
  if (o.attention == AttentionKind::dot) count += 2 * h * h;
  return count + o.target_vocab * (3 * h + o.embedding_size + 1);
}

void require_memory(const Config& config, const ModelSettings& settings, int64_t vocabulary, int64_t longest,
                    double available) {
  const bool trains = config.steps > 0;
  // Training keeps a gradient and Adam's two averages for each parameter, and a gradient for each value of a batch.
  const double copies = trains ? 4 : 1;
  const double cells = static_cast<double>(config.batch) * static_cast<double>(longest);
  const auto of_step = static_cast<double>(vocabulary + values_of_step(settings));
  double numbers = copies * static_cast<double>(parameter_count(settings, vocabulary));
  if (trains) numbers += 2 * cells * of_step;
  if (config.data.empty()) {
    const double length = static_cast<double>(config.min_length + config.max_length) / 2;
    numbers += static_cast<double>(config.held_out) * length;
  }
  const double needed = 4 * numbers;
  if (needed <= available) return;
  throw BadInput("this takes at least " + gigabytes(needed) + " of memory, and there are " + gigabytes(available) +
                 ": expected a smaller --hidden, --embedding, --vocab, --batch, --max-length or --held-out");
}

}  // namespace gradus::examples
