// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gradus/tensor/kernels/sequence/gru.hpp>
#include <gradus/tensor/runtime/parallel.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"

namespace gradus::kernels {
namespace {

using detail::ThreadCountScope;
using tests::RandomNumbers;

struct Shape {
  int64_t batch, time, hidden;
  std::vector<int64_t> lengths;  // empty when all are `time`
  bool reverse, reset_after;
};

template <class T>
struct Inputs {
  std::vector<T> gates_x, h0, w_hh, b_hh;

  std::vector<std::vector<T>*> all() { return {&gates_x, &h0, &w_hh, &b_hh}; }
};

template <class T>
Inputs<T> random_inputs(const Shape& s, RandomNumbers& random) {
  Inputs<T> in;
  in.gates_x = random.uniform<T>(s.batch * s.time * 3 * s.hidden, 2.0);
  in.h0 = random.uniform<T>(s.batch * s.hidden);
  in.w_hh = random.uniform<T>(3 * s.hidden * s.hidden, 2.0 / std::sqrt(double(s.hidden)));
  in.b_hh = random.uniform<T>(3 * s.hidden);
  return in;
}

template <class To, class From>
std::vector<To> convert(const std::vector<From>& from) {
  return std::vector<To>(from.begin(), from.end());
}

template <class T>
GruSequence<T> sequence(const Shape& s, const Inputs<T>& in) {
  return {.batch = s.batch,
          .time = s.time,
          .hidden = s.hidden,
          .gates_x = in.gates_x.data(),
          .h0 = in.h0.data(),
          .w_hh = in.w_hh.data(),
          .b_hh = in.b_hh.data(),
          .lengths = s.lengths.empty() ? nullptr : s.lengths.data(),
          .reverse = s.reverse,
          .reset_after = s.reset_after};
}

template <class T>
struct Forward {
  std::vector<T> y, h_n, gates;
};

template <class T>
Forward<T> run_forward(const Shape& s, const Inputs<T>& in, bool keeps_gates = true) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  Forward<T> out;
  out.y.assign(size_t(s.batch * s.time * s.hidden), nan);
  out.h_n.assign(size_t(s.batch * s.hidden), nan);
  out.gates.assign(size_t(s.batch * s.time * 4 * s.hidden), nan);
  gru_forward(sequence(s, in), {out.y.data(), out.h_n.data(), keeps_gates ? out.gates.data() : nullptr});
  return out;
}

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

int64_t length_of(const Shape& s, int64_t row) { return s.lengths.empty() ? s.time : s.lengths[size_t(row)]; }

// The formulas of gru.hpp, one number at a time.
std::vector<double> next_state(const Shape& s, const Inputs<double>& in, const double* x,
                               const std::vector<double>& h) {
  const auto n = size_t(s.hidden);
  const auto product = [&](size_t gate, size_t j, const std::vector<double>& v) {
    double sum = 0;
    for (size_t k = 0; k < n; ++k) sum += in.w_hh[(gate * n + j) * n + k] * v[k];
    return sum;
  };
  std::vector<double> r(n), z(n), reset(n), next(n);
  for (size_t j = 0; j < n; ++j) {
    r[j] = sigmoid(x[j] + product(0, j, h) + in.b_hh[j]);
    z[j] = sigmoid(x[n + j] + product(1, j, h) + in.b_hh[n + j]);
    reset[j] = r[j] * h[j];
  }
  for (size_t j = 0; j < n; ++j) {
    const double bias = in.b_hh[2 * n + j];
    const double inner = s.reset_after ? r[j] * (product(2, j, h) + bias) : product(2, j, reset) + bias;
    next[j] = (1 - z[j]) * std::tanh(x[2 * n + j] + inner) + z[j] * h[j];
  }
  return next;
}

Forward<double> plain_forward(const Shape& s, const Inputs<double>& in) {
  const auto n = size_t(s.hidden);
  Forward<double> out;
  out.y.assign(size_t(s.batch * s.time) * n, 0.0);
  out.h_n.resize(size_t(s.batch) * n);
  for (int64_t b = 0; b < s.batch; ++b) {
    std::vector<double> h(in.h0.begin() + b * s.hidden, in.h0.begin() + (b + 1) * s.hidden);
    const int64_t length = length_of(s, b);
    for (int64_t step = 0; step < length; ++step) {
      const int64_t cell = b * s.time + (s.reverse ? length - 1 - step : step);
      h = next_state(s, in, in.gates_x.data() + cell * 3 * s.hidden, h);
      std::copy(h.begin(), h.end(), out.y.begin() + cell * s.hidden);
    }
    std::copy(h.begin(), h.end(), out.h_n.begin() + b * s.hidden);
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

template <class T>
Inputs<T> run_backward(const Shape& s, const Inputs<T>& in, const Forward<T>& out, const T* dy, const T* dh_n) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  Inputs<T> d = in;
  for (std::vector<T>* part : d.all()) std::fill(part->begin(), part->end(), nan);
  gru_backward(sequence(s, in), {out.y.data(), out.gates.data(), dy, dh_n},
               {d.gates_x.data(), d.h0.data(), d.w_hh.data(), d.b_hh.data()});
  return d;
}

// Both variants and directions, sizes around the vectors and tiles, ragged lengths.
std::vector<Shape> shapes() {
  std::vector<Shape> list;
  for (const bool reverse : {false, true}) {
    for (const bool reset_after : {true, false}) {
      list.push_back({4, 5, 3, {5, 4, 1, 0}, reverse, reset_after});
      list.push_back({5, 4, 17, {0, 2, 4, 3, 4}, reverse, reset_after});
      list.push_back({1, 3, 8, {}, reverse, reset_after});
      list.push_back({37, 3, 2, {}, reverse, reset_after});
      list.push_back({2, 1, 33, {}, reverse, reset_after});
    }
  }
  return list;
}

std::string text(const Shape& s) {
  std::string out = "B " + std::to_string(s.batch) + " T " + std::to_string(s.time) + " H " + std::to_string(s.hidden);
  out += s.lengths.empty() ? "" : ", ragged";
  out += s.reverse ? ", reverse" : "";
  return out + (s.reset_after ? ", reset after" : ", reset before");
}

// d (sum y dy + sum h_n dh_n) / d *number, by a six-point stencil.
double numeric_derivative(const Shape& s, Inputs<double>& in, double* number, const std::vector<double>& dy,
                          const std::vector<double>& dh_n) {
  constexpr double kStep = 4e-3;
  constexpr double kWeights[] = {0.75, -0.15, 1.0 / 60};
  const double at = *number;
  const auto loss = [&](double value) {
    *number = value;
    const Forward<double> out = run_forward(s, in);
    double sum = 0;
    for (size_t i = 0; i < dy.size(); ++i) sum += out.y[i] * dy[i];
    for (size_t i = 0; i < dh_n.size(); ++i) sum += out.h_n[i] * dh_n[i];
    return sum;
  };
  double derivative = 0;
  for (int i = 1; i <= 3; ++i) derivative += kWeights[i - 1] * (loss(at + i * kStep) - loss(at - i * kStep)) / kStep;
  *number = at;
  return derivative;
}

}  // namespace

TEST_CASE("gru_forward: equals the formulas, one number at a time") {
  const uint64_t seed = tests::seed(21);
  RandomNumbers random(seed);
  for (const Shape& s : shapes()) {
    INFO(text(s) << ", seed " << seed);
    const auto in = random_inputs<double>(s, random);
    const Forward<double> expected = plain_forward(s, in);
    const Forward<double> got = run_forward(s, in), bare = run_forward(s, in, false);
    CHECK(worst(got.y, expected.y) < 1e-13);  // measured: 6e-16
    CHECK(worst(got.h_n, expected.h_n) < 1e-13);
    CHECK(bare.y == got.y);
    CHECK(bare.h_n == got.h_n);
    const Inputs<float> in32{convert<float>(in.gates_x), convert<float>(in.h0), convert<float>(in.w_hh),
                             convert<float>(in.b_hh)};
    CHECK(worst(run_forward(s, in32).y, expected.y) < 3e-6);  // measured: 2e-7
  }
}

TEST_CASE("gru_backward: equals a six-point stencil for every input, both variants and directions") {
  const uint64_t seed = tests::seed(22);
  RandomNumbers random(seed);
  for (const Shape& s : shapes()) {
    INFO(text(s) << ", seed " << seed);
    auto in = random_inputs<double>(s, random);
    const auto dy = random.uniform<double>(s.batch * s.time * s.hidden);
    const auto dh_n = random.uniform<double>(s.batch * s.hidden);
    Inputs<double> d = run_backward(s, in, run_forward(s, in), dy.data(), dh_n.data());
    double error = 0;
    for (size_t part = 0; part < 4; ++part) {
      std::vector<double>& numbers = *in.all()[part];
      const std::vector<double>& got = *d.all()[part];
      for (size_t i = 0; i < numbers.size(); i += 1 + numbers.size() / 400) {
        const double numeric = numeric_derivative(s, in, &numbers[i], dy, dh_n);
        const double e = std::abs(got[i] - numeric) / std::max(1.0, std::abs(numeric));
        error = std::isnan(e) ? std::numeric_limits<double>::infinity() : std::max(error, e);
      }
    }
    CHECK(error < 1e-10);  // measured: 6e-12, mostly rounding in the stencil
  }
}

TEST_CASE("gru_backward: f32 is held to f64, and a missing cotangent means zero") {
  const uint64_t seed = tests::seed(23);
  RandomNumbers random(seed);
  for (const Shape& s : shapes()) {
    INFO(text(s) << ", seed " << seed);
    const auto in32 = random_inputs<float>(s, random);
    const Inputs<double> in{convert<double>(in32.gates_x), convert<double>(in32.h0), convert<double>(in32.w_hh),
                            convert<double>(in32.b_hh)};
    const auto dy = random.uniform<float>(s.batch * s.time * s.hidden);
    const auto dh_n = random.uniform<float>(s.batch * s.hidden);
    const auto dy64 = convert<double>(dy), dh64 = convert<double>(dh_n);
    const Forward<float> out32 = run_forward(s, in32);
    const Forward<double> out = run_forward(s, in);
    Inputs<float> got = run_backward(s, in32, out32, dy.data(), dh_n.data());
    Inputs<double> expected = run_backward(s, in, out, dy64.data(), dh64.data());
    for (size_t part = 0; part < 4; ++part) CHECK(worst(*got.all()[part], *expected.all()[part]) < 2e-5);  // 1e-6

    const std::vector<float> zero_y(dy.size(), 0.0f), zero_h(dh_n.size(), 0.0f);
    Inputs<float> no_dy = run_backward<float>(s, in32, out32, nullptr, dh_n.data());
    Inputs<float> zero_dy = run_backward(s, in32, out32, zero_y.data(), dh_n.data());
    Inputs<float> no_dh = run_backward<float>(s, in32, out32, dy.data(), nullptr);
    Inputs<float> zero_dh = run_backward(s, in32, out32, dy.data(), zero_h.data());
    for (size_t part = 0; part < 4; ++part) {
      CHECK(*no_dy.all()[part] == *zero_dy.all()[part]);
      CHECK(*no_dh.all()[part] == *zero_dh.all()[part]);
    }
  }
}

TEST_CASE("gru: padding is never read, outputs beyond a length are exactly 0, length 0 passes h0 on") {
  const uint64_t seed = tests::seed(24);
  INFO("seed " << seed);
  for (const bool reverse : {false, true}) {
    for (const bool reset_after : {true, false}) {
      const Shape s{4, 5, 19, {4, 0, 5, 2}, reverse, reset_after};
      RandomNumbers random(seed);
      auto in = random_inputs<float>(s, random);
      auto dy = random.uniform<float>(s.batch * s.time * s.hidden);
      const auto dh_n = random.uniform<float>(s.batch * s.hidden);
      const Forward<float> out = run_forward(s, in);
      const Inputs<float> d = run_backward(s, in, out, dy.data(), dh_n.data());

      Forward<float> spoiled = out;
      const float nan = std::numeric_limits<float>::quiet_NaN();
      for (int64_t b = 0; b < s.batch; ++b) {
        for (int64_t t = s.lengths[size_t(b)]; t < s.time; ++t) {
          const int64_t cell = b * s.time + t;
          for (int64_t j = 0; j < s.hidden; ++j) {
            REQUIRE(out.y[size_t(cell * s.hidden + j)] == 0.0f);
            dy[size_t(cell * s.hidden + j)] = spoiled.y[size_t(cell * s.hidden + j)] = nan;
          }
          for (int64_t j = 0; j < 3 * s.hidden; ++j) {
            REQUIRE(d.gates_x[size_t(cell * 3 * s.hidden + j)] == 0.0f);
            in.gates_x[size_t(cell * 3 * s.hidden + j)] = nan;
          }
          std::fill_n(spoiled.gates.begin() + cell * 4 * s.hidden, 4 * s.hidden, nan);
        }
      }
      const Forward<float> again = run_forward(s, in);
      CHECK(again.y == out.y);
      CHECK(again.h_n == out.h_n);
      CHECK(again.gates == out.gates);
      CHECK(std::equal(in.h0.begin() + s.hidden, in.h0.begin() + 2 * s.hidden, out.h_n.begin() + s.hidden));
      const Inputs<float> d_again = run_backward(s, in, spoiled, dy.data(), dh_n.data());
      CHECK(d_again.gates_x == d.gates_x);
      CHECK(d_again.h0 == d.h0);
      CHECK(d_again.w_hh == d.w_hh);
      CHECK(d_again.b_hh == d.b_hh);
    }
  }
}

TEST_CASE("gru: the same bits at any number of threads, and with some derivatives left out") {
  const uint64_t seed = tests::seed(25);
  INFO("seed " << seed);
  for (const bool reset_after : {true, false}) {
    RandomNumbers random(seed);
    Shape s{70, 9, 48, {}, true, reset_after};
    for (int64_t b = 0; b < s.batch; ++b) s.lengths.push_back(random.integer(0, s.time));
    const auto in = random_inputs<float>(s, random);
    const auto dy = random.uniform<float>(s.batch * s.time * s.hidden);
    std::vector<Forward<float>> forwards;
    std::vector<Inputs<float>> backwards;
    for (const int threads : {1, 2, 5}) {
      const ThreadCountScope scope(threads);
      forwards.push_back(run_forward(s, in));
      backwards.push_back(run_backward<float>(s, in, forwards.back(), dy.data(), nullptr));
      CHECK(forwards.back().y == forwards[0].y);
      CHECK(forwards.back().gates == forwards[0].gates);
      for (size_t part = 0; part < 4; ++part) CHECK(*backwards.back().all()[part] == *backwards[0].all()[part]);
    }
    std::vector<float> dx(in.gates_x.size()), dh0(in.h0.size());
    const GruCotangents<float> saved{forwards[0].y.data(), forwards[0].gates.data(), dy.data(), nullptr};
    gru_backward(sequence(s, in), saved, {.gates_x = dx.data()});
    CHECK(dx == backwards[0].gates_x);
    gru_backward(sequence(s, in), saved, {.h0 = dh0.data()});
    CHECK(dh0 == backwards[0].h0);
    std::vector<float> db(in.b_hh.size());
    gru_backward(sequence(s, in), saved, {.b_hh = db.data()});
    CHECK(db == backwards[0].b_hh);
  }
}

TEST_CASE("gru: empty batches and empty sequences") {
  RandomNumbers random(26);
  const Shape none{0, 3, 4, {}, false, true}, still{3, 0, 4, {}, false, true};
  for (const Shape& s : {none, still}) {
    const auto in = random_inputs<double>(s, random);
    const auto dh_n = random.uniform<double>(s.batch * s.hidden);
    const Forward<double> out = run_forward(s, in);
    CHECK(out.h_n == in.h0);
    const Inputs<double> d = run_backward<double>(s, in, out, nullptr, dh_n.data());
    CHECK(d.h0 == dh_n);
    CHECK(d.w_hh == std::vector<double>(in.w_hh.size(), 0.0));
    CHECK(d.b_hh == std::vector<double>(in.b_hh.size(), 0.0));
  }
}

}  // namespace gradus::kernels
