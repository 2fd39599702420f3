// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

namespace gradus::tests {

/// The error in `text` as XML, or "". Checks that elements are balanced, attributes are quoted, and there is no stray <
/// or &, and no control character.
inline std::string xml_fault(const std::string& text) {
  std::vector<std::string> open;
  for (size_t i = 0; i < text.size(); ++i) {
    if (static_cast<unsigned char>(text[i]) < 0x20 && text[i] != '\n') return "control character";
    if (text[i] == '&') {
      const size_t end = text.find(';', i);
      if (end == std::string::npos || end - i > 6) return "stray & at " + std::to_string(i);
    }
    if (text[i] != '<') continue;
    const size_t end = text.find('>', i);
    if (end == std::string::npos) return "unfinished tag";
    std::string tag = text.substr(i + 1, end - i - 1);
    i = end;
    if (tag.find('<') != std::string::npos) return "stray < in " + tag;
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return "not open: " + tag;
      open.pop_back();
      continue;
    }
    size_t quotes = 0;
    for (size_t at = 0; at < tag.size(); ++at) {
      quotes += tag[at] == '"' ? 1 : 0;
      if (tag[at] == '=' && quotes % 2 == 0 && tag.substr(at + 1, 1) != "\"") return "unquoted attribute in " + tag;
    }
    if (quotes % 2 != 0) return "open quote in " + tag;
    if (tag.back() != '/') open.push_back(tag.substr(0, tag.find(' ')));
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

inline size_t occurrences(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++count;
  return count;
}

}  // namespace gradus::tests
