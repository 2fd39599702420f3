// SPDX-License-Identifier: MIT
// The kernels of the LSTM and the RNN on arrays: formulas, padding, threads, and derivatives that nobody asks for. The
// battery compares them with their references, and derivatives with differences.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gradus/tensor/kernels/sequence/lstm.hpp>
#include <gradus/tensor/kernels/sequence/rnn.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus::kernels {
namespace {

using detail::ThreadCountScope;
using tests::RandomNumbers;

enum class Cell { lstm, projected, tanh, relu };
constexpr Cell kCells[] = {Cell::lstm, Cell::projected, Cell::tanh, Cell::relu};

struct Shape {
  Cell cell;
  int64_t batch, time, hidden;
  std::vector<int64_t> lengths;  // empty when all are `time`
  bool reverse;

  bool is_lstm() const { return cell == Cell::lstm || cell == Cell::projected; }
  int64_t gates() const { return is_lstm() ? 4 : 1; }
  int64_t state() const { return cell == Cell::projected ? (hidden + 1) / 2 : hidden; }
  int64_t length(int64_t row) const { return lengths.empty() ? time : lengths[size_t(row)]; }
  std::string text() const {
    constexpr const char* kNames[] = {"lstm", "lstm with a projection", "rnn, tanh", "rnn, relu"};
    return std::string(kNames[int(cell)]) + ", B " + std::to_string(batch) + " T " + std::to_string(time) + " H " +
           std::to_string(hidden) + (lengths.empty() ? "" : ", ragged") + (reverse ? ", reverse" : "");
  }
};

// The inputs, or their derivatives.
template <class T>
struct Inputs {
  std::vector<T> gates_x, h0, c0, w_hh, b_hh, w_hr;

  std::vector<std::vector<T>*> all() { return {&gates_x, &h0, &c0, &w_hh, &b_hh, &w_hr}; }
};

template <class T>
Inputs<T> random_inputs(const Shape& s, RandomNumbers& random) {
  const double scale = 1.0 / std::sqrt(double(s.hidden));
  Inputs<T> in;
  in.gates_x = random.uniform<T>(s.batch * s.time * s.gates() * s.hidden, 2.0);
  in.h0 = random.uniform<T>(s.batch * s.state());
  in.c0 = random.uniform<T>(s.is_lstm() ? s.batch * s.hidden : 0);
  in.w_hh = random.uniform<T>(s.gates() * s.hidden * s.state(), scale);
  in.b_hh = random.uniform<T>(s.gates() * s.hidden);
  in.w_hr = random.uniform<T>(s.cell == Cell::projected ? s.state() * s.hidden : 0, scale);
  return in;
}

template <class To, class From>
Inputs<To> convert(Inputs<From> from) {
  Inputs<To> to;
  for (size_t i = 0; i < 6; ++i) to.all()[i]->assign(from.all()[i]->begin(), from.all()[i]->end());
  return to;
}

template <class T>
struct Results {
  std::vector<T> y, h_n, c_n, gates;
};

template <class T>
T* data(std::vector<T>& v) {
  return v.empty() ? nullptr : v.data();
}
template <class T>
const T* data(const std::vector<T>& v) {
  return v.empty() ? nullptr : v.data();
}

template <class T>
LstmSequence<T> lstm(const Shape& s, const Inputs<T>& in) {
  return {.batch = s.batch,
          .time = s.time,
          .hidden = s.hidden,
          .state = s.state(),
          .gates_x = in.gates_x.data(),
          .h0 = in.h0.data(),
          .c0 = in.c0.data(),
          .w_hh = in.w_hh.data(),
          .b_hh = in.b_hh.data(),
          .w_hr = data(in.w_hr),
          .lengths = data(s.lengths),
          .reverse = s.reverse};
}

template <class T>
RnnSequence<T> rnn(const Shape& s, const Inputs<T>& in) {
  return {.batch = s.batch,
          .time = s.time,
          .hidden = s.hidden,
          .gates_x = in.gates_x.data(),
          .h0 = in.h0.data(),
          .w_hh = in.w_hh.data(),
          .b_hh = in.b_hh.data(),
          .lengths = data(s.lengths),
          .reverse = s.reverse,
          .relu = s.cell == Cell::relu};
}

template <class T>
Results<T> run_forward(const Shape& s, const Inputs<T>& in, bool keeps_gates = true) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  Results<T> out;
  out.y.assign(size_t(s.batch * s.time * s.state()), nan);
  out.h_n.assign(in.h0.size(), nan);
  out.c_n.assign(in.c0.size(), nan);
  if (keeps_gates && s.is_lstm()) out.gates.assign(size_t(s.batch * s.time * 5 * s.hidden), nan);
  if (s.is_lstm()) {
    lstm_forward(lstm(s, in), {out.y.data(), out.h_n.data(), out.c_n.data(), data(out.gates)});
  } else {
    rnn_forward(rnn(s, in), {out.y.data(), out.h_n.data()});
  }
  return out;
}

