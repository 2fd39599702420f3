// SPDX-License-Identifier: MIT
// What an ONNX file holds. scripts/onnx runs the files; here they are read back.
#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gradus/autograd/engine/context.hpp>
#include <gradus/autograd/export/onnx.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/autograd/ops/neural/neural.hpp>
#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/tensor/creation.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/protobuf.hpp"
#include "tests/support/temporary_folder.hpp"

namespace gradus {
namespace {

using tests::error_text;
using tests::ProtobufReader;
using tests::TemporaryFolder;
using Variables = std::vector<Variable>;
using Names = std::vector<std::string>;

ProtobufReader model_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return ProtobufReader(std::string(std::istreambuf_iterator<char>(file), {}));
}

ProtobufReader graph_in(const std::string& path) { return model_in(path).message(7); }

Names types_of(const ProtobufReader& graph) {
  Names types;
  for (const std::string& node : graph.texts(1)) types.push_back(ProtobufReader(node).text(4));
  return types;
}

int count_of(const Names& types, const std::string& type) {
  return static_cast<int>(std::count(types.begin(), types.end(), type));
}

Names initializers_of(const ProtobufReader& graph) {
  Names names;
  for (const std::string& one : graph.texts(5)) names.push_back(ProtobufReader(one).text(8));
  return names;
}

bool has(const Names& names, const std::string& name) { return count_of(names, name) == 1; }

Tensor numbers(const Shape& shape) { return arange(0, static_cast<double>(shape.numel())).reshape(shape); }

}  // namespace

TEST_CASE("onnx: a linear layer has its parameters under their names", "[export]") {
  const TemporaryFolder folder;
  Parameter weight(numbers({4, 3}));
  Parameter unused(ones({2}));
  const std::string path = folder / "linear.onnx";
  export_onnx(path, [&](const Variables& in) { return relu(linear(in[0], weight)); }, {{"x", numbers({2, 3})}}, {"y"},
              {.parameters = {{"layer.weight", &weight}, {"layer.unused", &unused}}});

  const ProtobufReader model = model_in(path);
  CHECK(model.number(1) == 8);
  CHECK(model.text(2) == "gradus");
  CHECK(model.message(8).number(2) == 18);
  const ProtobufReader graph = model.message(7);
  CHECK(types_of(graph) == Names{"Gemm", "Relu", "Identity"});
  CHECK(initializers_of(graph) == Names{"layer.weight"});
  const ProtobufReader tensor(graph.text(5));
  CHECK(tensor.numbers(1) == std::vector<int64_t>{4, 3});
  CHECK(tensor.number(2) == 1);  // FLOAT
  const std::string bytes = tensor.text(9);
  REQUIRE(bytes.size() == 48);
  CHECK(std::memcmp(bytes.data(), weight.value().raw_data(), 48) == 0);
  const ProtobufReader input(graph.text(11));
  CHECK(input.text(1) == "x");
  const ProtobufReader type = input.message(2).message(1);
  CHECK(type.number(1) == 1);
  CHECK(type.message(2).texts(1).size() == 2);
  CHECK(ProtobufReader(type.message(2).texts(1)[1]).number(1) == 3);
  CHECK(ProtobufReader(graph.text(12)).text(1) == "y");
}

TEST_CASE("onnx: a recurrence takes over the projection of its input, and follows lengths", "[export]") {
  const TemporaryFolder folder;
  Parameter w_ih(numbers({6, 3})), w_hh(numbers({6, 2})), b_ih(ones({6})), b_hh(ones({6}));
  const Tensor lengths = Tensor::from({4, 1}, {2}, {.dtype = DType::i64});
  const auto gru = [&](const Variables& in) {
    return gru_sequence(linear(in[0], w_ih, b_ih), zeros({2, 2}), w_hh, b_hh, in[1]).output;
  };
  const std::string path = folder / "gru.onnx";
  export_onnx(path, gru, {{"x", numbers({2, 4, 3})}, {"lengths", lengths}}, {"y"},
              {.parameters = {{"w_ih", &w_ih}, {"w_hh", &w_hh}, {"b_ih", &b_ih}, {"b_hh", &b_hh}}});
  const ProtobufReader graph = graph_in(path);
  const Names types = types_of(graph);
  CHECK(count_of(types, "GRU") == 1);
  CHECK(count_of(types, "Gemm") == 0);
  CHECK(count_of(types, "Cast") == 1);
  const Names constants = initializers_of(graph);
  for (const char* name : {"w_ih", "w_hh", "b_ih", "b_hh"}) CHECK(has(constants, name));
  for (const std::string& text : graph.texts(1)) {
    const ProtobufReader node(text);
    if (node.text(4) != "GRU") continue;
    CHECK(node.texts(1).size() == 6);
    CHECK(ProtobufReader(node.texts(5)[0]).text(1) == "linear_before_reset");
    CHECK(ProtobufReader(node.texts(5)[0]).number(3) == 1);
  }
}

TEST_CASE("onnx: a fused op without a counterpart is written as its reference", "[export]") {
  const TemporaryFolder folder;
  const std::string path = folder / "score.onnx";
  const auto score = [](const Variables& in) { return additive_score(in[0], in[1], ones({4})); };
  export_onnx(path, score, {{"query", numbers({2, 3, 4})}, {"key", numbers({2, 5, 4})}}, {"score"});
  const Names types = types_of(graph_in(path));
  CHECK(count_of(types, "Tanh") == 1);
  CHECK(count_of(types, "ReduceSum") == 1);
}

