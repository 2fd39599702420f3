// SPDX-License-Identifier: MIT
// Tests the classifier of wrong gradients on gradients with known errors.
#include <gradus/autograd/check/battery/random_tensors.hpp>
#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/check/diagnosis/signature.hpp>
#include <gradus/autograd/check/differences/differences.hpp>
#include <gradus/autograd/check/report/labels.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/seed.hpp"

using namespace gradus;
using detail::GradientPair;

namespace {

bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

GradientPair right(const Shape& shape, uint64_t seed = 11) {
  const Tensor drawn = detail::RandomTensors(tests::seed(seed)).floating(shape, DType::f64, {.low = 0.3, .high = 2.0});
  GradientPair pair{.shape = shape, .analytic = {}, .numeric = detail::elements(drawn)};
  pair.analytic = pair.numeric;
  return pair;
}

// A gradient of this shape with one of the library's corruptions.
GradientPair wrong(Corruption corruption, const Shape& shape, int axis = 0) {
  GradientPair pair = right(shape);
  Tensor gradient = Tensor::empty(shape, DType::f64);
  std::copy(pair.numeric.begin(), pair.numeric.end(), gradient.mutable_data_<double>());
  const Variable made = corrupted(corruption, axis, gradient);
  REQUIRE(made.defined());
  pair.analytic = detail::elements(made.value());
  return pair;
}

}  // namespace

TEST_CASE("signature: a right gradient has none") { CHECK(classify(right({3, 4})).kind == SignatureKind::none); }

TEST_CASE("signature: ratios") {
  CHECK(classify(wrong(Corruption::sign_flipped, {3, 4})).kind == SignatureKind::sign_flipped);
  CHECK(classify(wrong(Corruption::doubled, {3, 4})).kind == SignatureKind::doubled);
  CHECK(classify(wrong(Corruption::dropped, {3, 4})).kind == SignatureKind::all_zero);
  const Signature scaled = classify(wrong(Corruption::scaled, {3, 4}));
  CHECK(scaled.kind == SignatureKind::scaled);
  CHECK(scaled.ratio == Approx(1.00001).epsilon(1e-12));
  CHECK(mentions(scaled.text, "analytic = 1.00001 x numeric"));
}

TEST_CASE("signature: elements in other places, along any axis") {
  CHECK(classify(wrong(Corruption::transposed, {2, 3, 3})).kind == SignatureKind::transposed);
  CHECK(classify(wrong(Corruption::transposed, {3, 4})).kind == SignatureKind::transposed);
  for (int axis = 0; axis < 3; ++axis) {
    const Signature shifted = classify(wrong(Corruption::shifted, {3, 4, 5}, axis));
    CHECK(shifted.kind == SignatureKind::shifted);
    CHECK(shifted.axis == axis);
    CHECK(shifted.ratio == 1.0);
    const Signature reversed = classify(wrong(Corruption::reversed, {3, 4, 5}, axis));
    CHECK(reversed.kind == SignatureKind::reversed);
    CHECK(reversed.axis == axis);
  }
}

TEST_CASE("signature: slices that are zero, and which") {
  for (int axis = 0; axis < 2; ++axis) {
    const Signature first = classify(wrong(Corruption::first_zeroed, {3, 4}, axis));
    CHECK(first.kind == SignatureKind::slice_zero);
    CHECK(first.axis == axis);
    CHECK(mentions(first.text, "index 0 of axis " + std::to_string(axis)));
  }
  GradientPair pair = wrong(Corruption::last_zeroed, {3, 4}, 0);
  pair.axes = {{"time step"}, {"unit"}};
  CHECK(mentions(classify(pair).text, "analytic is 0 at time step 2, and right elsewhere"));
}

