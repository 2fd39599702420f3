// SPDX-License-Identifier: MIT
#include <utf8.h>

#include <algorithm>
#include <string_view>

#include <gradus/optim/data/batches.hpp>
#include <gradus/tensor/files/input_file.hpp>

namespace gradus {
namespace {

std::string file_bytes(const char* function, const std::string& path) {
  return detail::with_file_errors(function, path, [&] {
    const detail::InputFile file(path);
    std::string bytes(file.size(), '\0');
    file.read(bytes.data(), bytes.size(), 0);
    return bytes;
  });
}

struct NumberedLine {
  std::string_view text;
  int64_t number;
};

// The lines of `bytes` that are not empty.
std::vector<NumberedLine> split_lines(const char* function, const std::string& path, std::string_view bytes) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (bytes.substr(0, kByteOrderMark.size()) == kByteOrderMark) bytes.remove_prefix(kByteOrderMark.size());
  std::vector<NumberedLine> out;
  for (int64_t number = 1; !bytes.empty(); ++number) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    std::string_view line = bytes.substr(0, end);
    bytes.remove_prefix(std::min(bytes.size(), end + 1));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const auto* const wrong = utf8::find_invalid(line.begin(), line.end());
    GRADUS_CHECK(wrong == line.end(), "[", function, "] ", path, ", line ", number,
                 ": this is not valid UTF-8 at byte ", 1 + (wrong - line.begin()));
    if (!line.empty()) out.push_back({line, number});
  }
  GRADUS_CHECK(!out.empty(), "[", function, "] ", path, " has no line that is not empty");
  return out;
}

std::vector<std::string_view> split_columns(std::string_view line) {
  std::vector<std::string_view> out;
  for (;;) {
    const size_t tab = line.find('\t');
    out.push_back(line.substr(0, tab));
    if (tab == std::string_view::npos) return out;
    line.remove_prefix(tab + 1);
  }
}

}  // namespace

std::vector<std::string> read_lines(const std::string& path) {
  const std::string bytes = file_bytes("read_lines", path);
  std::vector<std::string> out;
  for (const NumberedLine& line : split_lines("read_lines", path, bytes)) out.emplace_back(line.text);
  return out;
}

std::vector<TextLine> read_numbered_lines(const std::string& path) {
  const std::string bytes = file_bytes("read_numbered_lines", path);
  std::vector<TextLine> out;
  for (const NumberedLine& line : split_lines("read_numbered_lines", path, bytes)) {
    out.push_back({std::string(line.text), line.number});
  }
  return out;
}

std::vector<TextPair> read_pairs(const std::string& path, const PairColumns& columns) {
  GRADUS_CHECK(columns.source >= 0 && columns.target >= 0 && columns.tags >= -1,
               "[read_pairs] expected columns of 0 or more (tags also -1), got source ", columns.source, ", target ",
               columns.target, ", tags ", columns.tags);
  const int64_t least = std::max({columns.source, columns.target, columns.tags}) + 1;
  const std::string bytes = file_bytes("read_pairs", path);
  std::vector<TextPair> out;
  for (const NumberedLine& line : split_lines("read_pairs", path, bytes)) {
    const std::vector<std::string_view> cells = split_columns(line.text);
    GRADUS_CHECK(static_cast<int64_t>(cells.size()) >= least, "[read_pairs] ", path, ", line ", line.number,
                 ": expected at least ", least, " columns with a tab between them, got ", cells.size());
    const auto cell = [&](int64_t column) { return std::string(cells[static_cast<size_t>(column)]); };
    out.push_back(
        {cell(columns.source), cell(columns.target), columns.tags >= 0 ? cell(columns.tags) : "", line.number});
  }
  return out;
}

}  // namespace gradus
