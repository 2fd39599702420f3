// SPDX-License-Identifier: MIT
// Plants three bugs, and compares the reports with those in docs/GRADCHECK_REPORTS.md.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include <gradus/autograd/op.hpp>
#include <gradus/autograd/ops.hpp>
#include <gradus/nn/check/gradcheck.hpp>
#include <gradus/nn/layers.hpp>
#include <gradus/tensor/random/random.hpp>

#include "tests/support/catch.hpp"

using namespace gradus;

namespace {

Tensor draw(const Shape& shape, Generator& generator) {
  return uniform(shape, generator, {.low = -0.9, .high = 0.9, .dtype = DType::f64});
}

std::vector<AxisLabel> sequence_axes() { return {{"batch item"}, {"time step"}, {"unit"}}; }

// A user's own layer: h_t = tanh(W_x x_t + W_h h_{t-1}).
struct MyRnn : Layer<MyRnn> {
  using Layer::Layer;
  Linear from_x{{.input_size = 3, .output_size = 3, .dtype = DType::f64}, child("from_x")};
  Linear from_h{{.input_size = 3, .output_size = 3, .bias = false, .dtype = DType::f64}, child("from_h")};

  Variable forward(const Variable& x) {
    Variable h = zeros({x.size(0), x.size(2)}, {.dtype = x.dtype()});
    std::vector<Variable> states;
    for (const Variable& x_t : unbind(x, 1)) {
      h = tanh(from_x(x_t) + from_h(h.detach()));  // the bug
      states.push_back(h);
    }
    return stack(states, 1);
  }
};

// A user's own op: h' = h + z (n - h).  dz = g (n - h),  dh = g (1 - z),  dn = g z
const OpDef blend_op = {
    .name = "blend",
    .input_names = {"z", "h", "n"},
    .shape = [](ShapeArgs& s) { s.output(s.shape(1), s.dtype(1)); },
    .forward = [](ForwardArgs& f) { f.out(0).copy_(lerp(f.in(1), f.in(2), f.in(0)).value()); },
    .derivative =
        [](VjpArgs& v) {
          const Variable& g = v.cotangent();
          if (v.needs(0)) v.set(0, g * (v.in(2) - v.out(0)));  // the bug: h' for h
          if (v.needs(1)) v.set(1, g * (1.0 - v.in(0)));
          if (v.needs(2)) v.set(2, g * v.in(0));
        },
    .saves = {.inputs = 0b111, .outputs = 0b1},
};

// The sum of the first lengths[b] steps of x [B, T, D], as one op.
const OpDef sum_of_steps_op = {
    .name = "sum_of_steps",
    .input_names = {"x", "keep"},
    .shape = [](ShapeArgs& s) { s.output(s.shape(0).without(1), s.dtype(0)); },
    .forward =
        [](ForwardArgs& f) {
          const Variable kept = where(f.in(1), f.in(0), zeros({}, {.dtype = f.in(0).dtype()}));
          f.out(0).copy_(sum(kept, {1}).value());
        },
    .derivative =
        [](VjpArgs& v) {
          v.set(0, expand(unsqueeze(v.cotangent(), 1), v.in_shape(0)));  // the bug: padding gets a gradient too
        },
    .saves = {.inputs = 0b10},
};

GradcheckReport detached() {
  Generator generator(1);
  MyRnn layer(generator);
  return gradcheck(layer, {{.name = "x", .value = draw({2, 4, 3}, generator), .axes = sequence_axes()}},
                   {.name = "my_rnn"});
}

GradcheckReport wrong_state() {
  Generator generator(2);
  const auto cell = [](const std::vector<Variable>& in) {
    Variable h = in[1];
    for (const Variable& x_t : unbind(in[0], 1)) {
      const NameScope scope("cell");
      const Variable z = sigmoid(linear(x_t, in[2]));
      const Variable n = tanh(linear(h, in[3]));
      h = apply(blend_op, {}, {&z, &h, &n});
    }
    return std::vector<Variable>{h};
  };
  return gradcheck(cell,
                   {{.name = "x", .value = draw({2, 3, 3}, generator), .axes = sequence_axes()},
                    {.name = "h0", .value = draw({2, 3}, generator), .axes = {{"batch item"}, {"unit"}}},
                    {.name = "weight_z", .value = draw({3, 3}, generator)},
                    {.name = "weight_n", .value = draw({3, 3}, generator)}},
                   {.name = "my_cell"});
}

GradcheckReport mask_ignored() {
  Generator generator(3);
  const Tensor x = draw({2, 3, 2}, generator);
  // Lengths 3 and 1.
  const Tensor keep = Tensor::from({1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0}, {2, 3, 2}, {.dtype = DType::boolean});
  const auto pool = [&](const std::vector<Variable>& in) {
    const Variable mask = keep;
    return std::vector<Variable>{tanh(apply(sum_of_steps_op, {}, {&in[0], &mask}))};
  };
  return gradcheck(pool, {{.name = "x", .value = x, .axes = sequence_axes(), .keep = keep}}, {.name = "pool"});
}

std::string documentation() {
  std::ifstream file(GRADUS_SOURCE_DIR "/docs/GRADCHECK_REPORTS.md");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The ```text block after the heading.
std::string block_of(const std::string& document, const std::string& heading) {
  const std::string fence = "```text\n";
  const size_t at = document.find("## " + heading + "\n");
  const size_t begin = at == std::string::npos ? at : document.find(fence, at);
  if (begin == std::string::npos) return "";
  const size_t from = begin + fence.size();
  return document.substr(from, document.find("```", from) - from);
}

// Instruction sets and compilers differ in the last digits. Numbers with a point are compared to four digits, and
// rounding errors count as 0.
std::string without_last_digits(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    char* end = nullptr;
    const bool starts = std::isdigit(static_cast<unsigned char>(text[i])) != 0;
    const double value = starts ? std::strtod(text.c_str() + i, &end) : 0.0;
    const size_t length = starts ? static_cast<size_t>(end - text.c_str()) - i : 1;
    const bool fraction = starts && text.substr(i, length).find('.') != std::string::npos;
    char number[40];
    std::snprintf(number, sizeof number, "%.3e", value < 1e-7 ? 0.0 : value);
    out += fraction ? std::string(number) : text.substr(i, length);
    i += length;
  }
  // The columns of a table are as wide as their numbers, so the width is not compared.
  std::string single;
  for (const char c : out) {
    if (c != ' ' || single.empty() || single.back() != ' ') single += c;
  }
  return single;
}