/// The derivatives by the results; an empty one is left out.
template <class T>
struct Cotangents {
  std::vector<T> dy, dh, dc;
};

template <class T>
Cotangents<T> random_cotangents(const Shape& s, RandomNumbers& random) {
  return {random.uniform<T>(s.batch * s.time * s.state()), random.uniform<T>(s.batch * s.state()),
          random.uniform<T>(s.is_lstm() ? s.batch * s.hidden : 0)};
}

// `wanted`: the number of the only derivative that is asked for, or -1 for all of them.
template <class T>
Inputs<T> run_backward(const Shape& s, const Inputs<T>& in, const Results<T>& out, const Cotangents<T>& c,
                       int wanted = -1) {
  Inputs<T> d = in;
  T* to[6];
  for (size_t i = 0; i < 6; ++i) {
    std::fill(d.all()[i]->begin(), d.all()[i]->end(), std::numeric_limits<T>::quiet_NaN());
    to[i] = wanted == -1 || wanted == int(i) ? data(*d.all()[i]) : nullptr;
  }
  if (s.is_lstm()) {
    lstm_backward(lstm(s, in), {data(out.y), data(out.gates), data(c.dy), data(c.dh), data(c.dc)},
                  {to[0], to[1], to[2], to[3], to[4], to[5]});
  } else {
    rnn_backward(rnn(s, in), {data(out.y), data(c.dy), data(c.dh)}, {to[0], to[1], to[3], to[4]});
  }
  return d;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// The formulas of lstm.hpp and rnn.hpp, one number at a time: h and c become the next state.
void take_step(const Shape& s, const Inputs<double>& in, const double* x, std::vector<double>& h,
               std::vector<double>& c) {
  const auto n = size_t(s.hidden);
  const std::vector<double> before = h;
  const auto gate = [&](size_t k, size_t j) {
    double sum = x[k * n + j] + in.b_hh[k * n + j];
    for (size_t i = 0; i < before.size(); ++i) sum += in.w_hh[(k * n + j) * before.size() + i] * before[i];
    return sum;
  };
  std::vector<double> out(n);
  for (size_t j = 0; j < n; ++j) {
    if (!s.is_lstm()) {
      out[j] = s.cell == Cell::relu ? std::max(0.0, gate(0, j)) : std::tanh(gate(0, j));
    } else {
      c[j] = sigmoid(gate(1, j)) * c[j] + sigmoid(gate(0, j)) * std::tanh(gate(2, j));
      out[j] = sigmoid(gate(3, j)) * std::tanh(c[j]);
    }
  }
  if (s.cell != Cell::projected) {
    h = out;
    return;
  }
  for (size_t p = 0; p < h.size(); ++p) {
    h[p] = 0;
    for (size_t j = 0; j < n; ++j) h[p] += in.w_hr[p * n + j] * out[j];
  }
}

Results<double> plain_forward(const Shape& s, const Inputs<double>& in) {
  Results<double> out;
  out.y.assign(size_t(s.batch * s.time * s.state()), 0.0);
  for (int64_t b = 0; b < s.batch; ++b) {
    std::vector<double> h(in.h0.begin() + b * s.state(), in.h0.begin() + (b + 1) * s.state()), c;
    if (s.is_lstm()) c.assign(in.c0.begin() + b * s.hidden, in.c0.begin() + (b + 1) * s.hidden);
    for (int64_t step = 0; step < s.length(b); ++step) {
      const int64_t cell = b * s.time + (s.reverse ? s.length(b) - 1 - step : step);
      take_step(s, in, in.gates_x.data() + cell * s.gates() * s.hidden, h, c);
      std::copy(h.begin(), h.end(), out.y.begin() + cell * s.state());
    }
    out.h_n.insert(out.h_n.end(), h.begin(), h.end());
    out.c_n.insert(out.c_n.end(), c.begin(), c.end());
  }
  return out;
}

template <class A, class B>
double worst(const std::vector<A>& got, const std::vector<B>& expected) {
  double error = got.size() == expected.size() ? 0 : std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < got.size(); ++i) {
    const double e = std::abs(double(got[i]) - double(expected[i])) / std::max(1.0, std::abs(double(expected[i])));
    error = std::isnan(e) ? std::numeric_limits<double>::infinity() : std::max(error, e);
  }
  return error;
}

