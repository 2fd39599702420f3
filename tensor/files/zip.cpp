// SPDX-License-Identifier: MIT
// Reads zip archives; zip_write.cpp writes them.
#include <gradus/tensor/files/zip.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include <zlib.h>

namespace gradus::detail {
namespace {

constexpr size_t kEndBytes = 22, kZip64EndBytes = 56, kLocatorBytes = 20, kCentralBytes = 46, kLocalBytes = 30;
constexpr uint64_t kLongestComment = 0xFFFF;
constexpr uint64_t kMostInflation = 1032;  // deflate takes two bits for at most 258 bytes
constexpr uint64_t kEncrypted = 0x0001, kDescriptor = 0x0008, kUnreadable = 0x0001 | 0x0020 | 0x0040 | 0x2000;
constexpr size_t kZipPiece = 65536;

std::string piece_of(const InputFile& file, uint64_t position, uint64_t count) {
  std::string out(count, '\0');
  file.read(out.data(), count, position);
  return out;
}

// Where the directory is.
struct DirectoryPlace {
  uint64_t begin = 0;
  uint64_t end = 0;
  uint64_t members = 0;
};

// The end record is before a comment of any length. Its signature may also occur within the comment.
uint64_t find_end_record(const InputFile& file, const std::string& tail) {
  for (size_t at = tail.size() - kEndBytes + 1; at-- > 0;) {
    if (number_at(tail, at, 4) != kZipEnd) continue;
    if (at + kEndBytes + number_at(tail, at + 20, 2) == tail.size()) return file.size() - tail.size() + at;
  }
  file_problem("this is no .npz file, or it is cut off: there is no end of a zip archive");
}

DirectoryPlace find_zip64_directory(const InputFile& file, uint64_t locator_at, const std::string& locator) {
  const uint64_t at = number_at(locator, 8, 8);
  if (at > locator_at || locator_at - at < kZip64EndBytes)
    file_problem("the zip64 end record is not where it should be");
  const std::string end = piece_of(file, at, kZip64EndBytes);
  if (number_at(end, 0, 4) != kZip64End) file_problem("the zip64 end record is not where it should be");
  DirectoryPlace out{.begin = number_at(end, 48, 8), .end = 0, .members = number_at(end, 32, 8)};
  if (number_at(end, 16, 4) != 0 || number_at(end, 20, 4) != 0 || number_at(end, 24, 8) != out.members) {
    file_problem("an archive on several disks: expected one");
  }
  if (__builtin_add_overflow(out.begin, number_at(end, 40, 8), &out.end) || out.end != at) {
    file_problem("the zip directory is not where the end record says");
  }
  return out;
}

DirectoryPlace find_directory(const InputFile& file) {
  if (file.size() < kEndBytes) {
    file_problem("this is no .npz file, or it is cut off: expected at least 22 bytes, got ", file.size());
  }
  const uint64_t tail_bytes = std::min(file.size(), kEndBytes + kLongestComment);
  const uint64_t end_at = find_end_record(file, piece_of(file, file.size() - tail_bytes, tail_bytes));
  if (end_at >= kLocatorBytes) {
    const uint64_t locator_at = end_at - kLocatorBytes;
    const std::string locator = piece_of(file, locator_at, kLocatorBytes);
    if (number_at(locator, 0, 4) == kZip64Locator) return find_zip64_directory(file, locator_at, locator);
  }
  const std::string end = piece_of(file, end_at, kEndBytes);
  DirectoryPlace out{.begin = number_at(end, 16, 4), .end = 0, .members = number_at(end, 10, 2)};
  if (number_at(end, 4, 2) != 0 || number_at(end, 6, 2) != 0 || number_at(end, 8, 2) != out.members) {
    file_problem("an archive on several disks: expected one");
  }
  out.end = out.begin + number_at(end, 12, 4);
  if (out.end != end_at) file_problem("the zip directory is not where the end record says");
  return out;
}

// Puts the zip64 numbers in the places of those that are 2^32 - 1. `extra`: the extra fields of one member.
void take_zip64_numbers(ZipMember& member, const std::string& extra) {
  for (size_t at = 0; at + 4 <= extra.size();) {
    const size_t length = number_at(extra, at + 2, 2);
    if (length > extra.size() - at - 4) break;
    if (number_at(extra, at, 2) == 1) {
      size_t next = at + 4;
      for (uint64_t* number : {&member.size, &member.packed, &member.header}) {
        if (*number != kZip32) continue;
        if (next + 8 > at + 4 + length)
          file_problem("member ", in_quotes(member.name), ": its zip64 sizes are cut off");
        *number = number_at(extra, next, 8);
        next += 8;
      }
      return;
    }
    at += 4 + length;
  }
}

void check_sizes(const ZipMember& member) {
  if (!member.deflated && member.packed != member.size) {
    file_problem("member ", in_quotes(member.name), ": two sizes of stored bytes: ", std::to_string(member.packed),
                 " and ", std::to_string(member.size));
  }
  if (member.size / kMostInflation > member.packed) {
    file_problem("member ", in_quotes(member.name), ": ", std::to_string(member.packed),
                 " bytes cannot inflate to the stated ", std::to_string(member.size));
  }
}

// One entry of the directory; moves `at` behind it.
ZipMember directory_entry(const std::string& text, size_t& at) {
  const auto cut_off = [] { file_problem("the zip directory is cut off, or lists something else"); };
  if (text.size() - at < kCentralBytes || number_at(text, at, 4) != kZipCentral) cut_off();
  const auto field = [&](size_t offset, int bytes) { return number_at(text, at + offset, bytes); };
  const size_t name = field(28, 2), extra = field(30, 2), comment = field(32, 2);
  if (text.size() - at - kCentralBytes < name + extra + comment) cut_off();
  ZipMember out{.name = text.substr(at + kCentralBytes, name),
                .deflated = field(10, 2) == 8,
                .crc = static_cast<uint32_t>(field(16, 4)),
                .packed = field(20, 4),
                .size = field(24, 4),
                .header = field(42, 4),
                .data = 0};
  if ((field(8, 2) & kUnreadable) != 0) {
    file_problem("member ", in_quotes(out.name),
                 (field(8, 2) & kEncrypted) != 0 ? " is encrypted" : " is packed in a way that only few programs know");
  }
  if (field(10, 2) != 0 && field(10, 2) != 8) {
    file_problem("member ", in_quotes(out.name), ": compression method ", field(10, 2),
                 ": expected 0 (stored) or 8 (deflated)");
  }
  take_zip64_numbers(out, text.substr(at + kCentralBytes + name, extra));
  check_sizes(out);
  at += kCentralBytes + name + extra + comment;
  return out;
}

// Finds the data behind the local header, which must agree with the directory.
void locate(const InputFile& file, uint64_t directory, ZipMember& member) {
  const auto wrong = [&](const char* what) { file_problem("member ", in_quotes(member.name), ": ", what); };
  if (member.header > directory || directory - member.header < kLocalBytes) wrong("is not within the archive");
  const std::string local = piece_of(file, member.header, kLocalBytes);
  if (number_at(local, 0, 4) != kZipLocal) wrong("its local header is not where the directory says");
  const uint64_t name = number_at(local, 26, 2), extra = number_at(local, 28, 2);
  const uint64_t room = directory - member.header - kLocalBytes;
  if (room < name + extra || room - name - extra < member.packed) wrong("is not within the archive");
  const bool same_method = number_at(local, 8, 2) == (member.deflated ? 8u : 0u);
  if (!same_method || name != member.name.size() || piece_of(file, member.header + kLocalBytes, name) != member.name) {
    wrong("its local header and the directory differ");
  }
  // With a data descriptor, the local header does not know the sizes. Those of zip64 are elsewhere.
  if ((number_at(local, 6, 2) & kDescriptor) == 0) {
    const uint64_t packed = number_at(local, 18, 4), size = number_at(local, 22, 4);
    if ((packed != kZip32 && packed != member.packed) || (size != kZip32 && size != member.size) ||
        number_at(local, 14, 4) != member.crc) {
      wrong("its local header and the directory differ");
    }
  }
  member.data = member.header + kLocalBytes + name + extra;
}

void check_crc(uint32_t got, uint32_t expected) {
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // a fuzzer would never guess it
  if (got != expected) file_problem("its bytes are damaged: CRC ", got, " instead of ", expected);
#else
  static_cast<void>(got), static_cast<void>(expected);
#endif
}

uint32_t extended_crc(uint32_t crc, const void* bytes, size_t count) {
  return static_cast<uint32_t>(::crc32_z(crc, static_cast<const Bytef*>(bytes), count));
}

void check_stored_crc(const InputFile& file, const ZipMember& member) {
  uint32_t crc = 0;
  std::string piece(std::min<uint64_t>(member.packed, kZipPiece), '\0');
  for (uint64_t done = 0; done < member.packed; done += piece.size()) {
    const size_t now = std::min<uint64_t>(piece.size(), member.packed - done);
    file.read(piece.data(), now, member.data + done);
    crc = extended_crc(crc, piece.data(), now);
  }
  check_crc(crc, member.crc);
}

class DeflatedSource final : public ByteSource {
 public:
  DeflatedSource(InputFile& file, const ZipMember& member)
      : file_(file), position_(member.data), packed_(member.packed), left_(member.size), expected_crc_(member.crc) {
    if (::inflateInit2(&stream_, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  ~DeflatedSource() override { ::inflateEnd(&stream_); }

  void read(void* target, size_t count) override {
    auto* bytes = static_cast<Bytef*>(target);
    for (size_t done = 0; done < count;) {
      const size_t got = inflate_some(bytes + done, count - done);
      if (got == 0 && ended_) file_problem("its bytes inflate to less than the stated size");
      done += got;
    }
    crc_ = extended_crc(crc_, target, count);
    left_ -= count;
  }
  uint64_t left() const override { return left_; }

  void finish() override {
    while (!ended_) {
      Bytef more = 0;
      if (inflate_some(&more, 1) != 0) file_problem("its bytes inflate to more than the stated size");
    }
    if (packed_ != 0 || stream_.avail_in != 0) file_problem("there are bytes after its deflated ones");
    check_crc(crc_, expected_crc_);
  }

 private:
  // Inflates up to `count` bytes and returns how many. 0 when the stream has ended, or needs another call.
  size_t inflate_some(Bytef* target, size_t count) {
    if (ended_) return 0;
    if (stream_.avail_in == 0 && packed_ > 0) {
      const size_t now = std::min<uint64_t>(input_.size(), packed_);
      file_.read(input_.data(), now, position_);
      position_ += now;
      packed_ -= now;
      stream_.next_in = input_.data();
      stream_.avail_in = static_cast<uInt>(now);
    }
    const auto room = static_cast<uInt>(std::min<size_t>(count, 1U << 30));
    stream_.next_out = target;
    stream_.avail_out = room;
    const int status = ::inflate(&stream_, Z_NO_FLUSH);
    ended_ = status == Z_STREAM_END;
    if (status == Z_MEM_ERROR) throw std::bad_alloc();
    if (status != Z_OK && status != Z_STREAM_END) file_problem("its deflated bytes are damaged or cut off");
    return room - stream_.avail_out;
  }

  InputFile& file_;
  uint64_t position_;
  uint64_t packed_;  // bytes that are not read yet
  uint64_t left_;
  uint32_t expected_crc_;
  uint32_t crc_ = 0;
  bool ended_ = false;
  z_stream stream_{};
  std::array<Bytef, 16384> input_;
};

}  // namespace

std::vector<ZipMember> read_zip_directory(const InputFile& file) {
  const DirectoryPlace place = find_directory(file);
  const std::string text = piece_of(file, place.begin, place.end - place.begin);
  std::vector<ZipMember> members;
  for (size_t at = 0; at < text.size();) {
    members.push_back(directory_entry(text, at));
    locate(file, place.begin, members.back());
  }
  if (members.size() != place.members) {
    file_problem("the zip directory has ", members.size(), " members, its end record says ",
                 std::to_string(place.members));
  }
  std::vector<const ZipMember*> order;
  order.reserve(members.size());
  for (const ZipMember& member : members) order.push_back(&member);
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) { return a->header < b->header; });
  for (size_t i = 1; i < order.size(); ++i) {
    if (order[i]->header < order[i - 1]->data + order[i - 1]->packed) {
      file_problem("members ", in_quotes(order[i - 1]->name), " and ", in_quotes(order[i]->name), " share bytes");
    }
  }
  return members;
}

std::unique_ptr<ByteSource> open_zip_member(InputFile& file, const ZipMember& member) {
  if (member.deflated) return std::make_unique<DeflatedSource>(file, member);
  // Checked at once, so that the bytes may be mapped afterwards.
  check_stored_crc(file, member);
  return std::make_unique<FileSource>(file, member.data, member.packed);
}

}  // namespace gradus::detail
