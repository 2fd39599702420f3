// SPDX-License-Identifier: MIT
// Sequences from files, and batches of them: BatchOrder, Prefetch, pad_sequences, make_sequence_batch, read_lines.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/tensor.hpp>

namespace gradus {

/// Numbers of symbols.
using Sequence = std::vector<int64_t>;

/// The lines of a UTF-8 text file. A byte order mark, carriage returns at the end and empty lines are dropped. Throws
/// when the file cannot be read, has no line that is left, or is not UTF-8, with the number of the line.
GRADUS_API std::vector<std::string> read_lines(const std::string& path);

struct TextLine {
  std::string text;
  int64_t line = 0;  ///< its number in the file, from 1
};

/// The same, with the numbers that messages need.
GRADUS_API std::vector<TextLine> read_numbered_lines(const std::string& path);

struct TextPair {
  std::string source;
  std::string target;
  std::string tags;  ///< empty when the file has no column for them
  int64_t line = 0;  ///< its number in the file, from 1
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

struct PrefetchOptions {
  int64_t batches = 2;  ///< so many are prepared at most; >= 1
};

namespace detail {

/// A source of batches, without its type. `next` gives a new batch, which `destroy` deletes.
struct PrefetchSource {
  void* object;
  void* (*next)(void* object);
  std::vector<NamedTensor> (*state)(void* object);
  void (*load)(void* object, const std::vector<NamedTensor>& state);
  void (*destroy)(void* batch);
};

/// The thread of a Prefetch.
class GRADUS_API PrefetchThread {
 public:
  PrefetchThread(const PrefetchSource& source, int64_t batches);
  ~PrefetchThread();
  PrefetchThread(const PrefetchThread&) = delete;
  PrefetchThread& operator=(const PrefetchThread&) = delete;

  void* next();
  std::vector<NamedTensor> state_dict() const;
  void load_state_dict(const std::vector<NamedTensor>& state);

 private:
  struct Parts;
  Parts* parts_;
};

struct UnchangedBatch {
  template <class T>
  T operator()(T batch) const {
    return batch;
  }
};

}  // namespace detail

/// The batches of `source` (next(), state_dict(), load_state_dict(), as BatchOrder and TextRows have them), or
/// make(batch) of each. They are the same in the same order, but a thread prepares the next ones meanwhile:
///   Prefetch batches(order, [&](const std::vector<int64_t>& items) { return make_sequence_batch(x, y, items); });
template <class Source, class Make = detail::UnchangedBatch>
class Prefetch {
 public:
  using Batch = decltype(std::declval<Make&>()(std::declval<Source&>().next()));

  /// The source, and what `make` reads, must outlive it. Nothing else may use them meanwhile.
  explicit Prefetch(Source& source, const PrefetchOptions& options = {}) : Prefetch(source, Make(), options) {}
  Prefetch(Source& source, Make make, const PrefetchOptions& options = {})
      : source_(source), make_(std::move(make)), thread_(functions(), options.batches) {}
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  /// Throws what the source or `make` threw for this batch. Then the next call goes on after it.
  Batch next() {
    struct Holder {
      Batch* batch;
      ~Holder() { delete batch; }
    };
    const Holder holder{static_cast<Batch*>(thread_.next())};
    return std::move(*holder.batch);
  }

  /// The state of the source after the last batch that next() gave, whatever is prepared already. A training that is
  /// resumed with it goes on with the next one.
  [[nodiscard]] std::vector<NamedTensor> state_dict() const { return thread_.state_dict(); }
  /// Drops what is prepared. When the source refuses the state, nothing changes.
  void load_state_dict(const std::vector<NamedTensor>& state) { thread_.load_state_dict(state); }

 private:
  detail::PrefetchSource functions() {
    return {.object = this,
            .next = [](void* self) -> void* {
              auto& p = *static_cast<Prefetch*>(self);
              return new Batch(p.make_(p.source_.next()));
            },
            .state = [](void* self) { return std::as_const(static_cast<Prefetch*>(self)->source_).state_dict(); },
            .load = [](void* self,
                       const std::vector<NamedTensor>& s) { static_cast<Prefetch*>(self)->source_.load_state_dict(s); },
            .destroy = [](void* batch) { delete static_cast<Batch*>(batch); }};
  }

  Source& source_;
  Make make_;
  detail::PrefetchThread thread_;  // the last member: it ends before what it uses
};

}  // namespace gradus
