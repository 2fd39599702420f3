// SPDX-License-Identifier: MIT
// One function checks lengths everywhere, with one sentence that names the caller.
#include <functional>
#include <string>
#include <vector>

#include <gradus/autograd/ops/sequence/sequence.hpp>
#include <gradus/nn/check/gradcheck.hpp>
#include <gradus/nn/models/seq2seq.hpp>
#include <gradus/tensor/detail/lengths.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/literals.hpp"

using namespace gradus;
using tests::error_text;

namespace {

struct Taker {
  std::string name;
  std::function<void(const Tensor& lengths)> take;  // of 2 rows and 3 steps
  std::string place = "";
};

std::vector<Taker> takers() {
  const auto sequence = [](int64_t gates) { return ones({2, 3, gates * 2}); };
  std::vector<Taker> out;
  for (const bool reverse : {false, true}) {
    out.push_back(
        {"rnn_sequence", [=](const Tensor& l) {
           static_cast<void>(rnn_sequence(sequence(1), ones({2, 2}), ones({2, 2}), ones({2}), l, {.reverse = reverse}));
         }});
    out.push_back(
        {"gru_sequence", [=](const Tensor& l) {
           static_cast<void>(gru_sequence(sequence(3), ones({2, 2}), ones({6, 2}), ones({6}), l, {.reverse = reverse}));
         }});
    out.push_back({"lstm_sequence", [=](const Tensor& l) {
                     static_cast<void>(lstm_sequence(sequence(4), ones({2, 2}), ones({2, 2}), ones({8, 2}), ones({8}),
                                                     l, {.reverse = reverse}));
                   }});
  }
  for (const CellKind cell : {CellKind::rnn, CellKind::gru, CellKind::lstm}) {
    for (const bool symbols : {false, true}) {
      const auto take = [=](const Tensor& l) {
        Generator generator(1);
        Recurrent layer({.cell = cell, .input_size = 2, .hidden_size = 2, .bidirectional = true}, generator);
        if (symbols) {
          static_cast<void>(layer(EmbeddedSymbols{ones({4, 2}), zeros({2, 3}, {.dtype = DType::i64})}, {.lengths = l}));
        } else {
          static_cast<void>(layer(ones({2, 3, 2}), {.lengths = l}));
        }
      };
      out.push_back({cell_name(cell), take, std::string(" (in ") + cell_name(cell) + ")"});
    }
  }
  for (const AttentionKind attention : {AttentionKind::none, AttentionKind::additive, AttentionKind::dot}) {
    for (const bool greedy : {false, true}) {
      const auto take = [=](const Tensor& l) {
        Generator generator(1);
        Seq2Seq model(
            {.source_vocab = 3, .target_vocab = 3, .embedding_size = 2, .hidden_size = 2, .attention = attention},
            generator);
        const Tensor source = zeros({2, 3}, {.dtype = DType::i64});
        if (greedy) {
          static_cast<void>(model.greedy(source, l, {.begin = 0, .end = 1, .max_length = 2}));
        } else {
          static_cast<void>(model(source, l, source));
        }
      };
      out.push_back({greedy ? "greedy" : "seq2seq", take, " (in seq2seq)"});
    }
  }
  out.push_back({"without_padding", [](const Tensor& l) {
                   static_cast<void>(without_padding(zeros({2, 3}, {.dtype = DType::i64}), l));
                 }});
  out.push_back({"check_padding_invariance", [](const Tensor& l) {
                   static_cast<void>(check_padding_invariance(
                       [](const std::vector<Variable>& in) { return in; },
                       {{.name = "x", .value = ones({2, 3}, {.dtype = DType::f64})}}, {.lengths = l}));
                 }});
  return out;
}

}  // namespace

TEST_CASE("lengths: wrong ones are refused in one sentence by all that take them") {
  for (const Taker& taker : takers()) {
    INFO(taker.name);
    const auto refused = [&](const Tensor& lengths, const std::string& got) {
      CHECK(error_text([&] { taker.take(lengths); }) ==
            "[" + taker.name + "] wrong lengths: expected i64 [2], each from 0 to 3, got " + got + taker.place);
    };
    refused(tests::i64({7, -2}, {2}), "7 in row 0");
    refused(tests::i64({3, -2}, {2}), "-2 in row 1");
    refused(tests::i64({0, 4}, {2}), "4 in row 1");
    refused(tests::i64({INT64_MIN, 0}, {2}), std::to_string(INT64_MIN) + " in row 0");
    refused(ones({2}), "f32 [2]");
    refused(ones({2}, {.dtype = DType::boolean}), "bool [2]");
    refused(tests::i64({1, 1}, {2, 1}), "i64 [2, 1]");
    refused(tests::i64({1}, {}), "i64 []");
    refused(tests::i64({1, 1, 1}, {3}), "i64 [3]");
    CHECK(error_text([&] { taker.take(tests::i64({3, 0}, {2})); }) == "(no error)");
    // Every second element of these, so that the stride is not 1.
    CHECK(error_text([&] { taker.take(tests::i64({3, 9, 1, 9}, {2, 2}).select(1, 0)); }) == "(no error)");
  }
}

TEST_CASE("lengths: the shortest and the longest") {
  const LengthRange range = require_lengths("f", tests::i64({2, 5, 3}, {3}), 3, 6);
  CHECK(range.least == 2);
  CHECK(range.most == 5);
  const LengthRange none = require_lengths("f", tests::i64({}, {0}), kAnyRows, 6);
  CHECK(none.least == 6);
  CHECK(none.most == 0);
  CHECK(error_text([] { require_lengths("f", Tensor(), kAnyRows, 6); }) ==
        "[f] wrong lengths: expected i64 [B], each from 0 to 6, got no tensor");
  CHECK(require_lengths("f", tests::i64({2, 5}, {2}), 2, kAnyLength).most == 5);
  CHECK(error_text([] {
          require_lengths("f", tests::i64({2, -5}, {2}), 2, kAnyLength);
        }) == "[f] wrong lengths: expected i64 [2], each 0 or more, got -5 in row 1");
}
