// SPDX-License-Identifier: MIT
// Sequences from files, and batches of them: BatchOrder, pad_sequences, make_sequence_batch, read_lines, read_pairs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/tensor.hpp>

namespace gradus {

/// Numbers of symbols.
using Sequence = std::vector<int64_t>;

/// The lines of a UTF-8 text file. A byte order mark, carriage returns at the end and empty lines are dropped. Throws
/// when the file cannot be read, has no line that is left, or is not UTF-8, with the number of the line.
GRADUS_API std::vector<std::string> read_lines(const std::string& path);

struct TextPair {
  std::string source;
  std::string target;
  std::string tags;  ///< empty when the file has no column for them
};

/// The columns of a file of pairs, counted from 0.
struct PairColumns {
  int64_t source = 0;
  int64_t target = 1;
  int64_t tags = -1;  ///< -1: none
};

/// The lines of a UTF-8 text file whose columns are separated by tabs (SIGMORPHON's inflections have {0, 1, 2}, lists
/// of grapheme-to-phoneme pairs {0, 1}). Throws as read_lines does, and when a line has too few columns, with its
/// number.
GRADUS_API std::vector<TextPair> read_pairs(const std::string& path, const PairColumns& columns = {});

struct BatchOrderOptions {
  Required<int64_t> batch_size;
  uint64_t seed = 1;
  /// False: the items in their order, every epoch alike.
  bool shuffle = true;
  /// Batches that are drawn together and sorted by length, so that the items of a batch have similar lengths. 1 sorts
  /// nothing.
  int64_t pool = 32;
  /// Leaves out the last batch of an epoch when it is smaller than batch_size.
  bool drop_last = false;
};

/// The order in which the items of a data set are read: each epoch has each item once. It is a function of the lengths,
/// the options and the epoch alone.
class GRADUS_API BatchOrder {
 public:
  /// `lengths` are those of the items. Throws when there is no item, or no whole batch with drop_last.
  BatchOrder(std::vector<int64_t> lengths, const BatchOrderOptions& options);

  /// The numbers of the items of the next batch. After the last batch of an epoch, the next epoch begins.
  std::vector<int64_t> next();
  /// Counted from 0: that of the batch which next() gives.
  int64_t epoch() const noexcept { return epoch_; }
  int64_t batches_per_epoch() const noexcept { return static_cast<int64_t>(starts_.size()); }

  /// "epoch" and "batch": where the next batch is. Throws when the state does not fit, and then changes nothing.
  [[nodiscard]] std::vector<NamedTensor> state_dict() const;
  void load_state_dict(const std::vector<NamedTensor>& state);

 private:
  void begin_epoch(int64_t epoch);

  std::vector<int64_t> lengths_;
  BatchOrderOptions options_;
  int64_t epoch_ = 0;
  size_t batch_ = 0;            // the next one
  std::vector<int64_t> order_;  // all items
  std::vector<size_t> starts_;  // of the batches in `order_`, in the order in which they are read
};

struct PaddedSequences {
  Tensor symbols;  ///< i64 [B, T], where T is the longest length, at least 1
  Tensor lengths;  ///< i64 [B]
};

/// Sequences as the rows of one tensor, with `pad` after the end of the shorter ones.
GRADUS_API PaddedSequences pad_sequences(std::span<const Sequence> sequences, int64_t pad);

/// Fills target_out after the end of a target. Losses ignore it.
inline constexpr int64_t kIgnoredTarget = -100;

/// Pairs as the input of an encoder-decoder.
struct SequenceBatch {
  Tensor source;          ///< i64 [B, S]
  Tensor source_lengths;  ///< i64 [B]
  Tensor target_in;       ///< i64 [B, T + 1]: the begin mark, then the target
  Tensor target_out;      ///< i64 [B, T + 1]: the target, then the end mark, then kIgnoredTarget
  int64_t tokens = 0;     ///< the elements of target_out that count
};

/// The pairs (sources[i], targets[i]) for each i in `items`, with the marks of Vocabulary.
GRADUS_API SequenceBatch make_sequence_batch(std::span<const Sequence> sources, std::span<const Sequence> targets,
                                             std::span<const int64_t> items);

}  // namespace gradus
