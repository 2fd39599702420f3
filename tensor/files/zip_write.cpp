// SPDX-License-Identifier: MIT
// Writes zip archives; zip.cpp reads them.
#include <algorithm>
#include <array>

#include <zlib.h>

#include <gradus/tensor/files/zip.hpp>

namespace gradus::detail {
namespace {

constexpr uint64_t kFirstDay = 0x21;                        // 1980-01-01, so that equal tensors make equal files
constexpr uint64_t kUtf8Name = 0x0800;                      // a flag
constexpr uint64_t kPaddingField = 0xD935;                  // an extra field of zeros, as Android's zipalign writes it
constexpr uint64_t kPlainVersion = 20, kZip64Version = 45;  // 2.0 and 4.5 of the format, which a reader must know
constexpr size_t kMemberAlignment = 64;

// The raw deflate stream of two pieces of memory.
class Deflater {
 public:
  Deflater() {
    if (::deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  ~Deflater() { ::deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  void add(const void* data, size_t count, bool is_last) {
    stream_.next_in = const_cast<Bytef*>(static_cast<const Bytef*>(data));
    do {
      const size_t now = std::min<size_t>(count, 1U << 30);
      stream_.avail_in = static_cast<uInt>(now);
      count -= now;
      pump(is_last && count == 0 ? Z_FINISH : Z_NO_FLUSH);
    } while (count > 0);
  }
  std::string take() { return std::move(out_); }

 private:
  void pump(int flush) {
    std::array<Bytef, 16384> piece;
    do {
      stream_.next_out = piece.data();
      stream_.avail_out = static_cast<uInt>(piece.size());
      GRADUS_ASSERT(::deflate(&stream_, flush) != Z_STREAM_ERROR);
      out_.append(reinterpret_cast<const char*>(piece.data()), piece.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

  z_stream stream_{};
  std::string out_;
};

// The extra field for numbers of 64 bits; empty when all fit into 32.
std::string zip64_field(const std::vector<uint64_t>& numbers) {
  std::string values;
  for (const uint64_t number : numbers) append_number(values, number, 8);
  std::string out;
  if (values.empty()) return out;
  append_number(out, 1, 2);
  append_number(out, values.size(), 2);
  return out + values;
}

// The part that local and central headers share: from the needed version to the lengths of name and extra fields.
std::string common_part(const ZipMember& member, size_t extra_bytes, bool is_large, uint64_t version) {
  std::string out;
  append_number(out, version, 2);
  append_number(out, kUtf8Name, 2);
  append_number(out, member.deflated ? 8 : 0, 2);
  append_number(out, kFirstDay << 16, 4);
  append_number(out, member.crc, 4);
  append_number(out, is_large ? kZip32 : member.packed, 4);
  append_number(out, is_large ? kZip32 : member.size, 4);
  append_number(out, member.name.size(), 2);
  append_number(out, extra_bytes, 2);
  return out;
}

std::string local_header(const ZipMember& member, bool is_large) {
  std::string extra = is_large ? zip64_field({member.size, member.packed}) : "";
  if (!member.deflated) {
    constexpr size_t kFixedBytes = 30, kFieldBytes = 4;
    const uint64_t data = member.header + kFixedBytes + member.name.size() + extra.size() + kFieldBytes;
    const size_t padding = (kMemberAlignment - data % kMemberAlignment) % kMemberAlignment;
    append_number(extra, kPaddingField, 2);
    append_number(extra, padding, 2);
    extra.append(padding, '\0');
  }
  std::string out;
  append_number(out, kZipLocal, 4);
  return out + common_part(member, extra.size(), is_large, is_large ? kZip64Version : kPlainVersion) + member.name +
         extra;
}

std::string central_header(const ZipMember& member, bool is_large) {
  std::vector<uint64_t> numbers;
  if (is_large) numbers = {member.size, member.packed};
  const bool is_far = member.header >= kZip32;
  if (is_far) numbers.push_back(member.header);
  const std::string extra = zip64_field(numbers);
  std::string out;
  append_number(out, kZipCentral, 4);
  const uint64_t version = is_large || is_far ? kZip64Version : kPlainVersion;
  append_number(out, version, 2);
  out += common_part(member, extra.size(), is_large, version);
  append_number(out, 0, 4);  // no comment, the first disk
  append_number(out, 0, 6);  // no attributes
  append_number(out, is_far ? kZip32 : member.header, 4);
  return out + member.name + extra;
}

}  // namespace

void ZipWriter::write(const std::string& bytes) {
  file_.write(bytes.data(), bytes.size());
  position_ += bytes.size();
}

void ZipWriter::add(const std::string& name, const std::string& header, const void* data, size_t count, bool compress) {
  const auto* head = reinterpret_cast<const Bytef*>(header.data());
  const auto crc = ::crc32_z(::crc32_z(0, head, header.size()), static_cast<const Bytef*>(data), count);
  ZipMember member{.name = name,
                   .deflated = compress,
                   .crc = static_cast<uint32_t>(crc),
                   .packed = header.size() + count,
                   .size = header.size() + count,
                   .header = position_,
                   .data = 0};
  std::string deflated;
  if (compress) {
    Deflater deflater;
    deflater.add(header.data(), header.size(), false);
    deflater.add(data, count, true);
    deflated = deflater.take();
    member.packed = deflated.size();
  }
  const bool is_large = std::max(member.size, member.packed) >= kZip32;
  write(local_header(member, is_large));
  if (compress) {
    write(deflated);
  } else {
    write(header);
    file_.write(data, count);
    position_ += count;
  }
  directory_ += central_header(member, is_large);
  ++members_;
}

void ZipWriter::finish() {
  const uint64_t begin = position_;
  const uint64_t bytes = directory_.size();
  std::string end;
  if (members_ >= 0xFFFF || begin >= kZip32 || bytes >= kZip32) {
    append_number(end, kZip64End, 4);
    append_number(end, 44, 8);  // bytes after this number
    append_number(end, kZip64Version, 2);
    append_number(end, kZip64Version, 2);
    append_number(end, 0, 8);  // two disks
    append_number(end, members_, 8);
    append_number(end, members_, 8);
    append_number(end, bytes, 8);
    append_number(end, begin, 8);
    append_number(end, kZip64Locator, 4);
    append_number(end, 0, 4);
    append_number(end, begin + bytes, 8);
    append_number(end, 1, 4);
  }
  append_number(end, kZipEnd, 4);
  append_number(end, 0, 4);
  append_number(end, std::min<uint64_t>(members_, 0xFFFF), 2);
  append_number(end, std::min<uint64_t>(members_, 0xFFFF), 2);
  append_number(end, std::min(bytes, kZip32), 4);
  append_number(end, std::min(begin, kZip32), 4);
  append_number(end, 0, 2);
  write(directory_);
  write(end);
}

}  // namespace gradus::detail
