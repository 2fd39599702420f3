// SPDX-License-Identifier: MIT
// Properties of the form "these positions of an input have no influence on those of the outputs".
#include <algorithm>

#include <gradus/nn/check/property_check.hpp>
#include <gradus/tensor/detail/lengths.hpp>

namespace gradus {
namespace {

using detail::Positions;
using detail::PropertyCheck;
using detail::TensorList;

constexpr double kContents[] = {3.0, 1e3};  // scales of the values put where they must have no influence

struct Probe {
  size_t input;
  Positions changed;
  /// The positions of each output that must not change.
  std::vector<Positions> still;
  /// A text such as "input x at [0, 2]".
  std::string what;
};

// Checks that the outputs at `still` keep their bits, and that their gradient at `changed` is 0.
void run_probe(PropertyCheck& check, const Probe& probe, const TensorList& outputs) {
  const Tensor& input = check.values()[probe.input];
  for (double content : kContents) {
    TensorList values = check.values();
    values[probe.input] = check.disturbed(input, probe.changed, content);
    const TensorList got = check.run(values);
    for (size_t k = 0; k < got.size(); ++k) {
      if (!probe.still[k].any()) continue;
      check.same_bits(got[k], outputs[k], probe.still[k],
                      probe.what + " has other content, and output " + std::to_string(k) + " changes");
    }
  }
  if (!is_floating(input.dtype())) return;
  TensorList cotangents = check.cotangents(outputs);
  for (size_t k = 0; k < cotangents.size(); ++k) cotangents[k] = probe.still[k].only(cotangents[k]);
  check.exactly_zero(check.gradient(check.values(), probe.input, cotangents), probe.changed,
                     probe.what + " must have no influence, and its gradient is not 0");
}

void require_input(const char* name, const std::vector<NamedInput>& inputs, size_t input) {
  GRADUS_CHECK(input < inputs.size(), "[", name, "] there is no input ", static_cast<int64_t>(input));
  GRADUS_CHECK(inputs[input].value.defined() && inputs[input].value.rank() >= 2, "[", name, "] expected input ",
               inputs[input].name, " of shape [batch, time, ..], got ", describe(inputs[input].value));
}

// Every output must be [batch, time, ...].
void require_sequences(const char* name, const TensorList& outputs, int64_t batch, int64_t time) {
  for (size_t k = 0; k < outputs.size(); ++k) {
    GRADUS_CHECK(outputs[k].rank() >= 2 && outputs[k].size(0) == batch && outputs[k].size(1) == time, "[", name,
                 "] expected output ", static_cast<int64_t>(k), " of shape [", batch, ", ", time, ", ..], got ",
                 describe(outputs[k]));
  }
}

// The input with another length of axis 1. New elements are drawn at random.
Tensor with_time(PropertyCheck& check, const Tensor& x, int64_t time) {
  const int64_t kept = std::min(time, x.size(1));
  Tensor result = zeros(x.shape().with(1, time), {.dtype = x.dtype()});
  Positions all{.batch = x.size(0), .time = time};
  if (x.numel() > 0 && is_floating(x.dtype())) result = check.disturbed(result, all, kContents[0]);
  result.slice(1, 0, kept).copy_(x.slice(1, 0, kept));
  return result;
}

struct PaddingCheck {
  PropertyCheck& check;
  const PaddingCase& padding;
  int64_t batch;
  int64_t time;
  std::vector<int64_t> lengths;

  int64_t length(int64_t b) const { return lengths[static_cast<size_t>(b)]; }

  TensorList run_at(int64_t other) {
    TensorList values = check.values();
    for (size_t i : padding.inputs) values[i] = with_time(check, values[i], other);
    return check.run(values);
  }

  // The positions to compare: those before each length where an output has a time axis (its size changes with T), else
  // all.
  std::vector<Positions> valid(const TensorList& outputs, const TensorList& longer) const {
    std::vector<Positions> result;
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (outputs[k].shape() == longer[k].shape()) {
        result.push_back({});
        continue;
      }
      require_sequences("check_padding_invariance", {outputs[k]}, batch, time);
      Positions before = Positions::none(batch, time);
      for (int64_t b = 0; b < batch; ++b) {
        for (int64_t t = 0; t < length(b); ++t) before.add(b, t);
      }
      result.push_back(before);
    }
    return result;
  }

