// SPDX-License-Identifier: MIT
#include <gradus/examples/transduce/data.hpp>

#include <algorithm>
#include <array>

#include <gradus/examples/common/bad_input.hpp>
#include <gradus/examples/common/held_out.hpp>
#include <gradus/examples/common/text.hpp>

namespace gradus::examples::transduce {
namespace {

struct FormatRule {
  Format format;
  const char* name;
  PairColumns columns;
  char tag_separator;
  SymbolUnit source;
  SymbolUnit target;
};

constexpr std::array kRules = {
    FormatRule{Format::pairs, "pairs", {}, ' ', SymbolUnit::code_point, SymbolUnit::code_point},
    FormatRule{Format::g2p, "g2p", {}, ' ', SymbolUnit::code_point, SymbolUnit::word},
    FormatRule{Format::conll2017, "conll2017", {.tags = 2}, ';', SymbolUnit::code_point, SymbolUnit::code_point},
    FormatRule{Format::sigmorphon2016,
               "sigmorphon2016",
               {.source = 0, .target = 2, .tags = 1},
               ',',
               SymbolUnit::code_point,
               SymbolUnit::code_point},
    FormatRule{Format::scan, "scan", {}, ' ', SymbolUnit::word, SymbolUnit::word},
};

const FormatRule& rule_of(Format format) {
  return *std::find_if(kRules.begin(), kRules.end(), [format](const FormatRule& r) { return r.format == format; });
}

// What a function of the library says of a file, without the function's name.
template <class Read>
auto read_for_user(const Read& read) {
  try {
    return read();
  } catch (const BadInput&) {
    throw;
  } catch (const Error& error) {
    const std::string text = error.what();
    const size_t end = text.find("] ");
    throw BadInput(text.front() == '[' && end != std::string::npos ? text.substr(end + 2) : text);
  }
}

TextPair scan_pair(const std::string& line, const std::string& place) {
  const std::string in = "IN: ", out = " OUT: ";
  const size_t middle = line.find(out);
  if (line.rfind(in, 0) != 0 || middle == std::string::npos) {
    throw BadInput(place + ": expected 'IN: words OUT: words', got '" + line.substr(0, 40) + "'");
  }
  return {.source = line.substr(in.size(), middle - in.size()), .target = line.substr(middle + out.size()), .tags = {}};
}

// Puts blanks between the tags, and checks the lengths.
void settle_pair(TextPair& pair, Format format, bool has_target, int64_t max_length, const std::string& place) {
  std::replace(pair.tags.begin(), pair.tags.end(), rule_of(format).tag_separator, ' ');
  const struct {
    const char* name;
    const std::string& text;
    bool required;
  } parts[] = {{"the source", pair.source, true},
               {"the target", pair.target, has_target},
               {"the list of tags", pair.tags, has_tags(format)}};
  for (const auto& part : parts) {
    if (!part.required) continue;
    if (part.text.find_first_not_of(' ') == std::string::npos) throw BadInput(place + ": " + part.name + " is empty");
    const auto length = static_cast<int64_t>(part.text.size());
    if (length <= max_length) continue;
    throw BadInput(place + ": " + part.name + " is longer than allowed: it has " + std::to_string(length) +
                   " bytes, --max-length is " + std::to_string(max_length));
  }
}

std::string place_of(const std::string& path, int64_t line) { return path + ", line " + std::to_string(line); }

}  // namespace

const char* format_name(Format format) { return rule_of(format).name; }

std::optional<Format> format_from(const std::string& name) {
  for (const FormatRule& rule : kRules) {
    if (name == rule.name) return rule.format;
  }
  return std::nullopt;
}

std::vector<std::string> format_names() {
  std::vector<std::string> out;
  out.reserve(kRules.size());
  for (const FormatRule& rule : kRules) out.emplace_back(rule.name);
  return out;
}

SymbolUnit target_unit(Format format) { return rule_of(format).target; }

bool has_tags(Format format) { return rule_of(format).columns.tags >= 0; }

std::vector<TextPair> read_training_pairs(const std::string& path, Format format, int64_t max_length) {
  std::vector<TextPair> pairs;
  if (format == Format::scan) {
    for (const TextLine& line : read_for_user([&] { return read_numbered_lines(path); })) {
      pairs.push_back(scan_pair(line.text, place_of(path, line.line)));
      pairs.back().line = line.line;
    }
  } else {
    pairs = read_for_user([&] { return read_pairs(path, rule_of(format).columns); });
  }
  for (TextPair& pair : pairs) settle_pair(pair, format, true, max_length, place_of(path, pair.line));
  return pairs;
}

TextPair source_of_line(const std::string& line, Format format, int64_t max_length, const std::string& place) {
  const size_t tab = line.find('\t');
  if (has_tags(format) != (tab != std::string::npos)) {
    throw BadInput(place + ": expected " +
                   (has_tags(format) ? "a source, a tab and its tags" : "a source without tab") + ", got '" +
                   line.substr(0, 40) + "'");
  }
  TextPair pair{.source = line.substr(0, tab), .target = {}, .tags = {}};
  if (has_tags(format)) pair.tags = line.substr(tab + 1);
  settle_pair(pair, format, false, max_length, place);
  return pair;
}

std::vector<TextPair> read_sources(const std::string& path, Format format, int64_t max_length) {
  std::vector<TextPair> out;
  for (const TextLine& line : read_for_user([&] { return read_numbered_lines(path); })) {
    out.push_back(source_of_line(line.text, format, max_length, place_of(path, line.line)));
  }
  return out;
}

Sequence Known::encode_source(const TextPair& pair) const {
  Sequence out = source.encode(pair.source);
  if (!tags.has_value()) return out;
  for (const int64_t tag : tags->encode(pair.tags)) out.push_back(source.size() + tag);
  return out;
}

Known known_of(const std::vector<TextPair>& pairs, Format format) {
  const FormatRule& rule = rule_of(format);
  std::vector<std::string> sources, targets, tags;
  for (const TextPair& pair : pairs) {
    sources.push_back(pair.source);
    targets.push_back(pair.target);
    tags.push_back(pair.tags);
  }
  Known out{.format = format,
            .source = gradus::Vocabulary(sources, {.unit = rule.source}),
            .tags = {},
            .target = gradus::Vocabulary(targets, {.unit = rule.target}),
            .longest = 1};
  if (has_tags(format)) out.tags.emplace(tags, VocabularyOptions{.unit = SymbolUnit::word});
  for (const std::string& target : targets) {
    out.longest = std::max(out.longest, static_cast<int64_t>(out.target.encode(target).size()));
  }
  return out;
}

EncodedPairs encode(const Known& known, const std::vector<TextPair>& pairs) {
  EncodedPairs out;
  for (const TextPair& pair : pairs) {
    out.sources.push_back(known.encode_source(pair));
    out.targets.push_back(known.target.encode(pair.target));
  }
  return out;
}

int64_t fingerprint(const std::vector<TextPair>& pairs) {
  std::string all;
  for (const TextPair& pair : pairs) all += pair.source + "\t" + pair.target + "\t" + pair.tags + "\n";
  return static_cast<int64_t>(item_hash(from_utf8(all).value()) >> 1);
}

}  // namespace gradus::examples::transduce
