// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gradus/autograd/variable.hpp>

// The tables of extreme inputs (tests/autograd/extremes/*.txt), made by the scripts beside them from numbers of many
// digits: how they are read, and when a number of the library agrees with one of theirs.

namespace gradus::tests {

/// What must come out. `scale` is what one unit of rounding of the number and of the inputs is worth.
struct Truth {
  long double value = 0.0L;
  long double scale = 0.0L;
  bool undefined = false;  // there is no limit: nothing is asked

  Truth times(double factor) const;
};

struct ExtremeRow {
  std::string function;
  DType dtype = DType::f64;
  std::vector<double> inputs;
  std::vector<Truth> truths;
};

/// The lines of a table of numbers; throws when one cannot be read.
std::vector<ExtremeRow> read_extremes(const std::string& file);

/// A field of a table: "1.5", "1.5~20", "-inf", "?".
Truth parse_truth(const std::string& field);

/// Whether `got` is what the dtype can give of the truth: within `units` of rounding; exactly 0 for 0 and for what
/// rounds to 0; infinite, with its sign, for what overflows; 0 or anything as small where the truth is subnormal.
bool agrees(double got, const Truth& truth, DType dtype, double units);

/// How many units of rounding lie between the two; 0 where that is no question.
double units_between(double got, const Truth& truth, DType dtype);

/// A place where the library does not give the limit, and why: a convention, or what a dtype can do. A test fails when
/// one deviates elsewhere, or does not deviate there any more.
struct Stated {
  const char* function;
  const char* derivative;  // "value", "a", "ab", ...: each letter an input
  int f32_places;
  int f64_places;
  const char* reason;
};

/// What deviated: function and derivative, with examples of it.
class Deviations {
 public:
  void take(const std::string& function, const std::string& derivative, DType dtype, const std::string& words);
  /// Compares with what is stated: one sentence for each difference, and how many places and functions are stated.
  std::vector<std::string> differences_from(const std::vector<Stated>& stated) const;
  int64_t count() const { return count_; }

 private:
  struct Found {
    int places[2] = {0, 0};  // f32, f64
    std::string examples;
  };
  std::map<std::pair<std::string, std::string>, Found> found_;
  int64_t count_ = 0;
};

}  // namespace gradus::tests