TEST_CASE("onnx: what depends on no input is a constant, and an expanded one is stored once", "[export]") {
  const TemporaryFolder folder;
  const std::string path = folder / "constants.onnx";
  const auto f = [](const Variables& in) {
    const Variable row = exp(Variable(numbers({1000})));
    return Variables{in[0] + expand(row, {500, 1000}), exp(Variable(ones({3})))};
  };
  export_onnx(path, f, {{"x", zeros({500, 1000})}}, {"y", "constant"});
  CHECK(types_of(graph_in(path)) == Names{"Expand", "Add", "Identity", "Identity"});
  CHECK(std::filesystem::file_size(path) < 10000);
}

TEST_CASE("onnx: what a file would fix unseen is refused", "[export]") {
  const TemporaryFolder folder;
  const std::string path = folder / "none.onnx";
  const std::vector<NamedTensor> x = {{"x", numbers({2, 3})}};
  const auto text_of = [&](const FunctionRef& f, const OnnxOptions& options = {}) {
    return error_text([&] { export_onnx(path, f, x, {"y"}, options); });
  };
  CHECK(text_of([](const Variables& in) { return in[0] * Variable(in[0].value().clone()); }) ==
        "[export_onnx] a value f32 [2, 3] that mul reads follows from the inputs without an op, so the file would fix "
        "it: expected an op, or a constant");
  CHECK(text_of([](const Variables& in) { return Variable(in[0].value().clone()); }) ==
        "[export_onnx] a value f32 [2, 3] of the outputs follows from the inputs without an op, so the file would fix "
        "it: expected an op, or a constant");
  CHECK(text_of([](const Variables& in) { return in[0].value().data<float>()[0] == 0.0F ? exp(in[0]) : sin(in[0]); }) ==
        "[export_onnx] the function takes another path with other inputs: exp and then sin at the same place");
  CHECK(text_of([](const Variables& in) { return in[0].value().data<float>()[0] == 0.0F ? exp(in[0]) : in[0]; }) ==
        "[export_onnx] the function takes another path with other inputs: it applies 1 ops to the example and 0 to the "
        "others");
  CHECK(text_of([](const Variables& in) {
          Tensor once = exp(in[0]).value();
          const Variable twice = exp(Variable(once));
          once.add_(ones({2, 3}));
          return twice;
        }) == "[export_onnx] a value of the op exp is changed in place afterwards");
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("onnx: ops that ONNX does not have are refused by name", "[export]") {
  const TemporaryFolder folder;
  const auto text_of = [&](const FunctionRef& f) {
    return error_text([&] { export_onnx(folder / "none.onnx", f, {{"x", numbers({2, 3})}}, {"y"}); });
  };
  CHECK(text_of([](const Variables& in) {
          const NameScope scope("model");
          return sparsemax(in[0]);
        }) == "[export_onnx] ONNX has no counterpart of the op sparsemax in model");
  CHECK(text_of([](const Variables& in) {
          return dropout(in[0], 0.5, {1, 0});
        }) ==
        "[export_onnx] dropout draws random numbers, which a file cannot repeat: expected the module in evaluation "
        "mode, eval_()");
}

TEST_CASE("onnx: names, inputs and outputs that do not fit are refused", "[export]") {
  const TemporaryFolder folder;
  const std::string path = folder / "none.onnx";
  const auto f = [](const Variables& in) { return exp(in[0]); };
  const Tensor x = numbers({2, 3});
  Parameter weight(ones({2}));
  const auto text_of = [&](const std::vector<NamedTensor>& inputs, const Names& outputs,
                           const OnnxOptions& options = {}) {
    return error_text([&] { export_onnx(path, f, inputs, outputs, options); });
  };
  CHECK(text_of({{"x", x}}, {}) == "[export_onnx] expected at least one name of an output, got none");
  CHECK(text_of({{"x", x}}, {""}) == "[export_onnx] expected names of outputs that are not empty");
  CHECK(text_of({{"", x}}, {"y"}) == "[export_onnx] expected inputs with a name, got '': f32 [2, 3]");
  CHECK(text_of({{"x", x}}, {"y", "z"}) == "[export_onnx] expected 2 outputs of the function, as many as names, got 1");
  CHECK(text_of({{"x", x}}, {"x"}) == "[export_onnx] the name of the output 'x' is taken: expected a new one");
  CHECK(text_of({{"x", x}}, {"y"}, {.parameters = {{"x", &weight}}}) ==
        "[export_onnx] the name of the parameter 'x' is taken: expected a new one");
  CHECK(text_of({{"x", x}}, {"y"}, {.other_inputs = {x, x}}) == "[export_onnx] expected 1 other_inputs, got 2");
  CHECK(text_of({{"x", x}}, {"y"}, {.other_inputs = {ones({3})}}) ==
        "[export_onnx] wrong other input x: expected f32 [2, 3], got f32 [3]");
  CHECK(text_of({{"x", x}, {"n", Tensor::from({1, 1}, {2}, {.dtype = DType::i64})}}, {"y"}) ==
        "[export_onnx] the integers of the input n read the same backwards: expected OnnxOptions::other_inputs, to see "
        "what depends on them");
  const auto nothing = [](const Variables&) { return Variable(); };
  CHECK(error_text([&] {
          export_onnx(path, nothing, {{"x", x}}, {"y"});
        }) == "[export_onnx] the output y is undefined: expected a tensor");
  CHECK(error_text([&] {
          export_onnx(folder / "no/such/folder", f, {{"x", x}}, {"y"});
        }).find("cannot write the file") != std::string::npos);
}

}  // namespace gradus
