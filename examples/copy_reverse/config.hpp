// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <gradus/examples/copy_reverse/data/item.hpp>
#include <gradus/nn/models/seq2seq.hpp>

namespace gradus::examples {

/// What copy_reverse is asked to do. A field without a value has its default (kDefault...), or what the loaded model
/// says.
struct Config {
  // What is to be learned.
  std::optional<Task> task;
  std::string data;              ///< a text file, one item a line; empty: random sequences
  std::optional<int64_t> vocab;  ///< random sequences: how many symbols
  int64_t min_length = 1;        ///< random sequences
  int64_t max_length = 20;
  int64_t held_out = 10'000;  ///< random sequences: how many to score

  // The model.
  std::optional<CellKind> cell;
  std::optional<AttentionKind> attention;
  std::optional<int64_t> embedding;
  std::optional<int64_t> hidden;

  // Training.
  int64_t steps = 2'000;  ///< 0 only with `load`: scores the model as it is
  int64_t batch = 32;
  double learning_rate = 4e-3;
  uint64_t seed = 1;
  int threads = 1;  ///< more are of use from about 128 hidden numbers on

  // Files; empty: none.
  std::string load;
  std::string eval;
  std::string out;
};

constexpr Task kDefaultTask = Task::reverse;
constexpr CellKind kDefaultCell = CellKind::gru;
constexpr AttentionKind kDefaultAttention = AttentionKind::additive;
constexpr int64_t kDefaultVocab = 20;
constexpr int64_t kDefaultEmbedding = 32;
constexpr int64_t kDefaultHidden = 64;

/// How many of a set of items were answered without a fault, end included, by decoding freely.
struct Score {
  int64_t items = 0;
  int64_t exact = 0;
  double rate() const { return items == 0 ? 0.0 : static_cast<double>(exact) / static_cast<double>(items); }
};

/// The final figures.
struct Metrics {
  std::optional<Score> held_out;   ///< none when only --eval was asked for
  std::optional<Score> eval_file;  ///< of --eval
  double loss = 0;                 ///< mean over the last tenth of the steps
  double train_seconds = 0;        ///< the training loop, progress included
  double tokens_per_second = 0;    ///< target symbols and end marks trained on, by train_seconds
  int64_t parameters = 0;          ///< numbers that training changes
  int64_t steps = 0;
  uint64_t seed = 0;
};

// The words of the command line and of the files.
const char* name_of(Task task);
const char* name_of(CellKind cell);
const char* name_of(AttentionKind attention);
std::optional<Task> task_from(const std::string& name);
std::optional<CellKind> cell_from(const std::string& name);
std::optional<AttentionKind> attention_from(const std::string& name);

/// Throws BadInput naming the first field that has no sense, by the name of its option.
void check(const Config& config);

}  // namespace gradus::examples
