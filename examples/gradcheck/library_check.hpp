// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include <gradus/autograd/check/corruptions.hpp>
#include <gradus/autograd/check/gradcheck.hpp>

namespace gradus::examples {

/// The options of gradus-gradcheck.
struct LibraryCheckConfig {
  /// Ops by name ("matmul"), layers by the beginning of their name ("gru"). Empty: all of `ops` and `layers`.
  std::vector<std::string> names = {};
  bool ops = true;
  bool layers = true;
  bool list = false;
  bool self_test = false;
  /// In the self test, also count how often a corruption gets its right name, and how often its op is found.
  bool diagnose = false;
  int order = 2;
  uint64_t seed = 1;
  /// The JSON file to write; empty for none.
  std::string json = {};
  bool color = false;
  /// Print the whole report of a failure.
  bool verbose = false;
};

/// One line of the table: an op over all its examples, or one configuration of a layer.
struct LibraryCheckItem {
  std::string kind;  ///< "op" or "layer"
  std::string name;
  int64_t examples = 0;
  /// The examples that are not compared with differences, each with its reason.
  std::vector<std::string> skipped = {};
  std::vector<GradcheckReport> reports = {};
  /// If not empty, the reason why there is no derivative to check.
  std::string refusal = {};
  /// The self test over all examples; empty unless it was asked for.
  SelfTestReport self_test = {};
  double seconds = 0.0;

  /// not_checked: for some input nothing passed in any example, or no error that the self test planted shows.
  CheckState state() const;
  /// The reasons for not_checked, one sentence each.
  std::vector<std::string> not_checked() const;
};

struct LibraryCheckResult {
  std::vector<LibraryCheckItem> items = {};
  double seconds = 0.0;
  /// not_checked also when no derivative at all was compared.
  CheckState state() const;
  bool ok() const { return state() == CheckState::passed; }
};

/// Runs the checks that `config` asks for. Prints a line for each item when it is done, the whole report of each
/// failure, and the totals. With `list`, prints what can be checked instead. Throws BadInput, before any check, for a
/// name that is neither an op nor a layer, and for a file that cannot be written.
LibraryCheckResult check_library(const LibraryCheckConfig& config, std::ostream& out);

/// The whole result as JSON.
std::string library_check_json(const LibraryCheckConfig& config, const LibraryCheckResult& result);

/// The program gradus-gradcheck. Returns 0 when all passed, 1 when a derivative is wrong, 2 for wrong usage, and 3 when
/// nothing is wrong but something could not be checked.
int gradus_gradcheck(int argc, const char* const* argv, std::ostream& out, std::ostream& err, bool terminal);

}  // namespace gradus::examples
