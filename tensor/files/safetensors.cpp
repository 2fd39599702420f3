// SPDX-License-Identifier: MIT

// Reads safetensors files; safetensors_save.cpp writes them. The format (https://github.com/huggingface/safetensors): 8
// bytes with the length N of the header, little-endian; N bytes of JSON, {"name": {"dtype": "F32", "shape": [2, 3],
// "data_offsets": [begin, end]}, ..., "__metadata__": {"key": "text"}}; then the bytes of the tensors, row-major,
// little-endian, without gaps. Offsets count from the end of the header.
#include <gradus/tensor/files/safetensors.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <system_error>

#include <gradus/tensor/files/safetensors_header.hpp>

namespace gradus {
namespace {

using detail::FileDType;
using detail::HeaderEntry;
using detail::in_quotes;

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr uint64_t kLengthBytes = 8;

std::string system_reason(int error) { return std::generic_category().message(error); }

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
    detail::SafetensorsHeader header = read_header();
    check_coverage(header.entries);
    SafetensorsFile out;
    out.tensors.reserve(header.entries.size());
    for (HeaderEntry& entry : header.entries) {
      Tensor value = read_tensor(entry);
      out.tensors.push_back({std::move(entry.name), std::move(value)});
    }
    out.metadata = std::move(header.metadata);
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

  // In a text file, or a file of another format, the first bytes make an impossible length.
  uint64_t header_length() const {
    if (size_ == 0) fail("the file is empty: expected a safetensors file");
    if (size_ < kLengthBytes) {
      fail("this is no safetensors file, or it is cut off: expected a header length of 8 bytes, the file has ", size_);
    }
    uint64_t length = 0;
    read(&length, kLengthBytes, 0);
    if (length > detail::kLongestHeader) {
      fail("this is no safetensors file: expected a header of at most ", detail::kLongestHeader,
           " bytes, its first 8 bytes say ", std::to_string(length));
    }
    const uint64_t available = size_ - kLengthBytes;
    if (length > available) {
      fail("the file is cut off: its header takes ", length, " bytes, and ", available, " follow its length");
    }
    return length;
  }

  detail::SafetensorsHeader read_header() {
    const uint64_t length = header_length();
    std::string text(length, '\0');
    read(text.data(), length, kLengthBytes);
    data_begin_ = kLengthBytes + length;
    detail::SafetensorsHeader header = detail::parse_safetensors_header(text, size_ - data_begin_);
    if (!header.problem.empty()) fail(header.problem);
    return header;
  }

  // The bytes of the tensors must follow each other without gaps and end at the end of the file.
  void check_coverage(const std::vector<HeaderEntry>& entries) const {
    std::vector<const HeaderEntry*> order;
    order.reserve(entries.size());
    for (const HeaderEntry& entry : entries) order.push_back(&entry);
    std::sort(order.begin(), order.end(), [](const HeaderEntry* a, const HeaderEntry* b) {
      return a->begin != b->begin ? a->begin < b->begin : a->end < b->end;
    });
    uint64_t end = 0;
    for (const HeaderEntry* entry : order) {
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

  Tensor read_tensor(const HeaderEntry& entry) const {
    Tensor out = Tensor::empty(entry.shape, entry.dtype->memory);
    const uint64_t bytes = entry.end - entry.begin;
    const uint64_t position = data_begin_ + entry.begin;
    const bool is_f16 = entry.dtype->file == FileDType::f16;
    if (is_f16 || entry.dtype->file == FileDType::bf16) {
      std::vector<uint16_t> halves(bytes / 2);
      read(halves.data(), bytes, position);
      std::transform(halves.begin(), halves.end(), out.mutable_data_<float>(), is_f16 ? widen_f16 : widen_bf16);
      return out;
    }
    read(out.raw_data(), bytes, position);
    if (entry.dtype->file == FileDType::boolean) {
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
};

}  // namespace

SafetensorsFile load_safetensors(const std::string& path) { return Reader(path).load(); }

}  // namespace gradus
