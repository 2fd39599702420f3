// SPDX-License-Identifier: MIT
#include <gradus/tensor/files/safetensors_header.hpp>

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

#include <gradus/tensor/files/input_file.hpp>

namespace gradus::detail {
namespace {

using nlohmann::json;

constexpr const char* kMetadataKey = "__metadata__";
constexpr const char* kNoObject = "the header is not a JSON object";

constexpr FileDTypeInfo kDTypes[] = {
    {"F64", 64, ElementKind::f64},     {"F32", 32, ElementKind::f32},        {"F16", 16, ElementKind::f16},
    {"BF16", 16, ElementKind::bf16},   {"I64", 64, ElementKind::i64},        {"I32", 32, ElementKind::i32},
    {"I16", 16, ElementKind::i16},     {"I8", 8, ElementKind::i8},           {"U64", 64, ElementKind::u64},
    {"U32", 32, ElementKind::u32},     {"U16", 16, ElementKind::u16},        {"U8", 8, ElementKind::u8},
    {"BOOL", 8, ElementKind::boolean}, {"F8_E4M3", 8, ElementKind::f8_e4m3}, {"F8_E5M2", 8, ElementKind::f8_e5m2},
    {"F8_E8M0", 8, std::nullopt},      {"F8_E4M3FNUZ", 8, std::nullopt},     {"F8_E5M2FNUZ", 8, std::nullopt},
    {"F6_E2M3", 6, std::nullopt},      {"F6_E3M2", 6, std::nullopt},         {"F4", 4, std::nullopt},
    {"C64", 64, std::nullopt},
};

/// The name that occurs twice, or null.
template <class Item, class Name>
const std::string* repeated(const std::vector<Item>& items, const Name& name) {
  std::vector<const std::string*> names;
  names.reserve(items.size());
  for (const Item& item : items) names.push_back(&name(item));
  std::sort(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a < *b; });
  const auto found =
      std::adjacent_find(names.begin(), names.end(), [](const auto* a, const auto* b) { return *a == *b; });
  return found == names.end() ? nullptr : *found;
}

/// Handles the parser's events. Each entry is checked and stored as soon as its object closes, so only the result is
/// kept in memory.
class HeaderHandler final : public nlohmann::json_sax<json> {
 public:
  HeaderHandler(uint64_t data_bytes, SafetensorsHeader& out) : data_bytes_(data_bytes), out_(out) {}

  bool null() override { return other(); }
  bool boolean(bool) override { return other(); }
  bool number_integer(number_integer_t) override { return other(); }
  bool number_float(number_float_t, const string_t&) override { return other(); }
  bool binary(binary_t&) override { return other(); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place() != Place::list) return other();
    counts_.push_back(value);
    return true;
  }

  bool string(string_t& value) override {
    if (place() == Place::metadata) {
      out_.metadata.back().second = std::move(value);
    } else if (place() == Place::entry && field_ == dtype_field) {
      take_dtype(value);
    } else {
      return other();
    }
    return true;
  }

  bool key(string_t& value) override {
    switch (place()) {
      case Place::top:
        begin_entry(std::move(value));
        break;
      case Place::entry:
        begin_field(value);
        break;
      case Place::metadata:
        out_.metadata.emplace_back(std::move(value), "");
        break;
      default:
        break;
    }
    return true;
  }

  bool start_object(std::size_t) override {
    Place inside = Place::ignored;
    if (depth_ == 0) {
      inside = Place::top;
    } else if (place() == Place::top) {
      inside = in_metadata_ ? Place::metadata : Place::entry;
    } else {
      other();
    }
    return open(inside);
  }

  bool start_array(std::size_t) override {
    if (depth_ == 0) return stop(kNoObject);
    const bool is_list = place() == Place::entry && (field_ == shape_field || field_ == offsets_field);
    if (!is_list) other();
    counts_.clear();
    return open(is_list ? Place::list : Place::ignored);
  }

  bool end_object() override {
    const Place closed = place();
    --depth_;
    if (closed == Place::entry) finish_entry();
    return true;
  }

  bool end_array() override {
    const Place closed = place();
    --depth_;
    if (closed != Place::list) return true;
    if (field_ == shape_field) {
      take_shape();
    } else {
      take_offsets();
    }
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return stop("the header is not JSON");
  }

  /// The first problem in the header. A problem that makes it no header at all comes before all others.
  std::string problem() const {
    if (!broken_.empty()) return broken_;
    if (!repeated_.empty()) return repeated_;
    const std::string* twice =
        repeated(out_.entries, [](const HeaderEntry& e) -> const std::string& { return e.name; });
    if (twice == nullptr) {
      twice = repeated(out_.metadata, [](const auto& item) -> const std::string& { return item.first; });
    }
    return twice == nullptr ? fault_ : twice_text(*twice);
  }

 private:
  enum class Place : uint8_t { start, top, entry, list, metadata, ignored };
  enum Field : unsigned { unknown_field = 0, dtype_field = 1, shape_field = 2, offsets_field = 4 };

  Place place() const { return depth_ == 0 ? Place::start : places_[depth_ - 1]; }

  bool open(Place inside) {
    if (depth_ == places_.size()) return stop("the header is nested too deeply");
    places_[depth_++] = inside;
    return true;
  }

  /// Stops the parser.
  bool stop(const char* text) {
    broken_ = text;
    return false;
  }

  template <class... Parts>
  void note(const Parts&... parts) {
    if (fault_.empty()) fault_ = join(parts...);
  }

