// SPDX-License-Identifier: MIT
// Compares products of every rank with explicit sums, and einsum with loops over all indices.
#include <map>

#include <gradus/autograd/grad.hpp>
#include <gradus/autograd/ops/elementwise/elementwise.hpp>
#include <gradus/autograd/ops/linalg/linalg.hpp>
#include <gradus/autograd/ops/reduce/reduce.hpp>
#include <gradus/autograd/ops/views/views.hpp>
#include <gradus/tensor/memory/allocator.hpp>

#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"

using namespace gradus;
using namespace gradus::tests;
using detail::RandomTensors;

namespace {

// The definition of an equation without `...`: the output at each index of its letters is a sum over all other letters.
Tensor by_loops(const std::vector<std::string>& terms, const std::string& output, const std::vector<Tensor>& operands) {
  std::map<char, int64_t> sizes;
  for (size_t k = 0; k < terms.size(); ++k) {
    for (size_t i = 0; i < terms[k].size(); ++i) sizes[terms[k][i]] = operands[k].shape()[static_cast<int>(i)];
  }
  std::vector<int64_t> out_sizes;
  for (char c : output) out_sizes.push_back(sizes[c]);
  Tensor result = zeros(Shape(std::span<const int64_t>(out_sizes)), {.dtype = DType::f64});
  double* to = result.mutable_data_<double>();
  int64_t total = 1;
  for (const auto& [letter, size] : sizes) total *= size;
  std::map<char, int64_t> index;
  const auto offset = [&](const std::string& term) {
    int64_t at = 0;
    for (char c : term) at = at * sizes[c] + index[c];
    return at;
  };
  for (int64_t n = 0; n < total; ++n) {
    int64_t rest = n;
    for (const auto& [letter, size] : sizes) {
      index[letter] = rest % size;
      rest /= size;
    }
    double product = 1.0;
    for (size_t k = 0; k < terms.size(); ++k) product *= operands[k].data<double>()[offset(terms[k])];
    to[offset(output)] += product;
  }
  return result;
}

}  // namespace

TEST_CASE("matmul: NumPy's shapes for every pair of ranks") {
  const auto shape = [](const Shape& a, const Shape& b) { return matmul(zeros(a), zeros(b)).shape(); };
  CHECK(shape({3}, {3}) == Shape{});
  CHECK(shape({3}, {3, 2}) == Shape{2});
  CHECK(shape({2, 3}, {3}) == Shape{2});
  CHECK(shape({3}, {5, 3, 2}) == Shape{5, 2});
  CHECK(shape({5, 2, 3}, {3}) == Shape{5, 2});
  CHECK(shape({5, 2, 3}, {3, 4}) == Shape{5, 2, 4});
  CHECK(shape({2, 3}, {5, 3, 4}) == Shape{5, 2, 4});
  CHECK(shape({7, 1, 2, 3}, {5, 3, 4}) == Shape{7, 5, 2, 4});
  CHECK(shape({0, 2, 3}, {3, 4}) == Shape{0, 2, 4});
  CHECK(shape({5, 2, 0}, {0, 4}) == Shape{5, 2, 4});
  CHECK(matmul(f64({1, 2, 3}, {3}), f64({4, 5, 6}, {3})).item<double>() == 32.0);
}

TEST_CASE("matmul: errors show the operands as they were given") {
  CHECK(error_text([] {
          return matmul(zeros({2, 3, 4}), zeros({5, 6}));
        }) == "[matmul] inner sizes differ: a is f32 [2, 3, 4], b is f32 [5, 6]");
  CHECK(error_text([] { return matmul(zeros({4}), zeros({5})); }) ==
        "[matmul] inner sizes differ: a is f32 [4], b is f32 [5]");
  CHECK(error_text([] { return matmul(zeros({}), zeros({5})); }) ==
        "[matmul] expected vectors, matrices or batches, got f32 [] and f32 [5]");
  CHECK_THROWS_AS(matmul(zeros({2, 3, 4}), zeros({3, 4, 5})), Error);
}

TEST_CASE("matmul: a batch axis that is expanded is not copied, however its matrices lie") {
  const Tensor a = RandomTensors(3).floating({1, 32, 64}, DType::f32).slice(2, 0, 64, 2);  // both strides differ from 1
  const Tensor b = RandomTensors(4).floating({50, 32, 8}, DType::f32);
  const Tensor each = matmul(a.clone().expand({50, 32, 32}), b).value();
  const Tensor wide = a.expand({50, 32, 32});
  reset_peak_memory();
  const int64_t before = memory_stats().live_bytes;
  const Tensor got = matmul(wide, b).value();
  const int64_t most = memory_stats().peak_bytes - before;
  CHECK(largest_error(got, each) < 1e-6);
  // The result takes 51 KB, one matrix 4 KB; fifty would be 205 KB.
  CHECK(most < 100000);
}

