// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <gradus/tensor/files/input_file.hpp>
#include <gradus/tensor/files/replace_file.hpp>

// Zip archives (PKWARE's APPNOTE 6.3), as far as .npz files need them: members that are stored or deflated, zip64, data
// descriptors; one disk, nothing encrypted.

namespace gradus::detail {

struct ZipMember {
  std::string name;
  bool deflated = false;
  uint32_t crc = 0;
  uint64_t packed = 0;  // bytes in the archive
  uint64_t size = 0;    // bytes that they unpack to
  uint64_t header = 0;  // the place of its local header
  uint64_t data = 0;    // the place of its first byte
};

/// Reads the directory at the end of an archive. All members are within the file, in its order, and share no bytes; a
/// deflated one states no more than deflate can reach (1,032 bytes from one).
std::vector<ZipMember> read_zip_directory(const InputFile& file);

/// The bytes of a member. Those of a stored one have the CRC of the directory; finish() checks it for a deflated one.
std::unique_ptr<ByteSource> open_zip_member(InputFile& file, const ZipMember& member);

/// Writes an archive, member by member. finish() adds the directory.
class ZipWriter {
 public:
  explicit ZipWriter(ReplaceFile& file) : file_(file) {}
  /// A member with the bytes of `header` and then those of `data`. When it is not compressed, its first byte is at a
  /// multiple of 64.
  void add(const std::string& name, const std::string& header, const void* data, size_t count, bool compress);
  void finish();

 private:
  void write(const std::string& bytes);

  ReplaceFile& file_;
  uint64_t position_ = 0;
  uint64_t members_ = 0;
  std::string directory_;
};

/// Numbers in a zip archive are little-endian.
inline void append_number(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}
inline uint64_t number_at(const std::string& text, size_t at, int bytes) {
  uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value |= static_cast<uint64_t>(static_cast<unsigned char>(text[at + static_cast<size_t>(i)])) << (8 * i);
  }
  return value;
}

constexpr uint64_t kZipLocal = 0x04034b50;
constexpr uint64_t kZipCentral = 0x02014b50;
constexpr uint64_t kZipEnd = 0x06054b50;
constexpr uint64_t kZip64End = 0x06064b50;
constexpr uint64_t kZip64Locator = 0x07064b50;
constexpr uint64_t kZip32 = 0xFFFFFFFF;  // instead of a number that zip64 has elsewhere

}  // namespace gradus::detail