void check_documented(const GradcheckReport& report, const std::string& heading) {
  const std::string text = report.text();
  const std::string documented = block_of(documentation(), heading);
  // Prints the reports, to update the document.
  if (std::getenv("GRADUS_SHOW_REPORTS") != nullptr) std::cout << "## " << heading << "\n" << text;
  INFO(heading << " reads:\n" << text << "\nand is documented as:\n" << documented);
  CHECK(!report.ok);
  CHECK(std::count(text.begin(), text.end(), '\n') <= 25);
  const std::string unknown = "in no known pattern";
  const size_t once = text.find(unknown);
  CHECK((once == std::string::npos || text.find(unknown, once + 1) == std::string::npos));
  CHECK(without_last_digits(text) == without_last_digits(documented));
}

}  // namespace

TEST_CASE("reports: a detach in a recurrent layer of one's own") {
  const GradcheckReport report = detached();
  check_documented(report, "A detach in a recurrent layer");
  REQUIRE(report.first_bad_op.detached.size() == 3);
  CHECK(report.first_bad_op.detached[0].path == "my_rnn.from_h");
  CHECK(report.first_bad_op.detached[0].step == 1);
}

TEST_CASE("reports: h' for h in a vjp") {
  const GradcheckReport report = wrong_state();
  check_documented(report, "The new state for the old one in a vjp");
  CHECK(report.first_bad_op.op == "blend");
  CHECK(report.first_bad_op.input == "z");
  CHECK(report.first_bad_op.step == 0);
}

TEST_CASE("reports: a mask ignored, with `keep` given") {
  const GradcheckReport report = mask_ignored();
  check_documented(report, "A mask ignored");
  CHECK(report.first_bad_op.op == "sum_of_steps");
  CHECK(std::any_of(report.results.begin(), report.results.end(),
                    [](const GradcheckResult& result) { return result.signature.kind == SignatureKind::only_masked; }));
}