// All cells and directions, sizes around the vectors, tiles and chunks, ragged lengths.
std::vector<Shape> shapes() {
  std::vector<Shape> list;
  for (const Cell cell : kCells) {
    for (const bool reverse : {false, true}) {
      list.push_back({cell, 4, 5, 3, {5, 4, 1, 0}, reverse});
      list.push_back({cell, 5, 4, 17, {0, 2, 4, 3, 4}, reverse});
      list.push_back({cell, 1, 3, 8, {}, reverse});
      list.push_back({cell, 37, 3, 2, {}, reverse});
      list.push_back({cell, 2, 1, 33, {}, reverse});
    }
  }
  return list;
}

}  // namespace

TEST_CASE("lstm_forward, rnn_forward: equal the formulas, one number at a time") {
  const uint64_t seed = tests::seed(31);
  RandomNumbers random(seed);
  for (const Shape& s : shapes()) {
    INFO(s.text() << ", seed " << seed);
    const auto in = random_inputs<double>(s, random);
    const Results<double> expected = plain_forward(s, in), got = run_forward(s, in), bare = run_forward(s, in, false);
    CHECK(worst(got.y, expected.y) < 1e-13);  // measured: 5e-16
    CHECK(worst(got.h_n, expected.h_n) < 1e-13);
    CHECK(worst(got.c_n, expected.c_n) < 1e-13);
    CHECK(bare.y == got.y);
    CHECK(bare.c_n == got.c_n);
    CHECK(worst(run_forward(s, convert<float>(in)).y, expected.y) < 3e-6);  // measured: 3e-7
  }
}

TEST_CASE("lstm_backward, rnn_backward: f32 is held to f64, and a missing cotangent means zero") {
  const uint64_t seed = tests::seed(32);
  RandomNumbers random(seed);
  for (const Shape& s : shapes()) {
    INFO(s.text() << ", seed " << seed);
    auto in32 = random_inputs<float>(s, random);
    auto in = convert<double>(in32);
    if (s.cell == Cell::relu) {  // in both precisions on the same side of the kink
      for (float& x : in32.gates_x) x += x < 0 ? -3.0f : 3.0f;
      in = convert<double>(in32);
    }
    const auto c32 = random_cotangents<float>(s, random);
    const auto wide = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
    const Cotangents<double> c{wide(c32.dy), wide(c32.dh), wide(c32.dc)};
    const Results<float> out32 = run_forward(s, in32);
    Inputs<float> got = run_backward(s, in32, out32, c32);
    Inputs<double> expected = run_backward(s, in, run_forward(s, in), c);
    for (size_t i = 0; i < 6; ++i) CHECK(worst(*got.all()[i], *expected.all()[i]) < 2e-5);  // measured: 2e-6

    for (std::vector<float> Cotangents<float>::*part :
         {&Cotangents<float>::dy, &Cotangents<float>::dh, &Cotangents<float>::dc}) {
      Cotangents<float> without = c32, zero = c32;
      (without.*part).clear();
      std::fill((zero.*part).begin(), (zero.*part).end(), 0.0f);
      Inputs<float> a = run_backward(s, in32, out32, without), b = run_backward(s, in32, out32, zero);
      for (size_t i = 0; i < 6; ++i) CHECK(*a.all()[i] == *b.all()[i]);
    }
  }
}