TEST_CASE("matmul and linear: sums over a million rows are right in f32") {
  CHECK(matmul(ones({20'000'000}), ones({20'000'000})).item<float>() == 2e7F);
  const uint64_t seed = tests::seed(61);
  Generator generator(seed);
  const int64_t rows = 1'000'000;
  const Tensor x = uniform({rows, 3}, generator), cotangent = uniform({rows, 1}, generator);
  const auto gradients = [&](DType dtype) {
    const Variable w = leaf(ones({1, 3}, {.dtype = dtype})), bias = leaf(zeros({1}, {.dtype = dtype}));
    return grad({linear(x.to(dtype), w, bias)}, {w, bias}, {.cotangents = {cotangent.to(dtype)}});
  };
  const std::vector<Variable> single = gradients(DType::f32), right = gradients(DType::f64);
  for (size_t i = 0; i < right.size(); ++i) {
    INFO("seed " << seed << ", gradient " << i);
    const Tensor error = abs((single[i].value().to(DType::f64) - right[i].value()) / right[i].value()).value();
    CHECK(max(error).item<double>() < 1e-6);  // measured on six seeds: at most 8e-8
  }
}

TEST_CASE("outer and cosine_similarity") {
  CHECK(bitwise_equal(outer(f64({1, 2}, {2}), f64({3, 4, 5}, {3})).value(), f64({3, 4, 5, 6, 8, 10}, {2, 3})));
  CHECK(error_text([] {
          return outer(zeros({2, 2}), zeros({2}));
        }) == "[outer] expected two vectors, got f32 [2, 2] and f32 [2]");
  const Tensor rows = f64({1, 2, 2, 0, 0, 0}, {2, 3});
  const Tensor one = f64({2, -1, 2}, {3});
  CHECK(largest_error(cosine_similarity(rows, one).value(), f64({4.0 / 9.0, 0}, {2})) < 1e-15);
  CHECK(largest_error(cosine_similarity(rows, f64({3, 1}, {2, 1}), {.axis = 0}).value(),
                      f64({0.94868329805051379, 0.94868329805051379, 0.94868329805051379}, {3})) < 1e-15);
  // At a vector of zeros the gradient is that of a . b / (eps |b|): finite.
  const Variable x = leaf(f64({0, 0, 0}, {3}));
  const Variable g = grad({cosine_similarity(x, one, {.eps = 0.5})}, {x})[0];
  CHECK(largest_error(g.value(), f64({4.0 / 3.0, -2.0 / 3.0, 4.0 / 3.0}, {3})) < 1e-15);
  CHECK(error_text([&] { return cosine_similarity(one, one, {.eps = 0.0}); }) ==
        "[cosine_similarity] expected eps > 0, got 0");
}

TEST_CASE("einsum equals the sums written out") {
  struct Case {
    const char* equation;
    std::vector<std::string> terms;
    std::string output;
    std::vector<Shape> shapes;
  };
  const std::vector<Case> cases = {
      {"ij,jk->ik", {"ij", "jk"}, "ik", {{3, 4}, {4, 5}}},
      {"ij, jk", {"ij", "jk"}, "ik", {{3, 4}, {4, 5}}},
      {"bqd,bkd->bqk", {"bqd", "bkd"}, "bqk", {{2, 3, 4}, {2, 5, 4}}},
      {"bhqd,bhkd->bqhk", {"bhqd", "bhkd"}, "bqhk", {{2, 2, 3, 4}, {2, 2, 5, 4}}},
      {"ij->ji", {"ij"}, "ji", {{3, 4}}},
      {"ba", {"ba"}, "ab", {{3, 4}}},
      {"ii->i", {"ii"}, "i", {{3, 3}}},
      {"ii", {"ii"}, "", {{4, 4}}},
      {"iji->j", {"iji"}, "j", {{3, 2, 3}}},
      {"iii->i", {"iii"}, "i", {{3, 3, 3}}},
      {"iijj->ij", {"iijj"}, "ij", {{2, 2, 3, 3}}},
      {"ij->", {"ij"}, "", {{3, 4}}},
      {"i,j->ij", {"i", "j"}, "ij", {{3}, {4}}},
      {"i,i->", {"i", "i"}, "", {{5}, {5}}},
      {"i,i", {"i", "i"}, "", {{5}, {5}}},
      {"ij,ij->i", {"ij", "ij"}, "i", {{3, 4}, {3, 4}}},
      {"ij,ij->ij", {"ij", "ij"}, "ij", {{3, 4}, {3, 4}}},
      {"ab,bc,cd->ad", {"ab", "bc", "cd"}, "ad", {{2, 3}, {3, 4}, {4, 2}}},
      {"ij,k->j", {"ij", "k"}, "j", {{2, 3}, {4}}},
      {"bn,anm,bm->ba", {"bn", "anm", "bm"}, "ba", {{2, 3}, {4, 3, 5}, {2, 5}}},
      {"ijk,kjl->li", {"ijk", "kjl"}, "li", {{2, 3, 4}, {4, 3, 2}}},
      {",ij->ij", {"", "ij"}, "ij", {{}, {2, 3}}},
      {"ij,jk->ik", {"ij", "jk"}, "ik", {{3, 0}, {0, 2}}},
      {"ii->i", {"ii"}, "i", {{0, 0}}},
  };
  const uint64_t seed = tests::seed(12);
  for (const Case& c : cases) {
    INFO(c.equation << ", seed " << seed);
    RandomTensors random(seed);
    std::vector<Tensor> operands;
    for (const Shape& shape : c.shapes) operands.push_back(random.floating(shape));
    const Tensor expected = by_loops(c.terms, c.output, operands);
    const Variable got = einsum(c.equation, std::vector<Variable>(operands.begin(), operands.end()));
    CHECK(got.shape() == expected.shape());
    CHECK(largest_error(got.value(), expected) < 1e-13);
  }
}

