// SPDX-License-Identifier: MIT

// Reading; safetensors_save.cpp writes. The format (https://github.com/huggingface/safetensors): 8 bytes, the header's
// length N, little-endian; N bytes of JSON, {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]},
// ..., "__metadata__": {"key": "text"}}; then the tensors' bytes, row-major, little-endian, without holes; offsets
// count from the end of the header.
#include <gradus/tensor/safetensors.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <optional>
#include <system_error>
#include <unordered_set>

#include <nlohmann/json.hpp>

namespace gradus {
namespace {

using nlohmann::json;

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr const char* kMetadataKey = "__metadata__";
constexpr uint64_t kLongestHeader = 100'000'000;  // as in the format's own implementation

std::string system_reason(int error) { return std::generic_category().message(error); }

// For messages: a name out of a broken file may be of any length.
std::string in_quotes(const std::string& text) {
  constexpr size_t kLongest = 80;
  return "'" + (text.size() <= kLongest ? text : text.substr(0, kLongest) + "...") + "'";
}

// An open file descriptor.
class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

enum class FileDType { f32, f64, i64, boolean, f16, bf16 };

struct DTypeEntry {
  const char* name;
  FileDType file;
  size_t size;
  DType memory;
};

constexpr DTypeEntry kDTypes[] = {
    {"F32", FileDType::f32, 4, DType::f32}, {"F64", FileDType::f64, 8, DType::f64},
    {"I64", FileDType::i64, 8, DType::i64}, {"BOOL", FileDType::boolean, 1, DType::boolean},
    {"F16", FileDType::f16, 2, DType::f32}, {"BF16", FileDType::bf16, 2, DType::f32},
};

struct Entry {
  std::string name;
  DTypeEntry dtype;
  Shape shape;
  uint64_t begin;
  uint64_t end;
};

float widen_bf16(uint16_t half) { return std::bit_cast<float>(static_cast<uint32_t>(half) << 16); }

float widen_f16(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = half >> 10 & 0x1Fu;
  const uint32_t mantissa = half & 0x3FFu;
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

class Reader {
 public:
  explicit Reader(const std::string& path)
      : path_(path), file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (file_.descriptor() < 0) fail("cannot open the file: ", system_reason(errno));
    struct stat status {};
    if (::fstat(file_.descriptor(), &status) != 0) fail("cannot read the file: ", system_reason(errno));
    if (!S_ISREG(status.st_mode)) fail("this is no regular file");
    size_ = static_cast<uint64_t>(status.st_size);
  }

  SafetensorsFile load() {
    const json header = parse_header();
    SafetensorsFile out;
    std::vector<Entry> entries;
    for (const std::string& name : names_) {
      if (name != kMetadataKey) entries.push_back(parse_entry(name, header.at(name)));
    }
    check_coverage(entries);
    for (const Entry& entry : entries) out.tensors.push_back({entry.name, read_tensor(entry)});
    if (header.contains(kMetadataKey)) out.metadata = parse_metadata(header[kMetadataKey]);
    return out;
  }

 private:
  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    detail::throw_error(detail::join("[load_safetensors] ", path_, ": ", parts...));
  }

  void read(void* target, uint64_t count, uint64_t position) const {
    auto* bytes = static_cast<char*>(target);
    while (count > 0) {
      const ssize_t got = ::pread(file_.descriptor(), bytes, count, static_cast<off_t>(position));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail("cannot read the file: ", system_reason(errno));
      if (got == 0) fail("the file became shorter while it was read");
      bytes += got;
      count -= static_cast<uint64_t>(got);
      position += static_cast<uint64_t>(got);
    }
  }

  json parse_header() {
    if (size_ < 8) fail("too short: expected a header length of 8 bytes, the file has ", size_);
    uint64_t length = 0;
    read(&length, 8, 0);
    if (length > kLongestHeader) {
      fail("header too large: expected at most ", kLongestHeader, " bytes, the file says ", std::to_string(length));
    }
    if (length > size_ - 8) {
      fail("header longer than the file: the file says ", length, " bytes, and has ", size_ - 8, " after its length");
    }
    std::string text(length, '\0');
    read(text.data(), length, 8);
    data_begin_ = 8 + length;
    // The parser would take a NUL for the end of the text.
    if (text.find('\0') != std::string::npos) fail("the header is not JSON");
    json header;
    try {
      header = json::parse(text, [this](int depth, json::parse_event_t event, json& value) {
        note_key(depth, event, value);
        return true;
      });
    } catch (const json::exception&) {
      fail("the header is not JSON");
    }
    if (!header.is_object()) fail("the header is not a JSON object");
    if (repeated_) fail("the header names ", in_quotes(*repeated_), " twice");
    return header;
  }

  // The parsed object neither keeps the order of keys nor tells of repeated ones: note them as they pass. `depth`
  // counts the brackets around them.
  void note_key(int depth, json::parse_event_t event, const json& value) {
    if (event == json::parse_event_t::array_start && depth == 0) fail("the header is not a JSON object");
    const bool opens = event == json::parse_event_t::array_start || event == json::parse_event_t::object_start;
    if (opens && depth > 2) fail("the header is nested too deeply");
    if (event != json::parse_event_t::key || depth > 2) return;
    const auto& key = value.get_ref<const std::string&>();
    if (depth == 1) {
      inner_keys_.clear();
      names_.push_back(key);
      if (!outer_keys_.insert(key).second) repeated_ = key;
    } else {
      if (names_.back() == kMetadataKey) metadata_keys_.push_back(key);
      if (!inner_keys_.insert(key).second) repeated_ = key;
    }
  }

