// SPDX-License-Identifier: MIT
#include <gradus/nn/check/gradcheck.hpp>

#include <algorithm>
#include <numeric>

#include <gradus/nn/check/property_check.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

namespace gradus {
namespace {

using detail::PropertyCheck;
using detail::TensorList;

Tensor rows_of(const Tensor& x, const std::vector<int64_t>& rows) {
  Tensor result = Tensor::empty(x.shape().with(0, static_cast<int64_t>(rows.size())), x.dtype());
  for (size_t i = 0; i < rows.size(); ++i) {
    result.select(0, static_cast<int64_t>(i)).copy_(x.select(0, rows[i]));
  }
  return result;
}

class BatchCheck {
 public:
  BatchCheck(PropertyCheck& check, const BatchCase& batch) : check_(check), batch_(batch) {
    for (size_t i = 0; i < check.values().size(); ++i) {
      if (is_shared(i)) continue;
      const Tensor& value = check.values()[i];
      GRADUS_CHECK(value.rank() >= 1, "[check_batch_independence] input ", check.input_name(i),
                   " has no batch axis: name it in BatchCase::shared");
      if (size_ < 0) size_ = value.size(0);
      GRADUS_CHECK(value.size(0) == size_, "[check_batch_independence] expected ", size_, " items in input ",
                   check.input_name(i), ", got ", describe(value));
    }
    GRADUS_CHECK(size_ >= 2, "[check_batch_independence] expected a batch of at least two items");
    outputs_ = check.run(check.values());
    for (size_t k = 0; k < outputs_.size(); ++k) {
      GRADUS_CHECK(outputs_[k].rank() >= 1 && outputs_[k].size(0) == size_,
                   "[check_batch_independence] expected output ", static_cast<int64_t>(k), " of ", size_,
                   " items, got ", describe(outputs_[k]));
    }
  }

  void permuted() {
    std::vector<int64_t> rows(static_cast<size_t>(size_));
    std::iota(rows.begin(), rows.end(), 0);
    std::reverse(rows.begin(), rows.end());
    compare(rows, "in reverse order", true);
    for (size_t i = rows.size(); i > 1; --i) {
      std::swap(rows[i - 1], rows[static_cast<size_t>(check_.random().fraction() * static_cast<double>(i))]);
    }
    compare(rows, "in another order", true);
  }

  void fewer() {
    std::vector<int64_t> odd;
    for (int64_t b = 1; b < size_; b += 2) odd.push_back(b);
    compare(odd, "without items 0, 2, ..", false);
    for (int64_t b = 0; b < size_; ++b) compare({b}, "with item " + std::to_string(b) + " alone", false);
  }

  // Differentiates the output of each item with respect to all items.
  void gradients() {
    for (int64_t b = 0; b < size_; ++b) {
      TensorList cotangents = check_.cotangents(outputs_);
      for (Tensor& cotangent : cotangents) {
        if (cotangent.defined()) cotangent = item_only(cotangent, b);
      }
      for (size_t i = 0; i < check_.values().size(); ++i) {
        if (is_shared(i) || !is_floating(check_.values()[i].dtype())) continue;
        const Tensor gradient = check_.gradient(check_.values(), i, cotangents).clone();
        gradient.select(0, b).fill_(0.0);
        check_.exactly_zero(gradient, {},
                            "the output of item " + std::to_string(b) + " depends on input " + check_.input_name(i) +
                                " of another item: its gradient");
      }
    }
  }

 private:
  bool is_shared(size_t i) const {
    return std::find(batch_.shared.begin(), batch_.shared.end(), i) != batch_.shared.end();
  }

  static Tensor item_only(const Tensor& x, int64_t b) {
    Tensor result = zeros(x.shape(), {.dtype = x.dtype()});
    result.select(0, b).copy_(x.select(0, b));
    return result;
  }

