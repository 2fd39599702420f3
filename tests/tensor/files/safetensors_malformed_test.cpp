// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <gradus/tensor/files/safetensors.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/random_numbers.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_folder.hpp"

namespace gradus {
namespace {

using tests::error_text;
using tests::TemporaryFolder;
using tests::write_file;

std::string with_length(uint64_t length, const std::string& rest) {
  std::string out(8, '\0');
  std::memcpy(out.data(), &length, 8);
  return out + rest;
}

// The error of a file with this header and this number of zero bytes, without "[load_safetensors] <path>: ".
std::string header_error(const std::string& header, size_t data_bytes = 0) {
  const TemporaryFolder folder;
  write_file(folder / "x", with_length(header.size(), header + std::string(data_bytes, '\0')));
  const std::string start = "[load_safetensors] " + (folder / "x") + ": ";
  const std::string text = error_text([&] { return load_safetensors(folder / "x"); });
  if (text.compare(0, start.size(), start) != 0) return "(wrong start) " + text;
  return text.substr(start.size());
}

std::string file_error(const std::string& bytes) {
  const TemporaryFolder folder;
  write_file(folder / "x", bytes);
  const std::string start = "[load_safetensors] " + (folder / "x") + ": ";
  const std::string text = error_text([&] { return load_safetensors(folder / "x"); });
  return text.compare(0, start.size(), start) == 0 ? text.substr(start.size()) : "(wrong start) " + text;
}

}  // namespace

TEST_CASE("load_safetensors: files that cannot be opened") {
  const TemporaryFolder folder;
  CHECK(error_text([&] { return load_safetensors(folder / "missing"); }) ==
        "[load_safetensors] " + (folder / "missing") + ": cannot open the file: No such file or directory");
  CHECK(error_text([&] { return load_safetensors(folder.path()); }) ==
        "[load_safetensors] " + folder.path() + ": this is no regular file");
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(error_text([&] { return load_safetensors(folder / "pipe"); }) ==
        "[load_safetensors] " + (folder / "pipe") + ": this is no regular file");
}

TEST_CASE("load_safetensors: wrong lengths of the header") {
  CHECK(file_error("") == "the file is empty: expected a safetensors file");
  CHECK(file_error("1234567") ==
        "this is no safetensors file, or it is cut off: expected a header length of 8 bytes, the file has 7");
  CHECK(file_error(with_length(3, "{}")) == "the file is cut off: its header takes 3 bytes, and 2 follow its length");
  CHECK(file_error(with_length(100000001, "{}")) ==
        "this is no safetensors file: expected a header of at most 100000000 bytes, its first 8 bytes say 100000001");
  CHECK(file_error(with_length(UINT64_MAX, "{}")) ==
        "this is no safetensors file: expected a header of at most 100000000 bytes, its first 8 bytes say "
        "18446744073709551615");
  CHECK(file_error(with_length(UINT64_MAX - 7, "{}")) ==
        "this is no safetensors file: expected a header of at most 100000000 bytes, its first 8 bytes say "
        "18446744073709551608");
  CHECK(file_error(with_length(0, "")) == "the header is not JSON");
}

TEST_CASE("load_safetensors: headers that are no JSON object of objects") {
  CHECK(header_error("") == "the header is not JSON");
  CHECK(header_error("{") == "the header is not JSON");
  CHECK(header_error("{} {}") == "the header is not JSON");
  CHECK(header_error("{\"a\xFF\": 1}") == "the header is not JSON");
  CHECK(header_error(std::string("{}\0", 3)) == "the header is not JSON");
  CHECK(header_error("3") == "the header is not a JSON object");
  CHECK(header_error("null") == "the header is not a JSON object");
  CHECK(header_error("[{\"a\": 1}]") == "the header is not a JSON object");
  CHECK(header_error("{\"a\": [[{\"b\": 1}]]}") == "the header is nested too deeply");
  CHECK(header_error(std::string(1000000, '[')) == "the header is not a JSON object");
  CHECK(header_error("{\"a\":" + std::string(1000000, '[')) == "the header is nested too deeply");
  std::string nested;
  for (int i = 0; i < 100000; ++i) nested += "{\"a\":";
  CHECK(header_error(nested) == "the header is nested too deeply");
  const std::string expected = "tensor 'a': expected an object of dtype, shape and data_offsets";
  CHECK(header_error(R"({"a": 1})") == expected);
  CHECK(header_error(R"({"a": {}})") == expected);
  CHECK(header_error(R"({"a": {"dtype": "F32", "shape": []}})") == expected);
  CHECK(header_error(R"({"a": {"dtype": "F32", "shape": [], "offsets": [0, 4]}})", 4) == expected);
}

TEST_CASE("load_safetensors: names given twice") {
  const std::string a = R"("a":{"dtype":"F32","shape":[],"data_offsets":[0,4]})";
  CHECK(header_error("{" + a + "," + a + "}", 4) == "the header names 'a' twice");
  CHECK(header_error(R"({"":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"":{}})", 4) ==
        "the header names '' twice");
  CHECK(header_error(R"({"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4) ==
        "the header names 'dtype' twice");
  CHECK(header_error(R"({"__metadata__":{"k":"1","k":"2"}})") == "the header names 'k' twice");
  CHECK(header_error(R"({"__metadata__":{},"__metadata__":{}})") == "the header names '__metadata__' twice");
  CHECK(header_error("{\"" + std::string(300, 'n') + "\": 1}") ==
        "tensor '" + std::string(80, 'n') + "...': expected an object of dtype, shape and data_offsets");
}

TEST_CASE("load_safetensors: wrong metadata") {
  CHECK(header_error(R"({"__metadata__": 3})") == "__metadata__ is not an object");
  CHECK(header_error(R"({"__metadata__": ["a"]})") == "__metadata__ is not an object");
  CHECK(header_error(R"({"__metadata__": {"a": 3}})") == "__metadata__: the value of 'a' is not a string");
  CHECK(header_error(R"({"__metadata__": {"a": {"b": "c"}}})") == "__metadata__: the value of 'a' is not a string");
}

TEST_CASE("load_safetensors: wrong dtypes and shapes") {
  const auto error_of = [](const std::string& dtype, const std::string& shape, size_t bytes) {
    return header_error(
        "{\"a\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":[0," + std::to_string(bytes) + "]}}",
        bytes);
  };
  const std::string integers = "tensor 'a': shape holds something that is no integer from 0 to 2^64 - 1";
  const std::string unknown = "tensor 'a': unknown dtype: expected one of the format, such as F32, BF16 or I64, got ";
  CHECK(error_of("\"I128\"", "[1]", 4) == unknown + "'I128'");
  CHECK(error_of("\"f32\"", "[1]", 4) == unknown + "'f32'");
  CHECK(error_of("32", "[1]", 4) == "tensor 'a': dtype is not a string");
  CHECK(error_of("\"F32\"", "1", 4) == "tensor 'a': shape is not an array");
  CHECK(error_of("\"F32\"", "[-1]", 4) == integers);
  CHECK(error_of("\"F32\"", "[1.0]", 4) == integers);
  CHECK(error_of("\"F32\"", "[\"1\"]", 4) == integers);
  CHECK(error_of("\"F32\"", "[18446744073709551616]", 4) == integers);
  CHECK(error_of("\"F32\"", "[18446744073709551615]", 4) ==
        "tensor 'a': shape: size 18446744073709551615 is too large");
  CHECK(error_of("\"F32\"", "[4294967296, 4294967296]", 0) ==
        "tensor 'a': [shape] too many elements for 64-bit addressing: [4294967296, 4294967296]");
  CHECK(error_of("\"F32\"", "[2305843009213693952, 2]", 0) ==
        "tensor 'a': [shape] too many elements for 64-bit addressing: [2305843009213693952, 2]");
  CHECK(error_of("\"F32\"", "[1,1,1,1,1,1,1,1,1]", 4) ==
        "tensor 'a': [shape] rank too large: expected at most 8 axes, got 9");
  CHECK(error_of("\"F32\"", "[2]", 4) ==
        "tensor 'a': wrong number of bytes: F32 [2] takes 8, data_offsets [0, 4] hold 4");
  CHECK(error_of("\"F32\"", "[]", 0) ==
        "tensor 'a': wrong number of bytes: F32 [] takes 4, data_offsets [0, 0] hold 0");
  CHECK(error_of("\"F16\"", "[3]", 12) ==
        "tensor 'a': wrong number of bytes: F16 [3] takes 6, data_offsets [0, 12] hold 12");
  CHECK(error_of("\"F4\"", "[3]", 2) == "tensor 'a': F4 [3] does not fill whole bytes");
  CHECK(error_of("\"F6_E2M3\"", "[4]", 4) ==
        "tensor 'a': wrong number of bytes: F6_E2M3 [4] takes 3, data_offsets [0, 4] hold 4");
}

