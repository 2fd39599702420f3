// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <optional>

#include <gradus/examples/copy_reverse/config.hpp>

namespace gradus::examples {

struct CommandLine {
  Config config;
  std::optional<int> status;  ///< given: the program is to end with it, having said why (help, or a wrong option)
};

CommandLine parse_command_line(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace gradus::examples
