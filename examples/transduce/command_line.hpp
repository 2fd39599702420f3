// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <optional>

#include <gradus/examples/transduce/config.hpp>

namespace gradus::examples::transduce {

struct CommandLine {
  Config config;
  std::optional<int> status;  ///< if set, the program must end with it; the reason (help, a wrong option) is printed
};

CommandLine parse_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace gradus::examples::transduce
