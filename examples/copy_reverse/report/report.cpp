// SPDX-License-Identifier: MIT
#include <gradus/examples/copy_reverse/report/report.hpp>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ostream>

#include <gradus/examples/common/text.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus::examples {
namespace {

// Rounds down below 100 %, so that "100 %" always means no mistake.
std::string percent(const Score& score) {
  const double exact = 100.0 * score.rate();
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f %%", score.exact < score.items ? std::min(exact, 99.99) : exact);
  return text.data();
}

std::string shown(const Item& item) {
  std::string out;
  for (const char32_t symbol : item) out += shown_symbol(symbol);
  return out.empty() ? "(nothing)" : out;
}

int width(const Item& item) {
  int out = 0;
  for (const char32_t symbol : item) out += shown_width(symbol);
  return out;
}

void tell_answer(std::ostream& out, Task task, const Item& source, const Item& given, int columns) {
  out << "  " << shown(source) << std::string(static_cast<size_t>(std::max(0, columns - width(source))), ' ') << " -> "
      << shown(given);
  const Item target = target_of(task, source);
  if (given != target) out << "   (wrong: expected " << shown(target) << ")";
  out << "\n";
}

}  // namespace

void tell_beginning(std::ostream& out, const Config& config, const Learner& learner, const DataSet* data) {
  out << "task       " << name_of(learner.task) << ", " << learner.vocabulary.symbol_count() << " symbols\n";
  if (data != nullptr) {
    out << "data       ";
    if (config.data.empty()) {
      out << "random sequences of " << config.min_length << " to " << config.max_length
          << " symbols; one in ten is held out\n";
    } else {
      out << printable(config.data) << ": " << grouped(static_cast<int64_t>(data->training.size()))
          << " items to train on; " << grouped(static_cast<int64_t>(data->held_out.size())) << " held out\n";
    }
  }
  out << "model      " << description(learner.settings) << ": " << grouped(learner.model->module().parameter_count())
      << " parameters" << (config.load.empty() ? "" : ", loaded from " + printable(config.load)) << "\n";
  if (config.steps > 0) {
    out << "training   " << grouped(config.steps) << " steps of " << config.batch << " items, seed " << config.seed
        << ", threads " << num_threads() << "\n\n";
  }
  out << std::flush;
}

void tell_score(std::ostream& out, const std::string& what, const Score& score, int64_t unknown) {
  out << "\nexact match " << percent(score) << " of " << grouped(score.items) << " " << printable(what) << " ("
      << grouped(score.items - score.exact) << " wrong), decoded freely\n";
  if (unknown > 0) {
    out << "  (" << grouped(unknown) << " of them hold symbols that the model has never seen, and count as wrong)\n";
  }
}

void tell_answers(std::ostream& out, Task task, std::span<const Item> sources, std::span<const Item> given) {
  constexpr size_t kExamples = 8;
  constexpr int kMistakes = 3;
  constexpr int kWidest = 40;
  const size_t count = std::min(kExamples, sources.size());
  int columns = 0;
  for (size_t i = 0; i < count; ++i) columns = std::max(columns, width(sources[i * sources.size() / count]));
  columns = std::min(columns, kWidest);
  for (size_t i = 0; i < count; ++i) {
    const size_t at = i * sources.size() / count;
    tell_answer(out, task, sources[at], given[at], columns);
  }
  int mistakes = 0;
  for (size_t i = 0; i < sources.size() && mistakes < kMistakes; ++i) {
    if (given[i] == target_of(task, sources[i])) continue;
    if (mistakes++ == 0) out << "first mistakes:\n";
    tell_answer(out, task, sources[i], given[i], columns);
  }
}

AttentionMap map_of(const Attention& attention) {
  AttentionMapOptions options{.title = "Attention for " + to_utf8(attention.source),
                              .source = code_points(to_utf8(attention.source)),
                              .target = code_points(to_utf8(attention.answer)),
                              .target_name = "answer"};
  if (attention.weights.size(-2) > static_cast<int64_t>(attention.answer.size())) options.target.emplace_back("end");
  return attention_map(attention.weights, options);
}

void tell_attention(std::ostream& out, const Attention& attention, MapColour colour) {
  out << "\n" << map_of(attention).text({.colour = colour});
}

}  // namespace gradus::examples
