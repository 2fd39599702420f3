// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/chain/chain.hpp>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/chain/window.hpp>
#include <gradus/nn/attention/memory.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {
namespace {

const AttentionOptions& checked(const AttentionOptions& options) {
  detail::require_size("attention", "query_size", options.query_size);
  detail::require_size("attention", "key_size", options.key_size);
  GRADUS_CHECK(!options.soft_cap || *options.soft_cap > 0.0, "[attention] expected a soft_cap > 0, got ",
               options.soft_cap.value_or(0.0));
  const WindowOptions& window = options.window;
  GRADUS_CHECK(window.width >= 0 && window.hidden_size >= 0,
               "[attention] expected a window with width and hidden_size >= 0, got ", window.width, " and ",
               window.hidden_size);
  GRADUS_CHECK(window.width > 0 || !window.predicted,
               "[attention] expected a window with a width >= 1 around predicted positions, got 0");
  return options;
}

void require_broadcasts_to_scores(const char* what, const Variable& x, const Shape& scores) {
  if (!x.defined()) return;
  bool fits = x.rank() <= 3;
  for (int axis = 1; fits && axis <= x.rank(); ++axis) fits = x.size(-axis) == 1 || x.size(-axis) == scores[3 - axis];
  GRADUS_CHECK(fits, "[attention] ", what, " does not broadcast to the scores: expected ", scores, ", got ",
               describe(x));
}

void require_score_shape(const char* what, const Module& part, const Variable& got, const Shape& scores) {
  GRADUS_CHECK(got.defined() && got.shape() == scores, "[attention] wrong ", what, " from ", part.kind(), ": expected ",
               scores, ", got ", got.defined() ? describe(got) : "nothing");
}

void require_alignment(const char* what, const Variable& x, const PreparedMemory& memory) {
  const Shape expected = {memory.memory.size(0), memory.memory.size(1)};
  GRADUS_CHECK(x.shape() == expected, "[attention] wrong alignment.", what, ": expected ", expected, ", got ",
               describe(x));
}

// The part of x, which broadcasts to the scores, for query i.
Variable row_of(const Variable& x, int64_t i) {
  return !x.defined() || x.rank() < 2 || x.size(-2) == 1 ? x : narrow(x, -2, i, 1);
}

Shape scores_shape(const Variable& query, const PreparedMemory& memory) {
  return {query.size(0), query.size(1), memory.memory.size(1)};
}

// x, which broadcasts to the scores, with 0 where it may hold anything.
Variable where_allowed(const Variable& x, const PreparedMemory& memory) {
  if (x.rank() == 0) return x;
  return detail::only_kept(x.size(-1) == 1 ? memory.asking : memory.keep, x);
}

// The head of dot_product_attention.
Variable one_head(const Variable& x) { return x.defined() && x.rank() == 3 ? unsqueeze(x, 1) : x; }

// i64 [B or 1, Tq or 1, 2].
Variable range_bounds(const KeyRanges& ranges) {
  Tensor bounds = zeros({ranges.items, ranges.queries, 2}, {.dtype = DType::i64});
  int64_t* bound = bounds.mutable_data_<int64_t>();
  for (const KeyRange& range : ranges.ranges) {
    *bound++ = range.first;
    *bound++ = range.last;
  }
  return bounds;
}

}  // namespace

// The queries of a call, with what is theirs alone.
struct Attention::Rows {
  Variable query;
  PreparedMemory memory;  // `keep` includes the window
  Variable scale = {};
  Variable bias = {};
  Variable window_factor = {};  // multiplies the normalised weights; undefined: 1
  Alignment alignment = {};

  Shape scores() const { return scores_shape(query, memory); }
  Rows row(int64_t i) const {
    Rows out = *this;
    for (Variable* x : {&out.query, &out.memory.keep, &out.memory.asking, &out.scale, &out.bias, &out.window_factor}) {
      *x = row_of(*x, i);
    }
    return out;
  }
};

// How much of the weights a call drops, and where: the same in tiles and without them.
struct Attention::Dropping {
  double p = 0.0;  // 0: nothing, or the layer does it
  RandomPosition at = {};
};

Attention::Dropping Attention::draw_dropping(const Rows& rows) {
  if (!dropout_ || !dropout_->training() || dropout_->has_hooks()) return {};
  return {.p = options().dropout, .at = dropout_->reserve(rows.scores().numel())};
}

