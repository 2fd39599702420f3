// SPDX-License-Identifier: MIT
#include <sys/stat.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/random/random.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/support/write_limits.hpp"

namespace gradus {
namespace {

using tests::error_text;
using tests::FileSizeLimit;
using tests::read_file;
using tests::TemporaryFolder;
using tests::write_file;

std::string file_bytes(const std::string& header, const std::string& data) {
  std::string length(8, '\0');
  const uint64_t count = header.size();
  std::memcpy(length.data(), &count, 8);
  return length + header + data;
}

int64_t files_in(const TemporaryFolder& folder) {
  const std::filesystem::directory_iterator files(folder.path());
  return std::distance(begin(files), end(files));
}

}  // namespace

TEST_CASE("safetensors: what was saved is loaded, bit by bit and in order") {
  const TemporaryFolder folder;
  Generator generator(1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<NamedTensor> saved = {
      {"mask", bernoulli({3, 5}, generator, 0.5)},
      {"encoder.weight", normal({4, 6}, generator)},
      {"", scalar(1.5)},
      {"tokens", randint({7}, generator, {.low = INT64_MIN, .high = INT64_MAX})},
      {"empty", zeros({2, 0, 3}, {.dtype = DType::f64})},
      {"wide", normal({1, 1, 2, 1, 1, 1, 1, 3}, generator, {.dtype = DType::f64})},
      {"special", Tensor::from({nan, -0.0, HUGE_VAL, 5e-324}, {4}, {.dtype = DType::f64})},
      {"transposed", normal({3, 4}, generator).transpose(0, 1)},
      {"expanded", normal({1, 4}, generator).expand({3, 4})},
      {"quote \" and \\ and \xC3\xA9\n", ones({1})},
      {"no elements", zeros({0})},
  };
  const std::vector<std::pair<std::string, std::string>> metadata = {
      {"z", "last first"}, {"a", "{\"x\": 1}"}, {"", ""}};
  save_safetensors(folder / "model.safetensors", saved, metadata);
  const SafetensorsFile loaded = load_safetensors(folder / "model.safetensors");
  REQUIRE(loaded.tensors.size() == saved.size());
  for (size_t i = 0; i < saved.size(); ++i) {
    INFO(saved[i].name);
    CHECK(loaded.tensors[i].name == saved[i].name);
    CHECK(bitwise_equal(loaded.tensors[i].value, saved[i].value));
    CHECK(loaded.tensors[i].value.is_contiguous());
  }
  CHECK(loaded.metadata == metadata);
  CHECK(files_in(folder) == 1);
}

TEST_CASE("safetensors: a file without tensors") {
  const TemporaryFolder folder;
  save_safetensors(folder / "none", {});
  CHECK(read_file(folder / "none") == file_bytes("{}      ", ""));
  const SafetensorsFile loaded = load_safetensors(folder / "none");
  CHECK(loaded.tensors.empty());
  CHECK(loaded.metadata.empty());
}

TEST_CASE("safetensors: the bytes on disk are the format's, every tensor aligned to its element") {
  const TemporaryFolder folder;
  const std::vector<NamedTensor> tensors = {{"b", Tensor::from({1, 0, 1}, {3}, {.dtype = DType::boolean})},
                                            {"i", Tensor::from({-1}, {}, {.dtype = DType::i64})},
                                            {"f", Tensor::from({1, -2}, {1, 2})}};
  save_safetensors(folder / "x", tensors, {{"k", "v"}});
  std::string header =
      R"({"__metadata__":{"k":"v"},"b":{"dtype":"BOOL","shape":[3],"data_offsets":[16,19]},)"
      R"("i":{"dtype":"I64","shape":[],"data_offsets":[0,8]},"f":{"dtype":"F32","shape":[1,2],"data_offsets":[8,16]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::string data("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\0\0\x80\x3F\0\0\0\xC0\1\0\1", 19);
  CHECK(read_file(folder / "x") == file_bytes(header, data));
}

TEST_CASE("safetensors: files of other writers: spaces, other orders, escapes, no padding") {
  const TemporaryFolder folder;
  const std::string header =
      R"( {"second" : {"shape":[1], "data_offsets":[4, 8], "dtype":"F32"},
          "f\u00e9": {"dtype":"F32","shape":[],"data_offsets":[0,4]} }  )";
  write_file(folder / "x", file_bytes(header, std::string("\0\0\x80\x3F\0\0\0\x40", 8)));
  const SafetensorsFile loaded = load_safetensors(folder / "x");
  REQUIRE(loaded.tensors.size() == 2);
  CHECK(loaded.tensors[0].name == "second");
  CHECK(loaded.tensors[0].value.item<float>() == 2.0f);
  CHECK(loaded.tensors[1].name == "f\xC3\xA9");
  CHECK(loaded.tensors[1].value.item<float>() == 1.0f);
}

