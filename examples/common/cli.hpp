// SPDX-License-Identifier: MIT
// What the command lines of the programs share. Inline, because each program that includes it compiles CLI11 anyway.
#pragma once

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <type_traits>

#include <gradus/examples/common/number_option.hpp>
#include <gradus/examples/common/program.hpp>
#include <gradus/examples/common/text.hpp>
#include <gradus/examples/common/version.hpp>

namespace gradus::examples {

/// "N  [32]": what the help shows of an option and its default.
template <class T>
std::string shown_default(const char* type, const T& value) {
  std::ostringstream out;
  out << type << "  [" << value << "]";
  return out.str();
}

/// Adds options of one group. `standard` is the default that the help shows.
class OptionGroup {
 public:
  OptionGroup(CLI::App& app, const char* name) : app_(app), name_(name) {}

  template <class T>
  void whole(const char* option, T& value, int64_t standard, const char* help) {
    using Number = std::conditional_t<std::is_same_v<T, int>, int, int64_t>;
    app_.add_option(option, value, help)
        ->check(refuse_no_number<Number>)
        ->option_text(shown_default("N", standard))
        ->group(name_);
  }
  template <class T>
  void real(const char* option, T& value, const std::string& standard, const char* help) {
    app_.add_option(option, value, help)->option_text("X  [" + standard + "]")->group(name_);
  }
  CLI::Option* text(const char* option, std::string& value, const char* shown, const char* help) {
    return app_.add_option(option, value, help)->option_text(shown)->group(name_);
  }
  void seed(uint64_t& value, const char* help) {
    app_.add_option("--seed", value, help)
        ->option_text(shown_default("N", value))
        ->check(CLI::Validator(refuse_sign, ""))
        ->check(refuse_no_number<uint64_t>)
        ->group(name_);
  }

 private:
  CLI::App& app_;
  const char* name_;
};

/// --help and --version, in a group that comes last: call it after all others.
inline void add_help_and_version(CLI::App& app) {
  app.set_help_flag("-h,--help", "print this and stop")->group("Other");
  app.set_version_flag(
         "--version", [name = app.get_name()] { return version_text(name); },
         "print the version and which kernels run here")
      ->group("Other");
}

/// Throws CLI11's error for the first of these options that is given as an empty text, which it expected to be `what`.
inline void refuse_empty_texts(CLI::App& app, std::initializer_list<const char*> options, const std::string& what) {
  for (const char* option : options) {
    if (app.count(option) == 0 || !app[option]->as<std::string>().empty()) continue;
    throw CLI::ValidationError(option, "expected " + what + ", got an empty one");
  }
}

/// Parses a command line, then calls `settle`, which may throw CLI11's errors for options that do not fit together.
/// Returns nothing when the program may run. Else it must end with the returned status: help or the version was printed
/// on `out`, or what is wrong as one line on `err`.
template <class Settle>
std::optional<int> parse_or_explain(CLI::App& app, int argc, const char* const* argv, std::ostream& out,
                                    std::ostream& err, const Settle& settle) {
  try {
    app.parse(argc, argv);
    settle();
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    out << app.help();
  } catch (const CLI::CallForVersion& version) {
    out << version.what() << '\n';
  } catch (const CLI::ParseError& error) {
    std::string text = error.what();
    std::replace(text.begin(), text.end(), '\n', ' ');
    err << app.get_name() << ": " << printable(text) << " (see " << app.get_name() << " --help)\n";
    return static_cast<int>(ExitStatus::bad_input);
  }
  return static_cast<int>(ExitStatus::done);
}

inline std::optional<int> parse_or_explain(CLI::App& app, int argc, const char* const* argv, std::ostream& out,
                                           std::ostream& err) {
  return parse_or_explain(app, argc, argv, out, err, [] {});
}

}  // namespace gradus::examples