  template <class... Parts>
  void note_entry(const Parts&... parts) {
    note("tensor ", in_quotes(out_.entries.back().name), ": ", parts...);
  }

  static std::string twice_text(const std::string& name) { return "the header names " + in_quotes(name) + " twice"; }

  void note_incomplete() { note_entry("expected an object of dtype, shape and data_offsets"); }

  const char* list_name() const { return field_ == shape_field ? "shape" : "data_offsets"; }

  /// Handles a value of the wrong kind for its place.
  bool other() {
    switch (place()) {
      case Place::start:
        return stop(kNoObject);
      case Place::top:
        if (in_metadata_) {
          note(kMetadataKey, " is not an object");
        } else {
          note_incomplete();
        }
        break;
      case Place::entry:
        if (field_ == dtype_field) note_entry("dtype is not a string");
        if (field_ == shape_field || field_ == offsets_field) note_entry(list_name(), " is not an array");
        break;
      case Place::list:
        note_entry(list_name(), " holds something that is no integer from 0 to 2^64 - 1");
        break;
      case Place::metadata:
        note(kMetadataKey, ": the value of ", in_quotes(out_.metadata.back().first), " is not a string");
        break;
      case Place::ignored:
        break;
    }
    return true;
  }

  void begin_entry(std::string name) {
    in_metadata_ = name == kMetadataKey;
    if (in_metadata_) {
      if (std::exchange(has_metadata_, true)) repeated_ = twice_text(name);
      return;
    }
    out_.entries.push_back({.name = std::move(name), .dtype = nullptr, .shape = {}, .begin = 0, .end = 0});
    fields_ = 0;
    is_complete_ = true;
  }

  void begin_field(const std::string& name) {
    field_ = name == "dtype"          ? dtype_field
             : name == "shape"        ? shape_field
             : name == "data_offsets" ? offsets_field
                                      : unknown_field;
    if (field_ == unknown_field) is_complete_ = false;
    if ((fields_ & field_) != 0 && repeated_.empty()) repeated_ = twice_text(name);
    fields_ |= field_;
  }

  void take_dtype(const std::string& name) {
    const auto* found = std::find_if(std::begin(kDTypes), std::end(kDTypes),
                                     [&](const FileDTypeInfo& info) { return name == info.name; });
    if (found == std::end(kDTypes)) {
      note_entry("unknown dtype: expected one of the format, such as F32, BF16 or I64, got ", in_quotes(name));
    } else {
      out_.entries.back().dtype = found;
    }
  }

  void take_shape() {
    std::vector<int64_t> sizes;
    sizes.reserve(counts_.size());
    for (const uint64_t count : counts_) {
      if (count > static_cast<uint64_t>(INT64_MAX)) {
        return note_entry("shape: size ", std::to_string(count), " is too large");
      }
      sizes.push_back(static_cast<int64_t>(count));
    }
    try {
      out_.entries.back().shape = Shape(std::span<const int64_t>(sizes));
    } catch (const Error& error) {
      note_entry(error.what());
    }
  }

  void take_offsets() {
    if (counts_.size() != 2) return note_entry("expected two data_offsets, got ", counts_.size());
    out_.entries.back().begin = counts_[0];
    out_.entries.back().end = counts_[1];
  }

  void finish_entry() {
    if (!is_complete_ || fields_ != (dtype_field | shape_field | offsets_field)) note_incomplete();
    if (!fault_.empty()) return;
    const HeaderEntry& entry = out_.entries.back();
    const std::string offsets = "[" + std::to_string(entry.begin) + ", " + std::to_string(entry.end) + "]";
    if (entry.begin > entry.end || entry.end > data_bytes_) {
      return note_entry(entry.begin > entry.end ? "" : "the file is cut off, or ",
                        "data_offsets out of range: expected ", "begin <= end <= ", data_bytes_, ", got ", offsets);
    }
    // A shape has at most 2^60 elements. Elements of less than a byte must fill whole bytes.
    const auto count = static_cast<uint64_t>(entry.shape.numel());
    const unsigned bits = entry.dtype->bits;
    const uint64_t expected = bits % 8 == 0 ? count * (bits / 8) : (count * bits + 7) / 8;
    if (bits % 8 != 0 && count * bits % 8 != 0) {
      return note_entry(entry.dtype->name, " ", entry.shape, " does not fill whole bytes");
    }
    if (entry.end - entry.begin != expected) {
      note_entry("wrong number of bytes: ", entry.dtype->name, " ", entry.shape, " takes ", expected, ", data_offsets ",
                 offsets, " hold ", entry.end - entry.begin);
    }
  }

  uint64_t data_bytes_;
  SafetensorsHeader& out_;
  std::array<Place, 3> places_{};  // the brackets around the next value
  size_t depth_ = 0;
  bool in_metadata_ = false;
  bool has_metadata_ = false;
  unsigned fields_ = 0;  // the fields of the current entry that have been read
  Field field_ = unknown_field;
  bool is_complete_ = true;
  std::vector<uint64_t> counts_;
  std::string broken_;
  std::string repeated_;
  std::string fault_;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(const std::string& text, uint64_t data_bytes) {
  SafetensorsHeader out;
  HeaderHandler handler(data_bytes, out);
  // The parser would stop at a NUL.
  if (text.find('\0') != std::string::npos || text.empty()) {
    out.problem = "the header is not JSON";
    return out;
  }
  json::sax_parse(text, &handler);
  out.problem = handler.problem();
  return out;
}

std::optional<std::string> json_string(const std::string& text) {
  try {
    return json(text).dump();
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

}  // namespace gradus::detail
