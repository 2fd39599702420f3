// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gradus/optim/data/batches.hpp>
#include <gradus/optim/data/vocabulary.hpp>

namespace gradus::examples::transduce {

/// How the lines of a file are to be read, as the data sets are published.
enum class Format : uint8_t {
  pairs,           ///< source, target, of characters each
  g2p,             ///< source of characters, target of phones with blanks between them
  conll2017,       ///< lemma, form, tags "V;IND;PRS"
  sigmorphon2016,  ///< lemma, tags "pos=V,mood=IND", form
  scan,            ///< "IN: jump twice OUT: I_JUMP I_JUMP", of words
};

const char* format_name(Format format);
std::optional<Format> format_from(const std::string& name);
std::vector<std::string> format_names();
/// What one symbol of a target is.
SymbolUnit target_unit(Format format);
/// True when the lines have a column of tags.
bool has_tags(Format format);

/// The pairs of a file, the tags with blanks between them. Throws BadInput, with the line or the pair, for a file that
/// cannot be read, is not UTF-8 or not of this format, and for a source, target or list of tags that is empty or has
/// more than `max_length` bytes.
std::vector<TextPair> read_training_pairs(const std::string& path, Format format, int64_t max_length);

/// The sources of a file without targets: the lines of a format are the same, but have no column for the target ("IN:"
/// and "OUT:" are left out, too).
std::vector<TextPair> read_sources(const std::string& path, Format format, int64_t max_length);
/// One such line. `place` begins the text of an error.
TextPair source_of_line(const std::string& line, Format format, int64_t max_length, const std::string& place);

/// The symbols that a model knows.
struct Known {
  Format format;
  gradus::Vocabulary source;
  std::optional<gradus::Vocabulary> tags;  ///< numbered after the source's symbols
  gradus::Vocabulary target;
  int64_t longest;  ///< symbols of a training target

  int64_t source_size() const { return source.size() + (tags.has_value() ? tags->size() : 0); }
  /// The symbols of the source, then those of its tags. What is not known has the number of the unknown symbol.
  Sequence encode_source(const TextPair& pair) const;
};

/// The symbols of these pairs.
Known known_of(const std::vector<TextPair>& pairs, Format format);

/// Pairs as numbers.
struct EncodedPairs {
  std::vector<Sequence> sources;
  std::vector<Sequence> targets;
};

EncodedPairs encode(const Known& known, const std::vector<TextPair>& pairs);

/// A number that changes with the pairs and their order.
int64_t fingerprint(const std::vector<TextPair>& pairs);

}  // namespace gradus::examples::transduce