TEST_CASE("safetensors: F16 and BF16 become f32, each of the 65536 patterns exactly") {
  const TemporaryFolder folder;
  std::string patterns;
  for (uint32_t i = 0; i < 65536; ++i) {
    patterns += static_cast<char>(i & 0xFF);
    patterns += static_cast<char>(i >> 8);
  }
  const std::string header = R"({"h":{"dtype":"F16","shape":[65536],"data_offsets":[0,131072]},)"
                             R"("b":{"dtype":"BF16","shape":[256,256],"data_offsets":[131072,262144]}})";
  write_file(folder / "x", file_bytes(header, patterns + patterns));
  const SafetensorsFile loaded = load_safetensors(folder / "x");
  const Tensor& half = loaded.tensors[0].value;
  const Tensor& brain = loaded.tensors[1].value;
  REQUIRE(describe(half) == "f32 [65536]");
  REQUIRE(describe(brain) == "f32 [256, 256]");
  for (uint32_t i = 0; i < 65536; ++i) {
    const uint32_t exponent = i >> 10 & 31;
    const uint32_t mantissa = i & 1023;
    const float value = half.data<float>()[i];
    REQUIRE(std::signbit(value) == (i >= 32768));
    if (exponent == 31) {
      REQUIRE((mantissa == 0 ? std::isinf(value) : std::isnan(value)));
    } else {
      const double expected =
          exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, static_cast<int>(exponent) - 25);
      REQUIRE(std::fabs(static_cast<double>(value)) == expected);
    }
    REQUIRE(std::bit_cast<uint32_t>(brain.data<float>()[i]) == i << 16);
  }
}

TEST_CASE("save_safetensors: wrong names and tensors are refused before anything is written") {
  const TemporaryFolder folder;
  const std::string path = folder / "x";
  const Tensor x = ones({1});
  const std::string start = "[save_safetensors] " + path + ": ";
  CHECK(error_text([&] {
          return save_safetensors(path, {{"a", x}, {"b", x}, {"a", x}});
        }) == start + "two tensors are named 'a'");
  CHECK(error_text([&] {
          return save_safetensors(path, {{"__metadata__", x}});
        }) == start + "a tensor cannot be named '__metadata__'");
  CHECK(error_text([&] {
          return save_safetensors(path, {{"a", Tensor()}});
        }) == start + "there is no tensor under the name 'a'");
  CHECK(error_text([&] {
          return save_safetensors(path, {{"a", x}}, {{"k", "1"}, {"k", "2"}});
        }) == start + "the metadata name 'k' twice");
  const std::string text = start + "a name or a text of the metadata is not UTF-8";
  CHECK(error_text([&] { return save_safetensors(path, {{"\xFF", x}}); }) == text);
  CHECK(error_text([&] { return save_safetensors(path, {{"a", x}}, {{"k", "\xC3"}}); }) == text);
  CHECK(files_in(folder) == 0);
}

TEST_CASE("save_safetensors: a file that cannot be written is an error with the system's reason") {
  const TemporaryFolder folder;
  const std::vector<NamedTensor> tensors = {{"a", ones({3})}};
  CHECK(error_text([&] { return save_safetensors(folder / "no/such/folder/x", tensors); }) ==
        "[save_safetensors] " + (folder / "no/such/folder/x") + ": cannot write the file: No such file or directory");
  ::mkdir((folder / "directory").c_str(), 0777);
  CHECK(error_text([&] { return save_safetensors(folder / "directory", tensors); }) ==
        "[save_safetensors] " + (folder / "directory") + ": cannot write the file: Is a directory");
  CHECK_THROWS_AS(save_safetensors("", tensors), Error);
  CHECK(files_in(folder) == 1);
}

TEST_CASE("save_safetensors: a failed save leaves the old file as it was, and no other file") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  save_safetensors(path, {{"a", full({3}, 7.0)}});
  const std::string before = read_file(path);
  {
    const FileSizeLimit limit(4096);
    CHECK(error_text([&] {
            return save_safetensors(path, {{"a", ones({100, 100})}});
          }) == "[save_safetensors] " + path + ": cannot write the file: File too large");
  }
  CHECK(read_file(path) == before);
  CHECK(files_in(folder) == 1);
  save_safetensors(path, {{"a", ones({100, 100})}});
  CHECK(load_safetensors(path).tensors[0].value.numel() == 10000);
}

TEST_CASE("save_safetensors: who has the old file open keeps reading the old bytes") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  save_safetensors(path, {{"a", full({2}, 1.0)}});
  const std::string before = read_file(path);
  std::ifstream reader(path, std::ios::binary);
  save_safetensors(path, {{"b", full({2}, 2.0)}});
  const std::string seen{std::istreambuf_iterator<char>(reader), std::istreambuf_iterator<char>()};
  CHECK(seen == before);
  CHECK(load_safetensors(path).tensors[0].name == "b");
}

TEST_CASE("save_safetensors: two threads that save to one path leave one whole file") {
  const TemporaryFolder folder;
  const std::string path = folder / "model";
  const auto save = [&path](double value) {
    for (int i = 0; i < 20; ++i) save_safetensors(path, {{"a", full({1000}, value)}});
  };
  std::thread other(save, 1.0);
  save(2.0);
  other.join();
  const Tensor a = load_safetensors(path).tensors.at(0).value;
  CHECK((bitwise_equal(a, ones({1000})) || bitwise_equal(a, full({1000}, 2.0))));
  CHECK(files_in(folder) == 1);
}

}  // namespace gradus