  void compare(const std::vector<int64_t>& rows, const std::string& how, bool same_bits) {
    TensorList values = check_.values();
    for (size_t i = 0; i < values.size(); ++i) {
      if (!is_shared(i)) values[i] = rows_of(values[i], rows);
    }
    const TensorList got = check_.run(values);
    for (size_t k = 0; k < got.size(); ++k) {
      const Tensor expected = rows_of(outputs_[k], rows);
      const std::string what = "the batch " + how + ": output " + std::to_string(k) + " changes";
      same_bits ? check_.same_bits(got[k], expected, {}, what) : check_.close(got[k], expected, {}, what);
    }
  }

  PropertyCheck& check_;
  const BatchCase& batch_;
  int64_t size_ = -1;
  TensorList outputs_;
};

}  // namespace

PropertyReport check_batch_independence(FunctionRef f, const std::vector<NamedInput>& inputs, const BatchCase& batch,
                                        const PropertyOptions& options) {
  PropertyCheck check("check_batch_independence", "items of a batch do not see each other", f, inputs, options);
  BatchCheck items(check, batch);
  items.permuted();
  items.fewer();
  items.gradients();
  return check.finish();
}

PropertyReport check_step_equals_sequence(FunctionRef sequence, FunctionRef step, const std::vector<NamedInput>& inputs,
                                          const PropertyOptions& options) {
  PropertyCheck whole("check_step_equals_sequence", "steps give what the sequence gives", sequence, inputs, options);
  const PropertyCheck steps("check_step_equals_sequence", "", step, inputs, options);
  const Tensor& x = inputs[0].value;
  GRADUS_CHECK(x.rank() >= 2, "[check_step_equals_sequence] expected x of shape [batch, time, ..], got ", describe(x));
  const TensorList expected = whole.run(whole.values());
  GRADUS_CHECK(expected.size() == inputs.size(),
               "[check_step_equals_sequence] expected an output and one final state for each initial one, got ",
               static_cast<int64_t>(expected.size()), " outputs");
  TensorList state(whole.values().begin() + 1, whole.values().end());
  for (int64_t t = 0; t < x.size(1); ++t) {
    TensorList given = {x.select(1, t).clone()};
    given.insert(given.end(), state.begin(), state.end());
    const TensorList got = steps.run(given);
    GRADUS_CHECK(got.size() == inputs.size(), "[check_step_equals_sequence] expected ",
                 static_cast<int64_t>(inputs.size()), " outputs of a step, got ", static_cast<int64_t>(got.size()));
    whole.close(got[0], expected[0].select(1, t), {}, "the output of step " + std::to_string(t));
    state.assign(got.begin() + 1, got.end());
  }
  for (size_t k = 0; k < state.size(); ++k) {
    whole.close(state[k], expected[k + 1], {}, "the final state for " + inputs[k + 1].name);
  }
  return whole.finish();
}

PropertyReport check_determinism(FunctionRef f, const std::vector<NamedInput>& inputs, const PropertyOptions& options) {
  PropertyCheck check("check_determinism", "every run gives the same bits", f, inputs, options);
  const TensorList outputs = check.run(check.values());
  const TensorList cotangents = check.cotangents(outputs);
  const auto gradients = [&] {
    TensorList all;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (is_floating(inputs[i].value.dtype())) all.push_back(check.gradient(check.values(), i, cotangents));
    }
    return all;
  };
  const TensorList first = gradients();
  const auto again = [&](const std::string& how) {
    const TensorList got = check.run(check.values());
    for (size_t k = 0; k < got.size(); ++k) {
      check.same_bits(got[k], outputs[k], {}, how + ": output " + std::to_string(k) + " changes");
    }
    const TensorList slopes = gradients();
    for (size_t i = 0; i < slopes.size(); ++i) {
      check.same_bits(slopes[i], first[i], {}, how + ": gradient " + std::to_string(i) + " changes");
    }
  };
  again("run again");
  for (int threads : options.threads) {
    const detail::ThreadCountScope scope(threads);
    again(std::to_string(threads) + (threads == 1 ? " thread" : " threads"));
  }
  return check.finish();
}

}  // namespace gradus