  std::vector<std::pair<std::string, std::string>> parse_metadata(const json& value) const {
    if (!value.is_object()) fail(kMetadataKey, " is not an object");
    std::vector<std::pair<std::string, std::string>> out;
    for (const std::string& key : metadata_keys_) {
      const json& text = value.at(key);
      if (!text.is_string()) fail(kMetadataKey, ": the value of ", in_quotes(key), " is not a string");
      out.emplace_back(key, text.get<std::string>());
    }
    return out;
  }

  Entry parse_entry(const std::string& name, const json& value) const {
    const std::string who = "tensor " + in_quotes(name);
    if (!value.is_object() || value.size() != 3 || !value.contains("dtype") || !value.contains("shape") ||
        !value.contains("data_offsets")) {
      fail(who, ": expected an object of dtype, shape and data_offsets");
    }
    Entry out{.name = name,
              .dtype = parse_dtype(who, value["dtype"]),
              .shape = parse_shape(who, value["shape"]),
              .begin = 0,
              .end = 0};
    const std::vector<uint64_t> offsets = parse_counts(who, "data_offsets", value["data_offsets"]);
    if (offsets.size() != 2) fail(who, ": expected two data_offsets, got ", offsets.size());
    out.begin = offsets[0];
    out.end = offsets[1];
    const uint64_t available = size_ - data_begin_;
    if (out.begin > out.end || out.end > available) {
      fail(who, ": data_offsets out of range: expected begin <= end <= ", available, ", got [",
           std::to_string(out.begin), ", ", std::to_string(out.end), "]");
    }
    const uint64_t expected = static_cast<uint64_t>(out.shape.numel()) * out.dtype.size;
    if (out.end - out.begin != expected) {
      fail(who, ": wrong number of bytes: ", out.dtype.name, " ", out.shape, " takes ", expected, ", data_offsets [",
           out.begin, ", ", out.end, "] hold ", out.end - out.begin);
    }
    return out;
  }

  DTypeEntry parse_dtype(const std::string& who, const json& value) const {
    if (!value.is_string()) fail(who, ": dtype is not a string");
    const auto& name = value.get_ref<const std::string&>();
    for (const DTypeEntry& entry : kDTypes) {
      if (name == entry.name) return entry;
    }
    fail(who, ": unknown dtype: expected F32, F64, I64, BOOL, F16 or BF16, got ", in_quotes(name));
  }

  std::vector<uint64_t> parse_counts(const std::string& who, const char* what, const json& value) const {
    if (!value.is_array()) fail(who, ": ", what, " is not an array");
    std::vector<uint64_t> out;
    for (const json& item : value) {
      if (!item.is_number_unsigned()) fail(who, ": ", what, " holds something that is no integer from 0 to 2^64 - 1");
      out.push_back(item.get<uint64_t>());
    }
    return out;
  }

  Shape parse_shape(const std::string& who, const json& value) const {
    const std::vector<uint64_t> counts = parse_counts(who, "shape", value);
    std::vector<int64_t> sizes;
    for (const uint64_t count : counts) {
      if (count > static_cast<uint64_t>(INT64_MAX)) fail(who, ": shape: size ", std::to_string(count), " is too large");
      sizes.push_back(static_cast<int64_t>(count));
    }
    try {
      return Shape(std::span<const int64_t>(sizes));
    } catch (const Error& error) {
      fail(who, ": ", error.what());
    }
  }

  // The tensors' bytes must follow each other, and end where the file ends.
  void check_coverage(const std::vector<Entry>& entries) const {
    std::vector<const Entry*> order;
    order.reserve(entries.size());
    for (const Entry& entry : entries) order.push_back(&entry);
    std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
      return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
    });
    uint64_t end = 0;
    for (const Entry* entry : order) {
      if (entry->begin != end) {
        fail("tensor ", in_quotes(entry->name),
             entry->begin < end ? ": overlaps the one before it" : ": bytes before it belong to no tensor",
             ": expected data_offsets to begin at ", end, ", got ", entry->begin);
      }
      end = entry->end;
    }
    if (end != size_ - data_begin_) {
      fail("bytes at the end belong to no tensor: the last one ends at ", end, ", the data at ", size_ - data_begin_);
    }
  }

  Tensor read_tensor(const Entry& entry) const {
    Tensor out = Tensor::empty(entry.shape, entry.dtype.memory);
    const uint64_t bytes = entry.end - entry.begin;
    const uint64_t position = data_begin_ + entry.begin;
    const bool is_f16 = entry.dtype.file == FileDType::f16;
    if (is_f16 || entry.dtype.file == FileDType::bf16) {
      std::vector<uint16_t> halves(bytes / 2);
      read(halves.data(), bytes, position);
      std::transform(halves.begin(), halves.end(), out.mutable_data_<float>(), is_f16 ? widen_f16 : widen_bf16);
      return out;
    }
    read(out.raw_data(), bytes, position);
    if (entry.dtype.file == FileDType::boolean) {
      const auto* values = static_cast<const unsigned char*>(out.raw_data());
      const auto* wrong = std::find_if(values, values + bytes, [](unsigned char value) { return value > 1; });
      if (wrong != values + bytes) {
        fail("tensor ", in_quotes(entry.name), ": expected BOOL bytes 0 or 1, got ", static_cast<int>(*wrong));
      }
    }
    return out;
  }

  std::string path_;
  File file_;
  uint64_t size_ = 0;
  uint64_t data_begin_ = 0;
  std::vector<std::string> names_;
  std::vector<std::string> metadata_keys_;
  std::unordered_set<std::string> outer_keys_;
  std::unordered_set<std::string> inner_keys_;
  std::optional<std::string> repeated_;
};

}  // namespace

SafetensorsFile load_safetensors(const std::string& path) { return Reader(path).load(); }

}  // namespace gradus