TEST_CASE("load_safetensors: wrong offsets") {
  const auto entry = [](const std::string& name, const std::string& offsets) {
    return "\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":" + offsets + "}";
  };
  const auto error_of = [&](const std::string& offsets, size_t bytes) {
    return header_error("{" + entry("a", offsets) + "}", bytes);
  };
  const auto error_of_two = [&](const std::string& a, const std::string& b, size_t bytes) {
    return header_error("{" + entry("a", a) + "," + entry("b", b) + "}", bytes);
  };
  CHECK(error_of("[0,8]", 4) ==
        "tensor 'a': the file is cut off, or data_offsets out of range: expected begin <= end <= 4, got [0, 8]");
  CHECK(error_of("[4,0]", 4) == "tensor 'a': data_offsets out of range: expected begin <= end <= 4, got [4, 0]");
  CHECK(error_of("[18446744073709551612,0]", 4) ==
        "tensor 'a': data_offsets out of range: expected begin <= end <= 4, got [18446744073709551612, 0]");
  CHECK(error_of("[0]", 4) == "tensor 'a': expected two data_offsets, got 1");
  CHECK(error_of("[0,4,8]", 8) == "tensor 'a': expected two data_offsets, got 3");
  CHECK(error_of("{}", 4) == "tensor 'a': data_offsets is not an array");
  CHECK(error_of("[0,-4]", 4) == "tensor 'a': data_offsets holds something that is no integer from 0 to 2^64 - 1");
  CHECK(error_of("[4,8]", 8) ==
        "tensor 'a': bytes before it belong to no tensor: expected data_offsets to begin at 0, got 4");
  CHECK(error_of("[0,4]", 9) == "bytes at the end belong to no tensor: the last one ends at 4, the data at 9");
  CHECK(error_of_two("[0,4]", "[0,4]", 4) ==
        "tensor 'b': overlaps the one before it: expected data_offsets to begin at 4, got 0");
  CHECK(error_of_two("[2,6]", "[0,4]", 6) ==
        "tensor 'a': overlaps the one before it: expected data_offsets to begin at 4, got 2");
  CHECK(error_of_two("[0,4]", "[8,12]", 12) ==
        "tensor 'b': bytes before it belong to no tensor: expected data_offsets to begin at 4, got 8");
  CHECK(header_error("{}", 1) == "bytes at the end belong to no tensor: the last one ends at 0, the data at 1");
}

