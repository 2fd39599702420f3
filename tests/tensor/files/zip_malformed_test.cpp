// SPDX-License-Identifier: MIT
// Archives in which something is wrong.
#include <cstdint>
#include <string>
#include <vector>

#include <gradus/tensor/files/npy.hpp>
#include <gradus/tensor/files/numpy.hpp>
#include <gradus/tensor/files/zip.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

namespace gradus {
namespace {

using detail::number_at;
using tests::error_text;
using tests::TemporaryFolder;

// An archive whose bytes can be changed. Its places: the local header, the directory, the end record.
struct Archive {
  explicit Archive(bool compress, std::vector<NamedTensor> tensors = {{"a", arange(100)}}) {
    save_npz(folder / "x.npz", tensors, {.compress = compress});
    bytes = tests::read_file(folder / "x.npz");
    end = bytes.size() - 22;
    directory = number_at(bytes, end + 16, 4);
  }
  void set(size_t at, uint64_t value, int width) {
    std::string number;
    detail::append_number(number, value, width);
    bytes.replace(at, number.size(), number);
  }
  // The error of these bytes, without "[load_npz] <path>: ".
  std::string error() const {
    tests::write_new_file(folder / "x.npz", bytes);
    const std::string start = "[load_npz] " + (folder / "x.npz") + ": ";
    const std::string text = error_text([&] { return load_npz(folder / "x.npz"); });
    return text.compare(0, start.size(), start) == 0 ? text.substr(start.size()) : "(wrong start) " + text;
  }

