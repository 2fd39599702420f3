// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gradus/tensor/files/elements.hpp>
#include <gradus/tensor/shape.hpp>

// Parses the header of a .safetensors file, for safetensors.cpp.

namespace gradus::detail {

constexpr uint64_t kLongestHeader = 100'000'000;  // bytes; the limit of the format's own implementation

struct FileDTypeInfo {
  const char* name;
  uint8_t bits;
  /// Nothing when gradus cannot hold such elements.
  std::optional<ElementKind> kind;
};

struct HeaderEntry {
  std::string name;
  const FileDTypeInfo* dtype = nullptr;
  Shape shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct SafetensorsHeader {
  std::vector<HeaderEntry> entries;
  std::vector<std::pair<std::string, std::string>> metadata;
  /// The error; empty when there is none.
  std::string problem;
};

/// Reads the header in one pass, in time and memory linear in its length. Checks that each entry is within `data_bytes`
/// bytes of data and has the size that its shape needs.
SafetensorsHeader parse_safetensors_header(const std::string& text, uint64_t data_bytes);

/// The text as a JSON string, quotes included; nothing when it is not UTF-8. (Here, because nlohmann's header costs
/// each file that includes it seconds.)
std::optional<std::string> json_string(const std::string& text);

}  // namespace gradus::detail
