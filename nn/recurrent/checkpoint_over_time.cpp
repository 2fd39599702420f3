// SPDX-License-Identifier: MIT
// checkpoint_over_time: each segment of the steps is one checkpoint, whose inputs are its part of x and the state.
#include <algorithm>
#include <cmath>

#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/autograd/transforms.hpp>
#include <gradus/nn/bound_parameters.hpp>
#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/detail/lengths.hpp>

namespace gradus {
namespace detail {

/// Walks over the segments of one call.
struct OverTime {
  RecurrentModule& layer;
  Tensor lengths;
  int64_t batch;
  int64_t time;
  int64_t segment;
  Variable h;
  Variable c;

  OverTime(RecurrentModule& called, int64_t rows, int64_t steps, const RecurrentInput& input,
           const CheckpointOverTimeOptions& options)
      : layer(called), lengths(input.lengths), batch(rows), time(steps), segment(options.segment_length) {
    const RecurrentOptions& own = layer.recurrent_;
    GRADUS_CHECK(!own.bidirectional, "[checkpoint_over_time] a bidirectional ", layer.kind(),
                 " cannot be cut into segments: its reverse direction starts at the end");
    GRADUS_CHECK(own.variational_dropout == 0.0, "[checkpoint_over_time] a ", layer.kind(),
                 " with variational_dropout cannot be cut into segments: one mask is for all steps");
    GRADUS_CHECK(segment >= 0, "[checkpoint_over_time] expected segment_length >= 0, got ", segment);
    if (segment == 0) segment = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(time))));
    layer.require_states(batch, input);
    if (lengths.defined()) {
      require_lengths("checkpoint_over_time", lengths, batch, time);
      lengths = lengths.contiguous();
    }
    const RecurrentState start = layer.initial_state(batch);
    h = input.h0.defined() ? input.h0 : start.h;
    c = input.c0.defined() ? input.c0 : start.c;
  }

  // How many of the steps from `begin` to `end` each row takes.
  Tensor lengths_within(int64_t begin, int64_t end) const {
    if (!lengths.defined()) return {};
    Tensor out = lengths.clone();
    auto* at = out.mutable_data_<int64_t>();
    for (int64_t row = 0; row < batch; ++row) at[row] = std::clamp<int64_t>(at[row] - begin, 0, end - begin);
    return out;
  }

  /// `given` has the first input of each segment's checkpoint, and `read(input, begin, end)` is what the layer reads.
  template <class Read>
  RecurrentOutput run(const std::vector<Variable>& given, const Read& read) {
    const BoundParameters parameters(layer);
    std::vector<Variable> outputs;
    for (int64_t begin = 0; begin < time; begin += segment) {
      const int64_t end = std::min(begin + segment, time);
      const auto call = [&called = layer, parameters, taken = lengths_within(begin, end), read, begin,
                         end](const std::vector<Variable>& in) {
        RecurrentInput state{.h0 = in[1], .lengths = taken};
        if (in.size() > 2) state.c0 = in[2];
        const RecurrentOutput out = parameters.during([&] { return called(read(in[0], begin, end), state); });
        std::vector<Variable> results = {out.output, out.h};
        if (out.c.defined()) results.push_back(out.c);
        return results;
      };
      std::vector<Variable> in = {given[outputs.size()], h};
      if (c.defined()) in.push_back(c);
      const std::vector<Variable> out = gradus::checkpoint(call, in);
      outputs.push_back(out[0]);
      h = out[1];
      if (c.defined()) c = out[2];
    }
    return {.output = concat(outputs, 1), .h = h, .c = c};
  }
};

}  // namespace detail

RecurrentOutput checkpoint_over_time(RecurrentModule& layer, const Variable& x, const RecurrentInput& input,
                                     const CheckpointOverTimeOptions& options) {
  GRADUS_CHECK(x.rank() == 3, "[checkpoint_over_time] expected x [B, T, in], got ", describe(x));
  detail::OverTime over(layer, x.size(0), x.size(1), input, options);
  if (over.time == 0) return layer(x, input);
  const auto read = [](const Variable& part, int64_t, int64_t) { return part; };
  return over.run(split_every(x, {.axis = 1, .size = over.segment}), read);
}

RecurrentOutput checkpoint_over_time(RecurrentModule& layer, const EmbeddedSymbols& x, const RecurrentInput& input,
                                     const CheckpointOverTimeOptions& options) {
  GRADUS_CHECK(x.symbols.defined() && x.symbols.rank() == 2, "[checkpoint_over_time] expected symbols [B, T], got ",
               describe(x.symbols));
  detail::OverTime over(layer, x.symbols.size(0), x.symbols.size(1), input, options);
  if (over.time == 0) return layer(x, input);
  const auto read = [symbols = x.symbols](const Variable& table, int64_t begin, int64_t end) {
    return EmbeddedSymbols{table, symbols.slice(1, begin, end)};
  };
  const int64_t segments = (over.time + over.segment - 1) / over.segment;
  return over.run(std::vector<Variable>(static_cast<size_t>(segments), x.table), read);
}

}  // namespace gradus
