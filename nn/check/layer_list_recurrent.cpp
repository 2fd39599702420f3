// SPDX-License-Identifier: MIT
#include <gradus/nn/check/layer_sample.hpp>

#include <gradus/nn/recurrent/recurrent.hpp>

namespace gradus {
namespace {

using detail::before_lengths;
using detail::integers;
using detail::Sample;
using detail::sample;
using detail::Values;

Values normalised_outputs(const RecurrentOutput& out) {
  return out.c.defined() ? Values{out.output, out.h, out.c} : Values{out.output, out.h};
}

// Norms start as 1 and 0, and states as 0, where a wrong factor or sign would not show. Larger weights change nothing
// behind the norms, except that these bend less over a difference.
template <class L>
void draw_parameters_of(L& layer, Generator& g) {
  const auto begins = [](const std::string& name, const char* part) { return name.rfind(part, 0) == 0; };
  for (const NamedParameter& named : layer.parameters()) {
    UniformOptions range{.low = -1.0, .high = 1.0, .dtype = DType::f64};
    if (begins(named.name, "norm")) range = {.low = 0.5, .high = 1.0, .dtype = DType::f64};
    if (begins(named.name, "weight")) range = {.low = -1.5, .high = 1.5, .dtype = DType::f64};
    named.parameter->assign_(uniform(named.parameter->shape(), g, range));
  }
}

// Two layers from given states.
template <class L, class Options>
Owned<LayerSample> make_normalised(Options options, Generator& g) {
  constexpr bool has_cell = std::is_same_v<L, Lstm>;
  options.input_size = 3;
  options.hidden_size = 4;
  options.num_layers = 2;
  options.layer_norm = true;
  int64_t state = 4;
  if constexpr (has_cell) state = options.proj_size > 0 ? options.proj_size : state;
  Sample<L>& made = sample<L>(options, g).input("x", {2, 2, 3}).input("h0", {2, 2, state});
  if constexpr (has_cell) made.input("c0", {2, 2, 4});
  draw_parameters_of(made.layer, g);
  return made.as_function([](L& layer, const Values& in) {
    return normalised_outputs(layer(in[0], {.h0 = in[1], .c0 = in.size() > 2 ? in[2] : Variable()}));
  });
}

// Both directions from learned states, rows of length 3, 1 and 0.
template <class L, class Options>
Owned<LayerSample> make_normalised_both_ways(Options options, Generator& g) {
  options.input_size = 3;
  options.hidden_size = 4;
  options.bidirectional = true;
  options.initial_state = InitialState::learned;
  options.layer_norm = true;
  Sample<L>& made = sample<L>(options, g).input("x", {3, 3, 3}, before_lengths({3, 1, 0}, 3));
  draw_parameters_of(made.layer, g);
  return made.as_function([](L& layer, const Values& in) {
    return normalised_outputs(layer(in[0], {.lengths = integers({3, 1, 0}, {3})}));
  });
}

const LayerCase kNormalised[] = {
    {"rnn, layer norm, 2 layers", [](Generator& g) { return make_normalised<Rnn>(RnnOptions{}, g); }},
    {"rnn, layer norm, both directions, lengths",
     [](Generator& g) { return make_normalised_both_ways<Rnn>(RnnOptions{}, g); }},
    {"gru, layer norm, 2 layers", [](Generator& g) { return make_normalised<Gru>(GruOptions{}, g); }},
    {"gru, reset before, layer norm, 2 layers",
     [](Generator& g) { return make_normalised<Gru>(GruOptions{.reset_after = false}, g); }},
    {"gru, layer norm, both directions, lengths",
     [](Generator& g) { return make_normalised_both_ways<Gru>(GruOptions{}, g); }},
    {"lstm, layer norm, 2 layers", [](Generator& g) { return make_normalised<Lstm>(LstmOptions{}, g); }},
    {"lstm, a projection, layer norm, 2 layers",
     [](Generator& g) { return make_normalised<Lstm>(LstmOptions{.proj_size = 2}, g); }},
    {"lstm, layer norm, both directions, lengths",
     [](Generator& g) { return make_normalised_both_ways<Lstm>(LstmOptions{}, g); }},
};

}  // namespace

std::span<const LayerCase> detail::normalised_recurrent_layers() { return kNormalised; }

}  // namespace gradus
