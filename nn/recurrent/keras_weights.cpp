// SPDX-License-Identifier: MIT
// The weights of recurrent layers in the layout of Keras.
#include <unordered_map>
#include <unordered_set>

#include <gradus/nn/recurrent/recurrent.hpp>
#include <gradus/tensor/compare.hpp>

namespace gradus {
namespace {

// Keras's gates z, r, h of a GRU from or to r, z, n, on the first axis. The other cells have the same order.
Tensor with_keras_gate_order(CellKind cell, const Tensor& x) {
  if (cell != CellKind::gru) return x.contiguous();
  const int64_t hidden = x.size(0) / 3;
  Tensor out = x.clone();
  Tensor first = out.slice(0, 0, hidden);
  first.copy_(x.slice(0, hidden, 2 * hidden));
  Tensor second = out.slice(0, hidden, 2 * hidden);
  second.copy_(x.slice(0, 0, hidden));
  return out;
}

// Finds the tensors of a dictionary and gathers what is wrong with them.
class KerasReader {
 public:
  explicit KerasReader(const StateDict& state) {
    for (const NamedTensor& entry : state) {
      if (!given_.emplace(entry.name, &entry.value).second) repeated_.insert(entry.name);
    }
  }

  // The tensor of that name; undefined when there is none of that shape.
  Tensor read(const std::string& name, const Shape& shape) {
    if (repeated_.count(name) != 0) add(name, " is given twice");
    const auto found = given_.find(name);
    if (found == given_.end()) {
      add(name, " is missing");
      return {};
    }
    const Tensor& value = *found->second;
    if (!value.defined() || !(value.shape() == shape) || !is_floating(value.dtype())) {
      add(name, " is ", value.defined() ? describe(value) : "undefined", ", expected floating numbers ", shape);
      return {};
    }
    return value;
  }

  void require_absent(const std::string& name) {
    if (given_.count(name) != 0) add(name, " is given, but use_bias is false");
  }

  const std::string& problems() const { return problems_; }

 private:
  template <class... Parts>
  void add(const std::string& name, const Parts&... parts) {
    problems_ += detail::join(problems_.empty() ? "" : "; ", "\"", name, "\"", parts...);
  }

  std::unordered_map<std::string, const Tensor*> given_;
  std::unordered_set<std::string> repeated_;
  std::string problems_;
};

std::string keras_suffix(int64_t layer, bool reverse) {
  return "_l" + std::to_string(layer) + (reverse ? "_reverse" : "");
}

}  // namespace

bool RecurrentModule::has_two_keras_biases() const noexcept {
  return recurrent_.cell == CellKind::gru && recurrent_.reset_after;
}

void RecurrentModule::require_keras(const char* function, const KerasOptions& options) const {
  GRADUS_CHECK(recurrent_.proj_size == 0, "[", function, "] Keras has no projection, but proj_size of ", name(), " is ",
               recurrent_.proj_size);
  GRADUS_CHECK(recurrent_.initial_state == InitialState::zeros, "[", function,
               "] Keras has no learned initial state, but ", name(), " has one");
  GRADUS_CHECK(!recurrent_.layer_norm, "[", function, "] Keras's cells have no layer norm, but ", name(), " has");
  GRADUS_CHECK(options.cells.size() == weights_.size(), "[", function, "] expected ", weights_.size(),
               " cells, one for each layer and direction of ", name(), ", got ", options.cells.size());
  std::unordered_set<std::string> seen;
  for (const std::string& cell : options.cells) {
    GRADUS_CHECK(seen.insert(cell).second, "[", function, "] the cell \"", cell, "\" is named twice");
  }
}

void RecurrentModule::load_keras_state_dict(const StateDict& state, const KerasOptions& options) {
  require_keras("load_keras_state_dict", options);
  KerasReader reader(state);
  const int64_t size = gates_size();
  const bool two = has_two_keras_biases();
  const auto weight = [&](const Tensor& read) {
    return read.defined() ? with_keras_gate_order(recurrent_.cell, read.transpose(0, 1)) : read;
  };
  StateDict loaded;
  for (size_t index = 0; index < weights_.size(); ++index) {
    const std::string& cell = options.cells[index];
    const int64_t at = static_cast<int64_t>(index);
    const std::string suffix = keras_suffix(at / directions(), at % directions() == 1);
    const int64_t inputs = weights_[index].weight_ih.shape()[1];
    loaded.push_back({"weight_ih" + suffix, weight(reader.read(cell + "/kernel", {inputs, size}))});
    loaded.push_back(
        {"weight_hh" + suffix, weight(reader.read(cell + "/recurrent_kernel", {recurrent_.hidden_size, size}))});
    Tensor bias = zeros({2, size}, {.dtype = DType::f64});
    if (!options.use_bias) {
      reader.require_absent(cell + "/bias");
    } else if (two) {
      bias = reader.read(cell + "/bias", {2, size});
    } else if (const Tensor one = reader.read(cell + "/bias", {size}); one.defined()) {
      Tensor first = bias.select(0, 0);
      first.copy_(one);
    }
    for (const int64_t row : {0, 1}) {
      const Tensor part = bias.defined() ? with_keras_gate_order(recurrent_.cell, bias.select(0, row)) : bias;
      loaded.push_back({(row == 0 ? "bias_ih" : "bias_hh") + suffix, part});
    }
  }
  GRADUS_CHECK(reader.problems().empty(), "[load_keras_state_dict] the dictionary does not fit ", name(), ": ",
               reader.problems());
  load_state_dict(loaded);
}

StateDict RecurrentModule::keras_state_dict(const KerasOptions& options) const {
  require_keras("keras_state_dict", options);
  const auto swapped = [&](const Parameter& parameter) {
    return with_keras_gate_order(recurrent_.cell, parameter.value());
  };
  StateDict state;
  for (size_t index = 0; index < weights_.size(); ++index) {
    const RecurrentWeights& w = weights_[index];
    const std::string& cell = options.cells[index];
    state.push_back({cell + "/kernel", swapped(w.weight_ih).transpose(0, 1).clone()});
    state.push_back({cell + "/recurrent_kernel", swapped(w.weight_hh).transpose(0, 1).clone()});
    const Tensor biases[] = {swapped(w.bias_ih).clone(), swapped(w.bias_hh)};
    Tensor bias = biases[0];
    if (has_two_keras_biases()) {
      bias = zeros({2, gates_size()}, {.dtype = bias.dtype()});
      for (const int64_t row : {0, 1}) {
        Tensor part = bias.select(0, row);
        part.copy_(biases[row]);
      }
    } else {
      bias.add_(biases[1]);
    }
    if (options.use_bias) {
      state.push_back({cell + "/bias", bias});
      continue;
    }
    GRADUS_CHECK(all_zero(bias), "[keras_state_dict] expected biases of 0, because use_bias is false, got ",
                 to_string(bias), " for the cell \"", cell, "\"");
  }
  return state;
}

}  // namespace gradus