TEST_CASE("load_safetensors: a bool is 0 or 1") {
  const std::string header = R"({"a":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}})";
  CHECK(file_error(with_length(header.size(), header + std::string("\1\0\2", 3))) ==
        "tensor 'a': expected bool bytes 0 or 1, got 2");
}

namespace {

// Makes one random change to a file: a byte, a cut, a repeated or swapped piece, another digit or length.
std::string mutated(tests::RandomNumbers& random, std::string bytes) {
  const auto position = [&](size_t limit) {
    return static_cast<size_t>(random.integer(0, static_cast<int64_t>(limit) - 1));
  };
  switch (random.integer(0, 7)) {
    case 0:
      bytes[position(bytes.size())] = static_cast<char>(random.integer(0, 255));
      break;
    case 1:
      bytes.resize(position(bytes.size()));
      break;
    case 2:
      bytes.insert(position(bytes.size()), bytes, position(bytes.size()), static_cast<size_t>(random.integer(1, 40)));
      break;
    case 3:
      bytes.erase(position(bytes.size()), static_cast<size_t>(random.integer(1, 40)));
      break;
    case 4: {
      const size_t at = bytes.find_first_of("0123456789", position(bytes.size()));
      if (at != std::string::npos)
        bytes.replace(at, 1, std::to_string(random.integer(0, INT64_MAX) >> random.integer(0, 63)));
      break;
    }
    case 5:
      bytes[position(8)] = static_cast<char>(random.integer(0, 255));
      break;
    case 6:
      std::swap(bytes[position(bytes.size())], bytes[position(bytes.size())]);
      break;
    default: {
      constexpr const char* kPieces[] = {"{", "}", "[", "]", "\"", ",", ":", "null", "1e9", "\"a\"", "-", "\\u0000"};
      bytes.insert(position(bytes.size()), kPieces[random.integer(0, 11)]);
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("load_safetensors: any change to a valid file gives tensors or an error, never anything else") {
  const uint64_t seed = tests::seed(61);
  INFO("seed " << seed);
  const TemporaryFolder folder;
  save_safetensors(folder / "valid",
                   {{"first", arange(6).reshape({2, 3})},
                    {"second.weight", ones({4}, {.dtype = DType::boolean})},
                    {"third", arange(3, {.dtype = DType::i64})},
                    {"none", zeros({0, 2}, {.dtype = DType::f64})}},
                   {{"format", "gradus"}, {"step", "12"}});
  const std::string valid = tests::read_file(folder / "valid");
  const std::string path = folder / "changed";
  const std::string start = "[load_safetensors] " + path + ": ";
  tests::RandomNumbers random(seed);
  int loaded = 0;
  int refused = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string bytes = valid;
    for (int64_t changes = random.integer(1, 3); changes > 0; --changes) {
      if (bytes.size() > 8) bytes = mutated(random, bytes);
    }
    tests::write_new_file(path, bytes);
    INFO("round " << round);
    try {
      size_t total = 0;
      for (const NamedTensor& tensor : load_safetensors(path).tensors) {
        total += static_cast<size_t>(tensor.value.numel());
        to_string(tensor.value);
      }
      REQUIRE(total <= bytes.size());
      ++loaded;
    } catch (const Error& error) {
      REQUIRE(std::string(error.what()).compare(0, start.size(), start) == 0);
      ++refused;
    }
  }
  // When a change hits a number of a tensor or a letter of a name, the file stays valid (130 of 6000).
  CHECK(loaded > 50);
  CHECK(refused > 3000);
}

}  // namespace gradus
