// SPDX-License-Identifier: MIT
#include <gradus/nn/attention/chain/chain.hpp>

#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/nn/attention/chain/heads.hpp>
#include <gradus/nn/attention/chain/window.hpp>
#include <gradus/nn/attention/memory.hpp>
#include <gradus/nn/required_size.hpp>

namespace gradus {
namespace {

const AttentionOptions& checked(const AttentionOptions& options) {
  detail::require_size("attention", "query_size", options.query_size);
  detail::require_size("attention", "key_size", options.key_size);
  detail::require_size("attention", "heads", options.heads);
  GRADUS_CHECK(options.query_size % options.heads == 0 && options.key_size % options.heads == 0,
               "[attention] expected query_size and key_size to be multiples of heads, got ", options.query_size, ", ",
               options.key_size, " and ", options.heads);
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
  bool fits = x.rank() <= scores.rank();
  for (int axis = 1; fits && axis <= x.rank(); ++axis) {
    fits = x.size(-axis) == 1 || x.size(-axis) == scores[scores.rank() - axis];
  }
  GRADUS_CHECK(fits, "[attention] ", what, " does not broadcast to the scores: expected ", scores, ", got ",
               describe(x));
}

void require_score_shape(const char* what, const Module& part, const Variable& got, const Shape& scores) {
  GRADUS_CHECK(got.defined() && got.shape() == scores, "[attention] wrong ", what, " from ", part.kind(), ": expected ",
               scores, ", got ", got.defined() ? describe(got) : "nothing");
}

// Alignments are scores without the axis of queries.
void require_alignment(const char* what, const Variable& x, const Shape& scores) {
  Shape expected = {scores[0], scores[scores.rank() - 1]};
  if (scores.rank() == 4) expected = {scores[0], scores[1], scores[3]};
  GRADUS_CHECK(x.shape() == expected, "[attention] wrong alignment.", what, ": expected ", expected, ", got ",
               describe(x));
}

// The part of x, which broadcasts to the scores, for query i.
Variable row_of(const Variable& x, int64_t i) {
  return !x.defined() || x.rank() < 2 || x.size(-2) == 1 ? x : narrow(x, -2, i, 1);
}

// Of one head.
Shape scores_shape(const Variable& query, const PreparedMemory& memory) {
  return {query.size(0), query.size(1), memory.memory.size(1)};
}

// Of all heads, when there are several.
Shape scores_shape(const Variable& query, const PreparedMemory& memory, int64_t heads) {
  if (heads == 1) return scores_shape(query, memory);
  return {query.size(0), heads, query.size(1), memory.memory.size(1)};
}

// The heads of MaskSizes.
int64_t mask_heads(int64_t heads) { return heads > 1 ? heads : 0; }

// x, which broadcasts to the scores, with 0 where it may hold anything.
Variable where_allowed(const Variable& x, const PreparedMemory& memory) {
  if (x.rank() == 0) return x;
  return detail::only_kept(x.size(-1) == 1 ? memory.asking : memory.keep, x);
}

// What broadcasts to the scores of several heads, with four axes if it depends on the head.
Variable with_head_axis(const Variable& x) { return x.defined() && x.rank() == 3 ? unsqueeze(x, 0) : x; }

// The axis of heads of dot_product_attention.
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
  Rows head(int64_t h, int64_t heads) const {
    Rows out = *this;
    out.query = detail::units_of_head(query, h, heads);
    out.memory.memory = detail::units_of_head(memory.memory, h, heads);
    out.memory.keys = select(memory.keys, 1, h);
    for (Variable* x : {&out.memory.keep, &out.scale, &out.bias, &out.window_factor}) *x = detail::of_head(*x, h);
    if (!alignment.last.defined()) return out;
    out.alignment = {.last = select(alignment.last, 1, h), .total = select(alignment.total, 1, h)};
    return out;
  }
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
  return {.p = options().dropout, .at = dropout_->reserve(rows.scores().numel() * options().heads)};
}

Attention::Attention(const AttentionOptions& options, const Place& place) : Layer(checked(options), place) {
  if (options.heads == 1) {
    only_ = detail::HeadParts::build(options, [this](const char* name) -> Place { return child(name); });
  } else {
    AttentionOptions each = options;
    each.query_size /= options.heads;
    each.key_size /= options.heads;
    each.heads = 1;
    heads_ = Owned<ModuleList<detail::AttentionHead>>(
        new ModuleList<detail::AttentionHead>(options.heads, each, child("heads")));
  }
  GRADUS_CHECK(options.over == NormaliseOver::keys || !remembers(), "[", kind(),
               "] a score or normaliser that depends on earlier weights needs NormaliseOver::keys");
  if (options.dropout != 0.0) dropout_.emplace(DropoutOptions{.p = options.dropout}, child("dropout"));
  scale_ = options.scale.value_or(head(0).score->scale());
}

Attention::~Attention() = default;

detail::HeadParts& Attention::head(int64_t h) const { return only_ ? *only_ : (*heads_)[h].parts(); }

bool Attention::remembers() const { return head(0).score->remembers() || head(0).normaliser->remembers(); }

// Of several heads: [B, H, ..].
Variable Attention::prepared_keys(const Variable& keys) {
  if (!has_several()) return head(0).score->prepare(keys);
  std::vector<Variable> each;
  for (int64_t h = 0; h < options().heads; ++h) {
    each.push_back(head(h).score->prepare(detail::units_of_head(keys, h, options().heads)));
  }
  return stack(each, 1);
}

PreparedMemory Attention::prepared(const Variable& keys, const Variable& values, const Mask& mask, int64_t queries) {
  const Variable& all_keys = keys.defined() ? keys : values;
  const int64_t heads = mask_heads(options().heads);
  detail::check_memory(kind(), all_keys, options().key_size, mask, heads);
  GRADUS_CHECK(values.rank() == 3 && values.size(0) == all_keys.size(0) && values.size(1) == all_keys.size(1), "[",
               kind(), "] expected values [", all_keys.size(0), ", ", all_keys.size(1), ", Dv], got ",
               describe(values));
  GRADUS_CHECK(values.size(2) % options().heads == 0, "[", kind(),
               "] expected values whose size is a multiple of heads, got ", values.size(2), " and ", options().heads);
  PreparedMemory out = detail::readable_memory(keys, values, mask, queries, heads);
  out.keys = prepared_keys(detail::raw_keys(out));
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
  const Shape scores = scores_shape(query, memory, options().heads);
  require_broadcasts_to_scores("scale", call.scale, scores);
  require_broadcasts_to_scores("bias", call.bias, scores);
  GRADUS_CHECK(call.alignment.last.defined() == call.alignment.total.defined(), "[", kind(),
               "] expected alignment.last and alignment.total, or neither");
  if (call.alignment.last.defined()) {
    require_alignment("last", call.alignment.last, scores);
    require_alignment("total", call.alignment.total, scores);
  }
  if (!call.positions.defined()) return;
  GRADUS_CHECK(options().window.width > 0 && !options().window.predicted, "[", kind(),
               "] expected no positions: they belong to a window that is not predicted");
  const Tensor& positions = call.positions;
  const int64_t batch = query.size(0), queries = query.size(1);
  const bool fits = positions.rank() == 2 && (positions.size(0) == 1 || positions.size(0) == batch) &&
                    positions.size(1) == queries && positions.dtype() != DType::boolean;
  GRADUS_CHECK(fits, "[", kind(), "] wrong positions: expected numbers [", batch, " or 1, ", queries, "], got ",
               describe(positions));
}

AttentionOutput Attention::forward(const Variable& query, const PreparedMemory& memory, const AttendOptions& call) {
  check_call(query, memory, call);
  PreparedMemory here;
  const auto prepare_keys = [this](const Variable& keys) { return prepared_keys(keys); };
  const PreparedMemory& now =
      detail::for_queries(query.size(1), memory, here, prepare_keys, mask_heads(options().heads));
  Rows rows{.query = detail::readable_query(query, now), .memory = now, .alignment = call.alignment};
  rows.scale = has_several() ? with_head_axis(call.scale) : call.scale;
  rows.bias = has_several() ? with_head_axis(call.bias) : call.bias;
  if (options().window.width > 0) set_window(rows, call.positions);
  return head(0).score->remembers() && query.size(1) > 1 ? one_by_one(rows, call.weights) : attend(rows, call.weights);
}

void Attention::set_window(Rows& rows, const Tensor& positions) {
  const detail::WindowSizes sizes{
      .queries = rows.query.size(1), .keys = rows.memory.memory.size(1), .width = options().window.width};
  const int64_t heads = options().heads;
  Variable keep;
  if (options().window.predicted) {
    const Variable counts = detail::key_counts(rows.memory, mask_heads(heads));
    std::vector<Variable> keeps, factors;
    for (int64_t h = 0; h < heads; ++h) {
      const Variable query = has_several() ? detail::units_of_head(rows.query, h, heads) : rows.query;
      const Variable centres = (*head(h).position)(query)*counts;
      factors.push_back(detail::window_factor(centres, sizes));
      keeps.push_back(detail::window_keep(centres.detach(), sizes));
    }
    keep = has_several() ? stack(keeps, 1) : keeps.front();
    rows.window_factor = has_several() ? stack(factors, 1) : factors.front();
  } else {
    keep = detail::window_keep(detail::given_centres(positions, sizes), sizes);
    if (has_several()) keep = unsqueeze(keep, 1);
  }
  rows.memory.keep = rows.memory.keep.defined() ? logical_and(rows.memory.keep, keep) : keep;
}

AttentionOutput Attention::attend(const Rows& rows, ReturnWeights asked) {
  AttentionOutput out;
  Variable sink;
  const bool tiled = works_in_tiles(rows, sink);
  const Dropping drop = draw_dropping(rows);
  if (tiled) out.context = tiled_context(rows, sink, drop);
  if (tiled && asked == ReturnWeights::no) return out;
  const Variable weights = all_weights(rows);
  Variable dropped = weights;
  if (drop.p > 0.0) dropped = dropout(weights, drop.p, drop.at);
  if (dropout_ && dropout_->has_hooks()) dropped = (*dropout_)(weights);
  if (!tiled && !has_several()) out.context = matmul(dropped, rows.memory.memory);
  if (!tiled && has_several()) {
    out.context = detail::joined_heads(matmul(dropped, detail::split_into_heads(rows.memory.memory, options().heads)));
  }
  if (asked == ReturnWeights::before_dropout) out.weights = weights;
  if (asked == ReturnWeights::after_dropout) out.weights = dropped;
  if (!remembers()) return out;
  out.alignment = rows.alignment;
  const int queries = weights.rank() - 2;
  if (weights.size(queries) == 0) return out;
  out.alignment.last = select(weights, queries, weights.size(queries) - 1);
  const Variable added = sum(weights, {queries});
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
          .weights = asked == ReturnWeights::no ? Variable() : concat(weights, -2),
          .alignment = alignment};
}