TEST_CASE("einsum: the axes of ... broadcast") {
  const uint64_t seed = tests::seed(13);
  INFO("seed " << seed);
  RandomTensors random(seed);
  const Tensor a = random.floating({2, 1, 3, 4});
  const Tensor b = random.floating({5, 4, 2});
  const Tensor product = matmul(a, b).value();
  CHECK(largest_error(einsum("...ij,...jk->...ik", {a, b}).value(), product) < 1e-13);
  CHECK(largest_error(einsum("...ij,...jk", {a, b}).value(), product) < 1e-13);
  CHECK(largest_error(einsum("...ij,...jk->k...i", {a, b}).value(), product.permute({3, 0, 1, 2}).clone()) < 1e-13);
  const Tensor m = random.floating({3, 3});
  CHECK(largest_error(einsum("...,...->...", {m, m}).value(), (Variable(m) * m).value()) < 1e-15);
  CHECK(largest_error(einsum("...i->...", {a}).value(), sum(a, {3}).value()) < 1e-13);
  CHECK(bitwise_equal(einsum("i...,...", {f64({1, 2}, {2}), f64({3}, {})}).value(), f64({3, 6}, {2})));
}

TEST_CASE("einsum: what is wrong is said") {
  const Tensor a = zeros({2, 3});
  const Tensor b = zeros({4, 5});
  CHECK(error_text([&] {
          return einsum("ij,jk->ik", {a, b});
        }) == "[einsum] sizes of axis j differ: f32 [2, 3] and f32 [4, 5]");
  CHECK(error_text([&] { return einsum("ij,jk->ik", {a}); }) == "[einsum] \"ij,jk->ik\" has 2 terms for 1 operands");
  CHECK(error_text([&] { return einsum("ijk->i", {a}); }) ==
        "[einsum] \"ijk->i\" names 3 axes of operand 0, got f32 [2, 3]");
  CHECK(error_text([&] { return einsum("...ijk->i", {a}); }) ==
        "[einsum] \"...ijk->i\" names 3 or more axes of operand 0, got f32 [2, 3]");
  CHECK(error_text([&] { return einsum("ij->ik", {a}); }) == "[einsum] \"ij->ik\": output axis k is in no operand");
  CHECK(error_text([&] { return einsum("ij->ii", {a}); }) == "[einsum] \"ij->ii\": output axis i is named twice");
  CHECK(error_text([&] { return einsum("i...->i", {a}); }) ==
        "[einsum] \"i...->i\": expected `...` in the output, as in the operands");
  CHECK_THROWS_WITH(einsum("i1->i", {a}), contains_text("expected letters and at most one `...` in each term"));
  CHECK_THROWS_WITH(einsum("......->", {a}), contains_text("at most one `...`"));
  CHECK_THROWS_WITH(einsum("ij->i->j", {a}), contains_text("cannot read"));
  CHECK_THROWS_WITH(einsum("ii->i", {a}), contains_text("sizes of axis i differ"));
  CHECK(error_text([&] {
          return einsum("ij,jk", {a, zeros({3, 2}, {.dtype = DType::f64})});
        }) == "[einsum] dtypes differ: f32 [2, 3] and f64 [3, 2]");
}

TEST_CASE("linear algebra: derivatives of compositions") {
  const auto run = [](const char* equation) {
    return [equation](const std::vector<Variable>& x) { return std::vector<Variable>{einsum(equation, x)}; };
  };
  const std::vector<DrawnFunction> functions = {
      {"outer",
       {real({2}), real({3})},
       [](const std::vector<Variable>& x) { return std::vector<Variable>{outer(x[0], x[1])}; }},
      {"cosine",
       {real({2, 3}, positive()), real({3}, positive())},
       [](const std::vector<Variable>& x) { return std::vector<Variable>{cosine_similarity(x[0], x[1])}; }},
      {"cosine, a short vector",
       {real({2}, between(0.05, 0.1)), real({2}, positive())},
       [](const std::vector<Variable>& x) {
         return std::vector<Variable>{cosine_similarity(x[0], x[1], {.axis = 0, .eps = 0.7})};
       }},
      {"einsum diagonal", {real({3, 2, 3}), real({3})}, run("iji,i->j")},
      {"einsum chain", {real({2, 3}), real({3, 2}), real({2})}, run("ab,bc,c->a")},
      {"einsum ...", {real({2, 1, 3}), real({3, 2})}, run("...i,i...->...")},
      {"einsum scores", {real({2, 2, 3}), real({2, 2, 3})}, run("bqd,bkd->bqk")},
  };
  for (const DrawnFunction& f : functions) check_derivatives(f);
}