TEST_CASE("lstm, rnn: padding is never read, outputs beyond a length are exactly 0, length 0 passes the states on") {
  const uint64_t seed = tests::seed(33);
  INFO("seed " << seed);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Cell cell : kCells) {
    for (const bool reverse : {false, true}) {
      const Shape s{cell, 4, 5, 19, {4, 0, 5, 2}, reverse};
      INFO(s.text());
      RandomNumbers random(seed);
      auto in = random_inputs<float>(s, random);
      auto c = random_cotangents<float>(s, random);
      const Results<float> out = run_forward(s, in);
      Inputs<float> d = run_backward(s, in, out, c);
      Results<float> spoiled = out;
      const auto beyond = [&](std::vector<float>& array, int64_t width, const std::vector<float>* zero) {
        for (int64_t b = 0; b < s.batch && !array.empty(); ++b) {
          for (int64_t i = (b * s.time + s.length(b)) * width; i < (b + 1) * s.time * width; ++i) {
            if (zero != nullptr) REQUIRE((*zero)[size_t(i)] == 0.0f);
            array[size_t(i)] = nan;
          }
        }
      };
      beyond(spoiled.y, s.state(), &out.y);
      beyond(spoiled.gates, 5 * s.hidden, &out.gates);
      beyond(c.dy, s.state(), nullptr);
      beyond(in.gates_x, s.gates() * s.hidden, &d.gates_x);
      const Results<float> again = run_forward(s, in);
      CHECK(again.y == out.y);
      CHECK(again.h_n == out.h_n);
      CHECK(again.c_n == out.c_n);
      CHECK(again.gates == out.gates);
      CHECK(std::equal(in.h0.begin() + s.state(), in.h0.begin() + 2 * s.state(), out.h_n.begin() + s.state()));
      if (s.is_lstm()) CHECK(std::equal(in.c0.begin() + 19, in.c0.begin() + 38, out.c_n.begin() + 19));
      Inputs<float> d_again = run_backward(s, in, spoiled, c);
      for (size_t i = 0; i < 6; ++i) CHECK(*d_again.all()[i] == *d.all()[i]);
    }
  }
}

TEST_CASE("lstm, rnn: the same bits at any number of threads, and with some derivatives left out") {
  const uint64_t seed = tests::seed(34);
  INFO("seed " << seed);
  for (const Cell cell : kCells) {
    RandomNumbers random(seed);
    Shape s{cell, 70, 9, 48, {}, true};
    for (int64_t b = 0; b < s.batch; ++b) s.lengths.push_back(random.integer(0, s.time));
    INFO(s.text());
    const auto in = random_inputs<float>(s, random);
    const auto c = random_cotangents<float>(s, random);
    const Results<float> first = run_forward(s, in);
    Inputs<float> expected = run_backward(s, in, first, c);
    for (const int threads : {1, 2, 5}) {
      const ThreadCountScope scope(threads);
      const Results<float> out = run_forward(s, in);
      CHECK(out.y == first.y);
      CHECK(out.gates == first.gates);
      Inputs<float> d = run_backward(s, in, out, c);
      for (size_t i = 0; i < 6; ++i) CHECK(*d.all()[i] == *expected.all()[i]);
    }
    for (size_t i = 0; i < 6; ++i) {
      Inputs<float> alone = run_backward(s, in, first, c, int(i));
      CHECK(*alone.all()[i] == *expected.all()[i]);
    }
  }
}

TEST_CASE("lstm, rnn: empty batches and empty sequences") {
  RandomNumbers random(35);
  for (const Cell cell : kCells) {
    for (const Shape& s : {Shape{cell, 0, 3, 4, {}, false}, Shape{cell, 3, 0, 4, {}, false}}) {
      INFO(s.text());
      const auto in = random_inputs<double>(s, random);
      const auto c = random_cotangents<double>(s, random);
      const Results<double> out = run_forward(s, in);
      CHECK(out.h_n == in.h0);
      CHECK(out.c_n == in.c0);
      Inputs<double> d = run_backward(s, in, out, c);
      CHECK(d.h0 == c.dh);
      CHECK(d.c0 == c.dc);
      for (const std::vector<double>* weight : {&d.w_hh, &d.b_hh, &d.w_hr}) {
        CHECK(*weight == std::vector<double>(weight->size(), 0.0));
      }
    }
  }
}

}  // namespace gradus::kernels