Attention::Attention(const AttentionOptions& options, const Place& place) : Layer(checked(options), place) {
  const AttentionSizes sizes{.query_size = options.query_size, .key_size = options.key_size, .dtype = options.dtype};
  score_ = options.score.build_(sizes, child("score"));
  normaliser_ = options.normaliser.build_(sizes, child("normaliser"));
  GRADUS_CHECK(options.over == NormaliseOver::keys || !remembers(), "[", kind(),
               "] a score or normaliser that depends on earlier weights needs NormaliseOver::keys");
  if (options.window.predicted) {
    position_ = detail::build<detail::PositionPredictor>(
        {.query_size = options.query_size,
         .hidden_size = options.window.hidden_size > 0 ? options.window.hidden_size : options.query_size,
         .dtype = options.dtype},
        child("position"));
  }
  if (options.dropout != 0.0) dropout_.emplace(DropoutOptions{.p = options.dropout}, child("dropout"));
  scale_ = options.scale.value_or(score_->scale());
}

Attention::~Attention() = default;

PreparedMemory Attention::prepared(const Variable& keys, const Variable& values, const Mask& mask, int64_t queries) {
  const Variable& all_keys = keys.defined() ? keys : values;
  detail::check_memory(kind(), all_keys, options().key_size, mask);
  GRADUS_CHECK(values.rank() == 3 && values.size(0) == all_keys.size(0) && values.size(1) == all_keys.size(1), "[",
               kind(), "] expected values [", all_keys.size(0), ", ", all_keys.size(1), ", Dv], got ",
               describe(values));
  PreparedMemory out = detail::readable_memory(keys, values, mask, queries);
  out.keys = score_->prepare(detail::raw_keys(out));
  return out;
}

PreparedMemory Attention::prepare(const Variable& memory, const Mask& mask) {
  const NameScope scope(scope_name());
  return prepared({}, memory, mask, Mask::kAnyQueries);
}

PreparedMemory Attention::prepare(const Variable& keys, const Variable& values, const Mask& mask) {
  const NameScope scope(scope_name());
  return prepared(keys, values, mask, Mask::kAnyQueries);
}

AttentionOutput Attention::forward(const Variable& query, const Variable& keys, const Variable& values,
                                   const Mask& mask, const AttendOptions& call) {
  GRADUS_CHECK(query.rank() == 3, "[", kind(), "] expected a query [B, Tq, ", options().query_size, "], got ",
               describe(query));
  return forward(query, prepared(keys, values, mask, query.size(1)), call);
}

void Attention::check_call(const Variable& query, const PreparedMemory& memory, const AttendOptions& call) const {
  detail::check_query(kind(), query, options().query_size, memory);
  const Shape scores = scores_shape(query, memory);
  require_broadcasts_to_scores("scale", call.scale, scores);
  require_broadcasts_to_scores("bias", call.bias, scores);
  GRADUS_CHECK(call.alignment.last.defined() == call.alignment.total.defined(), "[", kind(),
               "] expected alignment.last and alignment.total, or neither");
  if (call.alignment.last.defined()) {
    require_alignment("last", call.alignment.last, memory);
    require_alignment("total", call.alignment.total, memory);
  }
  if (!call.positions.defined()) return;
  GRADUS_CHECK(options().window.width > 0 && !options().window.predicted, "[", kind(),
               "] expected no positions: they belong to a window that is not predicted");
  const Tensor& positions = call.positions;
  const bool fits = positions.rank() == 2 && (positions.size(0) == 1 || positions.size(0) == scores[0]) &&
                    positions.size(1) == scores[1] && positions.dtype() != DType::boolean;
  GRADUS_CHECK(fits, "[", kind(), "] wrong positions: expected numbers [", scores[0], " or 1, ", scores[1], "], got ",
               describe(positions));
}

AttentionOutput Attention::forward(const Variable& query, const PreparedMemory& memory, const AttendOptions& call) {
  check_call(query, memory, call);
  PreparedMemory here;
  const PreparedMemory& now =
      detail::for_queries(query.size(1), memory, here, [this](const Variable& keys) { return score_->prepare(keys); });
  Rows rows{.query = detail::readable_query(query, now), .memory = now, .alignment = call.alignment};
  if (call.scale.defined()) rows.scale = where_allowed(call.scale, now);
  rows.bias = call.bias;
  if (options().window.width > 0) set_window(rows, call.positions);
  return score_->remembers() && query.size(1) > 1 ? one_by_one(rows, call.weights) : attend(rows, call.weights);
}

void Attention::set_window(Rows& rows, const Tensor& positions) {
  const detail::WindowSizes sizes{
      .queries = rows.query.size(1), .keys = rows.memory.memory.size(1), .width = options().window.width};
  Variable centres;
  if (position_) {
    centres = (*position_)(rows.query) * detail::key_counts(rows.memory);
    rows.window_factor = detail::window_factor(centres, sizes);
  } else {
    centres = detail::given_centres(positions, sizes);
  }
  const Variable keep = detail::window_keep(centres.detach(), sizes);
  rows.memory.keep = rows.memory.keep.defined() ? logical_and(rows.memory.keep, keep) : keep;
}