Variable Attention::all_weights(const Rows& rows) {
  if (!has_several()) return weights_of(rows, 0);
  std::vector<Variable> each;
  for (int64_t h = 0; h < options().heads; ++h) each.push_back(weights_of(rows.head(h, options().heads), h));
  return stack(each, 1);
}

// Of one head, whose rows these are.
Variable Attention::weights_of(const Rows& rows, int64_t h) {
  const Variable& keep = rows.memory.keep;
  const detail::HeadParts& parts = head(h);
  Variable z = parts.score->scores(rows.query, rows.memory.keys, rows.alignment);
  require_score_shape("scores", parts.score->module(), z, rows.scores());
  if (scale_ != 1.0) z = z * scale_;
  if (rows.scale.defined()) z = z * where_allowed(rows.scale, rows.memory);
  if (rows.bias.defined()) z = z + where_allowed(rows.bias, rows.memory);
  if (options().soft_cap) z = tanh(z / *options().soft_cap) * *options().soft_cap;
  const bool over_keys = options().over == NormaliseOver::keys;
  const auto turned = [&](const Variable& x) { return over_keys || !x.defined() ? x : transpose(x, 1, 2); };
  const Variable weights = turned(parts.normaliser->weights(turned(z), turned(keep), rows.alignment));
  require_score_shape("weights", parts.normaliser->module(), weights, rows.scores());
  return rows.window_factor.defined() ? weights * rows.window_factor : weights;
}