TEST_CASE("signature: wrong only in the first or last step, or in one gate") {
  GradientPair pair = right({8, 3});
  pair.axes = {{"gate", {"i", "f", "g", "o"}}, {"input"}};
  GradientPair first = pair;
  for (size_t j = 0; j < 3; ++j) first.analytic[j] += 0.1 * static_cast<double>(j + 1);
  CHECK(classify(first).kind == SignatureKind::first_only);
  GradientPair last = pair;
  for (size_t j = 21; j < 24; ++j) last.analytic[j] += 0.1 * static_cast<double>(j + 1);
  const Signature at_last = classify(last);
  CHECK(at_last.kind == SignatureKind::last_only);
  CHECK(mentions(at_last.text, "gate o, unit 1"));
  GradientPair gate = pair;
  for (size_t j = 6; j < 12; ++j) gate.analytic[j] *= 1.0 + 0.1 * static_cast<double>(j);
  const Signature in_gate = classify(gate);
  CHECK(in_gate.kind == SignatureKind::block_only);
  CHECK(in_gate.text == "analytic is wrong only at gate f");
}

TEST_CASE("signature: wrong in a few slices, by their numbers") {
  // The gradients of embedding rows that were used twice are overwritten instead of added.
  GradientPair pair = right({5, 3});
  for (const size_t j : std::vector<size_t>{3, 4, 5, 9, 10, 11}) pair.analytic[j] *= 0.5 + 0.1 * static_cast<double>(j);
  const Signature few = classify(pair);
  CHECK(few.kind == SignatureKind::block_only);
  CHECK(few.text == "analytic is wrong only at indices 1, 3 of axis 0");
  pair.axes = {{"row"}, {"unit"}};
  CHECK(classify(pair).text == "analytic is wrong only at indices 1, 3 of axis 0 (row)");
  for (size_t j = 0; j < 3; ++j) pair.analytic[j] *= 3.0 + static_cast<double>(j);
  CHECK(classify(pair).kind == SignatureKind::none);
  GradientPair many = right({24, 2});
  for (size_t j = 0; j < 48; j += 4) many.analytic[j] += 0.1 * static_cast<double>(j + 1);
  CHECK(mentions(classify(many).text, "only at indices 0, 2, 4, 6, 8, 10, 12, 14, ... of axis 0"));
}

TEST_CASE("signature: shifted, whatever came in at the end") {
  // A slice of a concatenation's cotangent starts one element too early, so it gets the neighbour's last element.
  GradientPair pair = right({2, 4});
  for (size_t row = 0; row < 2; ++row) {
    for (size_t j = 3; j > 0; --j) pair.analytic[row * 4 + j] = pair.numeric[row * 4 + j - 1];
    pair.analytic[row * 4] = 7.0 + static_cast<double>(row);
  }
  const Signature shifted = classify(pair);
  CHECK(shifted.kind == SignatureKind::shifted);
  CHECK(shifted.axis == 1);
  CHECK(shifted.ratio == 1.0);
  // Equal neighbours prove nothing: only the first element is wrong here.
  GradientPair constant = right({4});
  constant.numeric.assign(4, 1.5);
  constant.analytic = {3.25, 1.5, 1.5, 1.5};
  CHECK(classify(constant).kind == SignatureKind::one_element);
}

TEST_CASE("signature: slices in another order") {
  // The gates r and z of a GRU are exchanged.
  GradientPair pair = right({6, 3});
  pair.axes = {{"gate", {"r", "z", "n"}}, {"unit"}};
  for (size_t j = 0; j < 6; ++j) std::swap(pair.analytic[j], pair.analytic[j + 6]);
  const Signature exchanged = classify(pair);
  CHECK(exchanged.kind == SignatureKind::permuted);
  CHECK(exchanged.axis == 0);
  CHECK(exchanged.text == "analytic holds the slices of axis 0 (gate) in another order: 2, 3, 0, 1, 4, 5");
  pair.analytic[17] += 0.5;
  CHECK(classify(pair).kind == SignatureKind::none);
}