  void content(const TensorList& outputs, const std::vector<Positions>& still) {
    Positions beyond = Positions::none(batch, time);
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t t = length(b); t < time; ++t) beyond.add(b, t);
    }
    if (!beyond.any()) return;
    for (size_t i : padding.inputs) {
      run_probe(check,
                {.input = i, .changed = beyond, .still = still, .what = "padding of input " + check.input_name(i)},
                outputs);
    }
  }

  void other_lengths(const TensorList& outputs, const std::vector<Positions>& still) {
    const int64_t longest = *std::max_element(lengths.begin(), lengths.end());
    for (int64_t other : {longest, time + 1, time + 7}) {
      if (other == time || other == 0) continue;
      const TensorList got = run_at(other);
      for (size_t k = 0; k < got.size(); ++k) {
        const std::string what = "padded to " + std::to_string(other) + " instead of " + std::to_string(time) +
                                 ", output " + std::to_string(k) + " changes";
        if (still[k].flags.empty()) {
          check.close(got[k], outputs[k], {}, what);
          continue;
        }
        const int64_t kept = std::min(time, other);
        Positions where = Positions::none(batch, kept);
        for (int64_t b = 0; b < batch; ++b) {
          for (int64_t t = 0; t < length(b); ++t) where.add(b, t);
        }
        check.close(got[k].slice(1, 0, kept), outputs[k].slice(1, 0, kept), where, what);
      }
    }
  }
};

}  // namespace

PropertyReport check_mask(FunctionRef f, const std::vector<NamedInput>& inputs, const MaskCase& mask,
                          const PropertyOptions& options) {
  require_input("check_mask", inputs, mask.input);
  PropertyCheck check("check_mask", "a blocked position has no influence", f, inputs, options);
  const Tensor& input = inputs[mask.input].value;
  const int64_t batch = input.size(0);
  const int64_t keys = input.size(1);
  const TensorList outputs = check.run(check.values());
  const bool by_query = mask.mask.by_query();
  const int64_t queries = by_query && !outputs.empty() && outputs[0].rank() >= 2 ? outputs[0].size(1) : 1;
  if (by_query) require_sequences("check_mask", outputs, batch, queries);
  if (!mask.mask.defined()) return check.finish();
  const Tensor keep =
      mask.mask.tensor({.batch = batch, .queries = queries, .keys = keys}).expand({batch, queries, keys});
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t k = 0; k < keys; ++k) {
      Positions still = Positions::none(batch, queries);
      for (int64_t q = 0; q < queries; ++q) {
        if (keep.at({b, q, k}) == 0.0) still.add(b, q);
      }
      if (!still.any()) continue;
      if (!by_query) still = {};
      Probe probe{.input = mask.input, .changed = Positions::none(batch, keys), .still = {}, .what = {}};
      probe.changed.add(b, k);
      probe.still.assign(outputs.size(), still);
      probe.what = detail::join("input ", inputs[mask.input].name, " at [", b, ", ", k, "], which is blocked,");
      run_probe(check, probe, outputs);
    }
  }
  return check.finish();
}

PropertyReport check_causal(FunctionRef f, const std::vector<NamedInput>& inputs, const CausalCase& causal,
                            const PropertyOptions& options) {
  require_input("check_causal", inputs, causal.input);
  PropertyCheck check("check_causal", "no output depends on a later input", f, inputs, options);
  const int64_t batch = inputs[causal.input].value.size(0);
  const int64_t time = inputs[causal.input].value.size(1);
  const TensorList outputs = check.run(check.values());
  require_sequences("check_causal", outputs, batch, time);
  for (int64_t from = 0; from < time; ++from) {
    Probe probe{.input = causal.input, .changed = Positions::none(batch, time), .still = {}, .what = {}};
    Positions still = Positions::none(batch, time);
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t t = from; t < time; ++t) probe.changed.add(b, t);
      for (int64_t t = 0; t < std::min(time, from - causal.reach); ++t) still.add(b, t);
    }
    if (!still.any()) continue;
    probe.still.assign(outputs.size(), still);
    probe.what = detail::join("input ", inputs[causal.input].name, " from time ", from, " on");
    run_probe(check, probe, outputs);
  }
  return check.finish();
}

PropertyReport check_padding_invariance(FunctionRef f, const std::vector<NamedInput>& inputs,
                                        const PaddingCase& padding, const PropertyOptions& options) {
  GRADUS_CHECK(!padding.inputs.empty(), "[check_padding_invariance] expected at least one padded input");
  for (size_t i : padding.inputs) require_input("check_padding_invariance", inputs, i);
  const Tensor& first = inputs[padding.inputs[0]].value;
  const Tensor& lengths = padding.lengths;
  require_lengths("check_padding_invariance", lengths, first.size(0), first.size(1));
  PropertyCheck check("check_padding_invariance", "padding changes nothing", f, inputs, options);
  PaddingCheck padded{check, padding, first.size(0), first.size(1), {}};
  for (int64_t b = 0; b < padded.batch; ++b) {
    padded.lengths.push_back(static_cast<int64_t>(lengths.at({b})));
  }
  GRADUS_CHECK(padded.batch > 0, "[check_padding_invariance] expected a batch of at least one");
  const TensorList outputs = check.run(check.values());
  const std::vector<Positions> still = padded.valid(outputs, padded.run_at(padded.time + 1));
  padded.content(outputs, still);
  padded.other_lengths(outputs, still);
  return check.finish();
}

}  // namespace gradus