// True when dot_product_attention computes what the chain says, with this sink. A single query, as in a decoder, has
// few weights to store, and is up to three times as fast without tiles.
bool Attention::works_in_tiles(const Rows& rows, Variable& sink) {
  const bool by_query = !rows.scale.defined() || rows.scale.rank() == 0 || rows.scale.size(-1) == 1;
  if (rows.query.size(1) <= 1 || options().over != NormaliseOver::keys || !by_query || rows.window_factor.defined() ||
      (dropout_ && dropout_->has_hooks())) {
    return false;
  }
  std::vector<Variable> sinks;
  for (int64_t h = 0; h < options().heads; ++h) {
    const detail::HeadParts& parts = head(h);
    Variable own;
    if (!parts.score->is_product() || parts.score->module().has_hooks() || parts.normaliser->module().has_hooks() ||
        !parts.normaliser->is_softmax(rows.query.dtype(), own)) {
      return false;
    }
    if (own.defined()) sinks.push_back(own);
  }
  if (!sinks.empty()) sink = sinks.size() == 1 ? sinks.front() : concat(sinks, 0);
  return true;
}

Variable Attention::tiled_context(const Rows& rows, const Variable& sink, const Dropping& dropping) {
  const PreparedMemory& memory = rows.memory;
  const int64_t heads = options().heads;
  std::vector<Variable> queries, keys;
  for (int64_t h = 0; h < heads; ++h) {
    const Rows own = has_several() ? rows.head(h, heads) : rows;
    const ScoreFactors factors = head(h).score->factors(own.query, own.memory.keys);
    queries.push_back(own.scale.defined() ? factors.query * where_allowed(own.scale, own.memory) : factors.query);
    keys.push_back(factors.keys);
  }
  DotProductAttentionOptions tiles{.scale = scale_, .soft_cap = options().soft_cap, .sink = sink};
  tiles.dropout = dropping.p;
  tiles.dropout_at = dropping.at;
  tiles.bias = one_head(rows.bias);
  if (options().window.width > 0) {
    tiles.keep = one_head(memory.keep);
  } else if (memory.mask.defined()) {
    const Shape shape = rows.scores();
    const KeyRanges ranges =
        memory.mask.ranges({.batch = shape[0], .heads = mask_heads(heads), .queries = shape[1], .keys = shape[2]});
    tiles.ranges = range_bounds(ranges);
    if (!ranges.all_exact()) tiles.keep = one_head(memory.keep);
  }
  const Variable values = has_several() ? detail::split_into_heads(memory.memory, heads) : one_head(memory.memory);
  const Variable context =
      dot_product_attention(detail::stacked_heads(queries), detail::stacked_heads(keys), values, tiles);
  return has_several() ? detail::joined_heads(context) : squeeze(context, {1});
}

}  // namespace gradus