TEST_CASE("signature: a gradient where there should be none at all") {
  GradientPair pair = right({2, 5});
  pair.numeric.assign(10, 0.0);
  const Signature found = classify(pair);
  CHECK(found.kind == SignatureKind::only_masked);
  CHECK(mentions(found.text, "only where it should be exactly 0"));
}

TEST_CASE("signature: one element, by its label") {
  GradientPair pair = wrong(Corruption::element_zeroed, {3, 4});
  CHECK(classify(pair).kind == SignatureKind::one_element);
  pair = right({2, 2, 3});
  pair.axes = {{"batch item"}, {"time step"}, {"head"}};
  pair.analytic[10] += 1.0;
  CHECK(mentions(classify(pair).text, "[1, 1, 1] (batch item 1; time step 1; head 1)"));
}

TEST_CASE("signature: only where masked") {
  GradientPair pair = right({2, 5});
  for (const size_t j : std::vector<size_t>{1, 4, 8}) pair.numeric[j] = 0.0;
  CHECK(classify(pair).kind == SignatureKind::only_masked);
  GradientPair padded = right({2, 5});
  padded.keep.assign(10, true);
  for (const size_t j : std::vector<size_t>{3, 4, 9}) {
    padded.keep[j] = false;
    padded.analytic[j] += 0.5;
  }
  CHECK(mentions(classify(padded).text, "where the input is masked"));
  padded.analytic[0] += 0.25;
  CHECK(classify(padded).kind != SignatureKind::only_masked);
}

TEST_CASE("signature: cotangents ignored or taken for 1") {
  GradientPair pair = right({4}, 1);
  const std::vector<double> other = right({4}, 2).numeric;
  pair.by_output = {pair.numeric, other};
  for (size_t j = 0; j < 4; ++j) pair.numeric[j] += other[j];
  const Signature ignored = classify(pair);
  CHECK(ignored.kind == SignatureKind::cotangent_ignored);
  CHECK(mentions(ignored.text, "output 1"));
  GradientPair of_ones = right({4}, 3);
  of_ones.for_ones = of_ones.numeric;
  of_ones.numeric = right({4}, 4).numeric;
  CHECK(classify(of_ones).kind == SignatureKind::cotangent_of_ones);
}

TEST_CASE("signature: a term missing along an axis, and no pattern at all") {
  GradientPair pair = right({3, 4});
  for (size_t j = 0; j < 12; ++j) pair.analytic[j] += 0.1 + static_cast<double>(j / 4);
  const Signature found = classify(pair);
  CHECK(found.kind == SignatureKind::constant_offset);
  CHECK(found.axis == 1);
  GradientPair noise = right({3, 4});
  noise.analytic = right({3, 4}, 99).numeric;
  const Signature none = classify(noise);
  CHECK(none.kind == SignatureKind::none);
  CHECK(mentions(none.text, "12 of 12 elements are wrong"));
}

TEST_CASE("signature: elements at kinks are left out") {
  GradientPair pair = wrong(Corruption::doubled, {5});
  pair.analytic[2] = 77.0;
  CHECK(classify(pair).kind != SignatureKind::doubled);
  pair.ignore = {false, false, true, false, false};
  CHECK(classify(pair).kind == SignatureKind::doubled);
}

TEST_CASE("labels of inputs that are named elsewhere end at a dot") {
  const std::vector<InputLabels> labels = {{"weight_hh", {{"gate", {"i", "f"}}, {"unit"}}}};
  CHECK(detail::labels_of("encoder.weight_hh", {4, 2}, labels).size() == 2);
  CHECK(detail::labels_of("weight_hh", {4, 2}, labels).size() == 2);
  CHECK(detail::labels_of("my_weight_hh", {4, 2}, labels).empty());
  CHECK(detail::labels_of("weight_hh", {4}, labels).empty());
  CHECK(detail::label_text(labels[0].axes, {4, 2}, 5) == "gate f, unit 0; unit 1");
}