  TemporaryFolder folder;
  std::string bytes;
  size_t directory = 0, end = 0;
};

// The error after one number is changed.
template <class Change>
std::string error_after(bool compress, const Change& change) {
  Archive archive(compress);
  change(archive);
  return archive.error();
}

std::string error_of_bytes(const std::string& bytes) {
  return error_after(false, [&](Archive& a) { a.bytes = bytes; });
}

}  // namespace

TEST_CASE("load_npz: files that are no archive, or cut off") {
  CHECK(error_of_bytes("") == "this is no .npz file, or it is cut off: expected at least 22 bytes, got 0");
  CHECK(error_of_bytes(std::string(100, 'x')) ==
        "this is no .npz file, or it is cut off: there is no end of a zip archive");
  const Archive whole(true);
  for (size_t size = 0; size < whole.bytes.size(); size += 3) {
    CHECK_THAT(error_of_bytes(whole.bytes.substr(0, size)), tests::contains_text("cut off"));
  }
  CHECK_THAT(error_of_bytes(whole.bytes + "x"), tests::contains_text("there is no end of a zip archive"));
  CHECK(error_of_bytes("x" + whole.bytes) == "the zip directory is not where the end record says");
}

TEST_CASE("load_npz: wrong end records") {
  CHECK(error_after(false, [](Archive& a) { a.set(a.end + 4, 1, 2); }) == "an archive on several disks: expected one");
  CHECK(error_after(false, [](Archive& a) { a.set(a.end + 8, 2, 2); }) == "an archive on several disks: expected one");
  CHECK(error_after(false, [](Archive& a) { a.set(a.end + 8, 0x00020002, 4); }) ==
        "the zip directory has 1 members, its end record says 2");
  CHECK(error_after(false, [](Archive& a) { a.set(a.end + 12, 0xFFFFFFFF, 4); }) ==
        "the zip directory is not where the end record says");
  CHECK(error_after(false, [](Archive& a) { a.set(a.directory, 0, 4); }) ==
        "the zip directory is cut off, or lists something else");
  CHECK(error_after(false, [](Archive& a) { a.set(a.directory + 28, 0xFFFF, 2); }) ==
        "the zip directory is cut off, or lists something else");
  const auto with_locator = [](uint64_t where) {
    return error_after(false, [&](Archive& a) {
      std::string locator;
      detail::append_number(locator, detail::kZip64Locator, 4);
      detail::append_number(locator, 0, 4);
      detail::append_number(locator, where, 8);
      detail::append_number(locator, 1, 4);
      a.bytes.insert(a.end, locator);
    });
  };
  CHECK(with_locator(0) == "the zip64 end record is not where it should be");
  CHECK(with_locator(UINT64_MAX) == "the zip64 end record is not where it should be");
}

TEST_CASE("load_npz: wrong zip64 end records") {
  const auto with_record = [](uint64_t members, uint64_t bytes, uint64_t begin, uint64_t disk) {
    return error_after(false, [&](Archive& a) {
      std::string record;
      detail::append_number(record, detail::kZip64End, 4);
      detail::append_number(record, 44, 8);
      detail::append_number(record, 45, 4);
      detail::append_number(record, disk, 8);
      detail::append_number(record, members, 8);
      detail::append_number(record, members, 8);
      detail::append_number(record, bytes == 0 ? a.end - a.directory : bytes, 8);
      detail::append_number(record, begin == 0 ? a.directory : begin, 8);
      detail::append_number(record, detail::kZip64Locator, 4);
      detail::append_number(record, 0, 4);
      detail::append_number(record, a.end, 8);
      detail::append_number(record, 1, 4);
      a.bytes.insert(a.end, record);
    });
  };
  CHECK(with_record(1, 0, 0, 0) == "(wrong start) (no error)");
  CHECK(with_record(UINT64_MAX, 0, 0, 0) ==
        "the zip directory has 1 members, its end record says 18446744073709551615");
  CHECK(with_record(1, 0, 0, 1) == "an archive on several disks: expected one");
  CHECK(with_record(1, UINT64_MAX, 0, 0) == "the zip directory is not where the end record says");
  CHECK(with_record(1, 0, UINT64_MAX, 0) == "the zip directory is not where the end record says");
  CHECK(with_record(1, 1, 0, 0) == "the zip directory is not where the end record says");
}

TEST_CASE("load_npz: wrong members") {
  const std::string member = "member 'a.npy': ";
  CHECK(error_after(false, [](Archive& a) { a.set(a.directory + 8, 1, 2); }) == "member 'a.npy' is encrypted");
  CHECK(error_after(false, [](Archive& a) { a.set(a.directory + 8, 0x20, 2); }) ==
        "member 'a.npy' is packed in a way that only few programs know");
  CHECK(error_after(false, [](Archive& a) { a.set(a.directory + 10, 12, 2); }) ==
        member + "compression method 12: expected 0 (stored) or 8 (deflated)");
  CHECK(error_after(false, [](Archive& a) { a.set(a.directory + 20, 1, 4); }) ==
        member + "two sizes of stored bytes: 1 and 528");
  CHECK(error_after(true, [](Archive& a) { a.set(a.directory + 24, 0xFFFFFFFE, 4); }) ==
        member + "267 bytes cannot inflate to the stated 4294967294");
  CHECK(error_after(false, [](Archive& a) { a.set(a.directory + 42, 0xFFFFFFFE, 4); }) ==
        member + "is not within the archive");
  CHECK(error_after(false, [](Archive& a) { a.set(a.directory + 42, 1, 4); }) ==
        member + "its local header is not where the directory says");
  CHECK(error_after(false, [](Archive& a) { a.set(26, 0xFFFF, 2); }) == member + "is not within the archive");
  CHECK(error_after(false, [](Archive& a) { a.set(28, 0xFFFF, 2); }) == member + "is not within the archive");
  const std::string differ = member + "its local header and the directory differ";
  CHECK(error_after(false, [](Archive& a) { a.set(8, 8, 2); }) == differ);
  CHECK(error_after(false, [](Archive& a) { a.set(30, 'b', 1); }) == differ);
  CHECK(error_after(false, [](Archive& a) { a.set(26, 4, 2); }) == differ);
  CHECK(error_after(false, [](Archive& a) { a.set(14, 0, 4); }) == differ);
  CHECK(error_after(false, [](Archive& a) { a.set(22, 0, 4); }) == differ);
  const auto with_extra = [](const std::string& extra) {
    return error_after(false, [&](Archive& a) {
      a.set(a.directory + 24, 0xFFFFFFFF, 4);
      a.set(a.directory + 30, extra.size(), 2);
      a.set(a.end + 12, a.end - a.directory + extra.size(), 4);
      a.bytes.insert(a.end, extra);
    });
  };
  CHECK(with_extra(std::string("\1\0\4\0\x10\2\0\0", 8)) == member + "its zip64 sizes are cut off");
  CHECK(with_extra(std::string("\1\0\x8\0\x10\2\0\0\0\0\0\0", 12)) == "(wrong start) (no error)");
  CHECK(with_extra(std::string("\1\0\x8\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12)) ==
        member + "two sizes of stored bytes: 528 and 18446744073709551615");
}

TEST_CASE("load_npz: damaged bytes, and members that inflate to another size") {
  const std::string member = "member 'a.npy': ";
  CHECK_THAT(error_after(false, [](Archive& a) { a.bytes[a.directory - 1] ^= 1; }),
             tests::contains_text(member + "its bytes are damaged: CRC "));
  CHECK_THAT(error_after(true,
                         [](Archive& a) {
                           a.set(a.directory + 16, 0, 4);
                           a.set(14, 0, 4);
                         }),
             tests::contains_text(member + "its bytes are damaged: CRC "));
  const auto with_size = [](int change) {  // of the inflated bytes, and of the array
    return error_after(true, [&](Archive& a) {
      const uint64_t size = number_at(a.bytes, a.directory + 24, 4) + static_cast<uint64_t>(change);
      a.set(a.directory + 24, size, 4);
      a.set(22, size, 4);
    });
  };
  CHECK(with_size(4) == member + "bytes after the array: [100] elements of 4 bytes take 400, got 404");
  CHECK(with_size(-4) ==
        member + "the file is cut off, or its header is wrong: [100] elements of 4 bytes take 400, got 396");
  // The header and the stated size are those of `said` elements, the deflated bytes those of 100, and `behind` follows.
  const auto inflated = [](int64_t said, const std::string& behind) {
    Archive archive(true);
    {
      const Tensor hundred = arange(100);
      detail::ReplaceFile file(archive.folder / "x.npz");
      detail::ZipWriter writer(file);
      writer.add("a.npy", detail::npy_header(arange(said)), hundred.raw_data(), 400, true);
      writer.finish();
      file.commit();
    }
    archive.bytes = tests::read_file(archive.folder / "x.npz");
    archive.end = archive.bytes.size() - 22 + behind.size();
    archive.directory = number_at(archive.bytes, archive.bytes.size() - 6, 4) + behind.size();
    archive.bytes.insert(archive.directory - behind.size(), behind);
    archive.set(archive.end + 16, archive.directory, 4);
    const uint64_t packed = archive.directory - 35, size = 128 + 4 * static_cast<uint64_t>(said);
    for (const size_t at : {size_t{18}, archive.directory + 20}) archive.set(at, packed, 4);
    for (const size_t at : {size_t{22}, archive.directory + 24}) archive.set(at, size, 4);
    return archive.error();
  };
  CHECK(inflated(100, "") == "(wrong start) (no error)");
  CHECK(inflated(99, "") == member + "its bytes inflate to more than the stated size");
  CHECK(inflated(0, "") == member + "its bytes inflate to more than the stated size");
  CHECK(inflated(101, "") == member + "its bytes inflate to less than the stated size");
  CHECK(inflated(100, "x") == member + "there are bytes after its deflated ones");
  CHECK(inflated(100, std::string(40'000, 'x')) == member + "there are bytes after its deflated ones");
  CHECK_THAT(error_after(true, [](Archive& a) { a.bytes[a.directory - 3] ^= '\x55'; }), tests::contains_text(member));
  CHECK(error_after(true, [](Archive& a) { a.bytes[35] = '\7'; }) ==
        member + "its deflated bytes are damaged or cut off");
}

TEST_CASE("load_npz: members that share bytes, or a name") {
  const auto two = [] { return Archive(false, {{"a", ones({3})}, {"b", ones({3})}}); };
  const Archive right = two();
  const size_t second = right.bytes.find("PK\1\2", right.directory + 4);
  REQUIRE(second != std::string::npos);
  Archive shared = two();
  // The second entry of the directory is that of the first member.
  shared.bytes.replace(second, second - shared.directory, shared.bytes, shared.directory, second - shared.directory);
  REQUIRE(shared.bytes.size() == right.bytes.size());
  CHECK(shared.error() == "members 'a.npy' and 'a.npy' share bytes");
  Archive named = two();
  named.bytes[second + 46] = 'a';
  named.bytes[number_at(named.bytes, second + 42, 4) + 30] = 'a';
  CHECK(named.error() == "two members are named 'a.npy'");
}

}  // namespace gradus
