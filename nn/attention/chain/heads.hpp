// SPDX-License-Identifier: MIT
#pragma once

#include <gradus/nn/attention/chain/chain.hpp>
#include <gradus/nn/attention/chain/window.hpp>

// The heads of an Attention.

namespace gradus::detail {

/// What each head has of its own.
struct HeadParts {
  Owned<ScoreCall> score = {};
  Owned<NormaliserCall> normaliser = {};
  Owned<PositionPredictor> position = {};  // of predicted windows

  /// Builds the parts of one head at child(name), a Place for each.
  template <class Child>
  static Owned<HeadParts> build(const AttentionOptions& head, const Child& child) {
    const AttentionSizes sizes{.query_size = head.query_size, .key_size = head.key_size, .dtype = head.dtype};
    Owned<HeadParts> out(new HeadParts);
    out->score = head.score.build_(sizes, child("score"));
    out->normaliser = head.normaliser.build_(sizes, child("normaliser"));
    if (head.window.predicted) {
      out->position = detail::build<PositionPredictor>(
          {.query_size = head.query_size,
           .hidden_size = head.window.hidden_size > 0 ? head.window.hidden_size : head.query_size,
           .dtype = head.dtype},
          child("position"));
    }
    return out;
  }
};

/// One of several heads, as a module with these parts. Its options are those of the Attention, with its share of the
/// sizes.
class AttentionHead : public Layer<AttentionHead, AttentionOptions> {
 public:
  AttentionHead(const AttentionOptions& options, const Place& place) : Layer(options, place) {
    show_in_scope_of_children();
    parts_ = HeadParts::build(options, [this](const char* name) -> Place { return child(name); });
  }
  HeadParts& parts() const noexcept { return *parts_; }

 private:
  Owned<HeadParts> parts_;
};

/// x [B, T, D] -> the units of head h of several, [B, T, D / heads].
Variable units_of_head(const Variable& x, int64_t h, int64_t heads);
/// x [B, T, D] -> [B, H, T, D / H].
Variable split_into_heads(const Variable& x, int64_t heads);
/// The other way.
Variable joined_heads(const Variable& x);
/// The part for head h of what broadcasts to [B, H, Tq, Tk] with four axes, or with fewer and then for all heads.
Variable of_head(const Variable& x, int64_t h);
/// One for each head -> [B, H, ..]. A single one is not copied.
Variable stacked_heads(const std::vector<Variable>& each);

}  // namespace gradus::detail
