// SPDX-License-Identifier: MIT
// The cost of reading grows linearly with the size of the file. Measures allocated bytes, and time with a wide margin.
#include <chrono>
#include <cstring>
#include <string>

#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/files/safetensors_header.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

namespace gradus {
namespace {

using detail::parse_safetensors_header;
using tests::error_text;
using tests::TemporaryFolder;
using tests::write_file;

double seconds_of(const auto& call) {
  const auto begin = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

std::string entry(const std::string& name, size_t begin) {
  return "\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[" + std::to_string(begin) + "," +
         std::to_string(begin + 4) + "]}";
}

std::string header_of(size_t tensors, const std::string& prefix) {
  std::string text = "{";
  for (size_t i = 0; i < tensors; ++i) {
    if (i > 0) text += ",";
    text += entry(prefix + std::to_string(i), 4 * i);
  }
  return text + "}";
}

std::string file_of(const std::string& header, size_t data_bytes) {
  std::string out(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(out.data(), &length, 8);
  return out + header + std::string(data_bytes, '\0');
}

}  // namespace

TEST_CASE("load_safetensors: 40,000 tensors take well under a second") {
  constexpr size_t kTensors = 40'000;
  const TemporaryFolder folder;
  write_file(folder / "many", file_of(header_of(kTensors, "layer."), 4 * kTensors));
  SafetensorsFile file;
  // Measured: 0.05 s, or ten times as much under a sanitizer. A parser that is quadratic in the number of tensors takes
  // 41 s.
  CHECK(seconds_of([&] { file = load_safetensors(folder / "many"); }) < 3.0);
  REQUIRE(file.tensors.size() == kTensors);
  CHECK(file.tensors[39'999].name == "layer.39999");
  CHECK(file.tensors[39'999].value.shape() == Shape{1});
}

TEST_CASE("load_safetensors: hostile headers take no longer") {
  constexpr size_t kTensors = 40'000;
  // All names have the same first 200 bytes.
  const std::string prefix(200, 'p');
  CHECK(seconds_of(
            [&] { CHECK(parse_safetensors_header(header_of(kTensors, prefix), 4 * kTensors).problem.empty()); }) < 3.0);
  // The last name occurs twice.
  std::string twice = header_of(kTensors, "t");
  twice.back() = ',';
  twice += entry("t39999", 0) + "}";
  CHECK(seconds_of([&] {
          CHECK(parse_safetensors_header(twice, 4 * kTensors).problem == "the header names 't39999' twice");
        }) < 3.0);
  std::string metadata = "{\"__metadata__\":{";
  for (size_t i = 0; i < 200'000; ++i) metadata += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":\"v\"";
  CHECK(seconds_of([&] { CHECK(parse_safetensors_header(metadata + "}}", 0).metadata.size() == 200'000); }) < 3.0);
  CHECK(seconds_of([&] {
          CHECK(parse_safetensors_header(metadata + ",\"k0\":\"w\"}}", 0).problem == "the header names 'k0' twice");
        }) < 3.0);
  std::string keys = "{\"a\":{";
  for (size_t i = 0; i < 200'000; ++i) keys += (i > 0 ? ",\"k" : "\"k") + std::to_string(i) + "\":1";
  CHECK(seconds_of([&] {
          CHECK(parse_safetensors_header(keys + "}}", 0).problem ==
                "tensor 'a': expected an object of dtype, shape and data_offsets");
        }) < 3.0);
  std::string shape = "{\"a\":{\"dtype\":\"F32\",\"shape\":[1";
  for (size_t i = 1; i < 2'000'000; ++i) shape += ",1";
  CHECK(seconds_of([&] {
          CHECK(parse_safetensors_header(shape + "],\"data_offsets\":[0,4]}}", 4).problem ==
                "tensor 'a': [shape] rank too large: expected at most 8 axes, got 2000000");
        }) < 3.0);
}

TEST_CASE("load_safetensors: a header takes memory in proportion to its length") {
  constexpr size_t kTensors = 40'000;
  const std::string header = header_of(kTensors, "layer.");
  const detail::SafetensorsHeader parsed = parse_safetensors_header(header, 4 * kTensors);
  REQUIRE(parsed.problem.empty());
  // The memory that is kept: the growing vector has at most twice its size. Measured: 2.6 times the header.
  const size_t kept = parsed.entries.capacity() * sizeof(detail::HeaderEntry);
  CAPTURE(header.size(), kept);
  CHECK(kept < 4 * header.size());
}

TEST_CASE("load_safetensors: what is no such file, and what is cut off, say so by name") {
  const TemporaryFolder folder;
  const auto error_of = [&](const std::string& name, const std::string& bytes) {
    write_file(folder / name, bytes);
    const std::string text = error_text([&] { load_safetensors(folder / name); });
    const std::string start = "[load_safetensors] " + (folder / name) + ": ";
    return text.compare(0, start.size(), start) == 0 ? text.substr(start.size()) : "(wrong start) " + text;
  };
  CHECK(error_of("notes.txt", "These are no weights.\n") ==
        "this is no safetensors file: expected a header of at most 100000000 bytes, its first 8 bytes say "
        "8241904413164529748");
  CHECK(error_of("short.txt", "no\n") ==
        "this is no safetensors file, or it is cut off: expected a header length of 8 bytes, the file has 3");
  CHECK(error_of("empty", "") == "the file is empty: expected a safetensors file");
  const std::string whole = file_of(header_of(2, "t"), 8);
  for (size_t size = 1; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK_THAT(error_of("cut", whole.substr(0, size)), tests::contains_text("cut off"));
  }
  CHECK(load_safetensors([&] {
          write_file(folder / "whole", whole);
          return folder / "whole";
        }())
            .tensors.size() == 2);
}

}  // namespace gradus