AttentionOutput Attention::attend(const Rows& rows, ReturnWeights asked) {
  AttentionOutput out;
  Variable sink;
  const bool tiled = works_in_tiles(rows, sink);
  const Dropping drop = draw_dropping(rows);
  if (tiled) out.context = tiled_context(rows, sink, drop);
  if (tiled && asked == ReturnWeights::no) return out;
  const Variable weights = weights_of(rows);
  Variable dropped = weights;
  if (drop.p > 0.0) dropped = dropout(weights, drop.p, drop.at);
  if (dropout_ && dropout_->has_hooks()) dropped = (*dropout_)(weights);
  if (!tiled) out.context = matmul(dropped, rows.memory.memory);
  if (asked == ReturnWeights::before_dropout) out.weights = weights;
  if (asked == ReturnWeights::after_dropout) out.weights = dropped;
  if (!remembers()) return out;
  out.alignment = rows.alignment;
  if (weights.size(1) == 0) return out;
  out.alignment.last = select(weights, 1, weights.size(1) - 1);
  const Variable added = sum(weights, {1});
  out.alignment.total = rows.alignment.total.defined() ? rows.alignment.total + added : added;
  return out;
}

AttentionOutput Attention::one_by_one(const Rows& rows, ReturnWeights asked) {
  std::vector<Variable> contexts;
  std::vector<Variable> weights;
  Alignment alignment = rows.alignment;
  for (int64_t i = 0; i < rows.query.size(1); ++i) {
    Rows row = rows.row(i);
    row.alignment = alignment;
    AttentionOutput out = attend(row, asked);
    contexts.push_back(out.context);
    weights.push_back(out.weights);
    alignment = out.alignment;
  }
  return {.context = concat(contexts, 1),
          .weights = asked == ReturnWeights::no ? Variable() : concat(weights, 1),
          .alignment = alignment};
}

Variable Attention::weights_of(const Rows& rows) {
  const Variable& keep = rows.memory.keep;
  Variable z = score_->scores(rows.query, rows.memory.keys, rows.alignment);
  require_score_shape("scores", score_->module(), z, rows.scores());
  if (scale_ != 1.0) z = z * scale_;
  if (rows.scale.defined()) z = z * rows.scale;
  if (rows.bias.defined()) z = z + where_allowed(rows.bias, rows.memory);
  if (options().soft_cap) z = tanh(z / *options().soft_cap) * *options().soft_cap;
  const bool over_keys = options().over == NormaliseOver::keys;
  const auto turned = [&](const Variable& x) { return over_keys || !x.defined() ? x : transpose(x, 1, 2); };
  const Variable weights = turned(normaliser_->weights(turned(z), turned(keep), rows.alignment));
  require_score_shape("weights", normaliser_->module(), weights, rows.scores());
  return rows.window_factor.defined() ? weights * rows.window_factor : weights;
}

// True when dot_product_attention computes what the chain says, with this sink. A single query, as in a decoder, has
// few weights to store, and is up to three times as fast without tiles.
bool Attention::works_in_tiles(const Rows& rows, Variable& sink) {
  const bool by_query = !rows.scale.defined() || rows.scale.rank() == 0 || rows.scale.size(-1) == 1;
  return rows.query.size(1) > 1 && options().over == NormaliseOver::keys && by_query && !rows.window_factor.defined() &&
         !(dropout_ && dropout_->has_hooks()) && score_->is_product() && !score_->module().has_hooks() &&
         !normaliser_->module().has_hooks() && normaliser_->is_softmax(rows.query.dtype(), sink);
}

Variable Attention::tiled_context(const Rows& rows, const Variable& sink, const Dropping& dropping) {
  const PreparedMemory& memory = rows.memory;
  const ScoreFactors factors = score_->factors(rows.query, memory.keys);
  const Variable scaled = rows.scale.defined() ? factors.query * rows.scale : factors.query;
  DotProductAttentionOptions tiles{.scale = scale_, .soft_cap = options().soft_cap, .sink = sink};
  tiles.dropout = dropping.p;
  tiles.dropout_at = dropping.at;
  tiles.bias = one_head(rows.bias);
  if (options().window.width > 0) {
    tiles.keep = one_head(memory.keep);
  } else if (memory.mask.defined()) {
    const Shape shape = rows.scores();
    const KeyRanges ranges = memory.mask.ranges({.batch = shape[0], .queries = shape[1], .keys = shape[2]});
    tiles.ranges = range_bounds(ranges);
    if (!ranges.all_exact()) tiles.keep = one_head(memory.keep);
  }
  return squeeze(dot_product_attention(one_head(scaled), one_head(factors.keys), one_head(memory.memory), tiles), {1});
}

}  // namespace gradus
