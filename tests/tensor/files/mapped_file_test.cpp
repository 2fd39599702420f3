// SPDX-License-Identifier: MIT
// Tensors that share the bytes of their file.
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <gradus/tensor/files/input_file.hpp>
#include <gradus/tensor/files/numpy.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/random/random.hpp>

#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

namespace gradus {
namespace {

using tests::error_text;
using tests::read_file;
using tests::TemporaryFolder;
using tests::write_file;

std::vector<NamedTensor> some_tensors() {
  Generator generator(1);
  return {{"f64", normal({3, 700}, generator, {.dtype = DType::f64})},
          {"i64", randint({50}, generator, {.low = 0, .high = 9})},
          {"f32", normal({2000}, generator)},
          {"bool", bernoulli({9}, generator, 0.5)}};
}

// Changes each element in place, by each function that does.
void change_in_place(Tensor& x) {
  if (is_floating(x.dtype())) {
    x.add_(ones_like(x));
    x.scale_(3.0);
  }
  x.slice(0, 0, 1).copy_(zeros_like(x.slice(0, 0, 1)));
  if (x.dtype() == DType::f32) x.mutable_data_<float>()[1] = 77.0f;
  x.fill_(1.0);
}

}  // namespace

TEST_CASE("a mapped tensor is changed in place, and its file is not") {
  const TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  const std::vector<NamedTensor> saved = some_tensors();
  save_safetensors(path, saved);
  const std::string before = read_file(path);
  SafetensorsFile first = load_safetensors(path);
  const SafetensorsFile second = load_safetensors(path);
  REQUIRE(first.tensors.size() == saved.size());
  for (size_t i = 0; i < saved.size(); ++i) {
    INFO(saved[i].name);
    Tensor& value = first.tensors[i].value;
    CHECK(bitwise_equal(value, saved[i].value));
    CHECK(!value.is_unique());  // its bytes are borrowed
    change_in_place(value);
    CHECK(bitwise_equal(value, full_like(value, 1.0)));
    CHECK(bitwise_equal(second.tensors[i].value, saved[i].value));
  }
  CHECK(read_file(path) == before);
  const SafetensorsFile third = load_safetensors(path);
  for (size_t i = 0; i < saved.size(); ++i) CHECK(bitwise_equal(third.tensors[i].value, saved[i].value));
}

TEST_CASE("a mapped tensor keeps its numbers when its file is replaced or removed") {
  const TemporaryFolder folder;
  const std::string path = folder / "model.safetensors";
  Generator generator(2);
  const Tensor large = normal({300, 1000}, generator);
  save_safetensors(path, {{"large", large}});
  // No page of it has been read when the file is replaced, by a shorter one.
  const Tensor mapped = load_safetensors(path).tensors[0].value;
  save_safetensors(path, {{"large", zeros({2})}});
  CHECK(bitwise_equal(mapped, large));
  CHECK(load_safetensors(path).tensors[0].value.shape() == Shape{2});
  // A file that is replaced by what was loaded from it.
  save_safetensors(path, {{"large", large}});
  SafetensorsFile file = load_safetensors(path);
  file.tensors[0].value.scale_(2.0);
  save_safetensors(path, file.tensors);
  const Tensor twice = load_safetensors(path).tensors[0].value;
  CHECK(bitwise_equal(twice, file.tensors[0].value));
  REQUIRE(::unlink(path.c_str()) == 0);
  CHECK(bitwise_equal(twice, file.tensors[0].value));
}

TEST_CASE("without map, and where the bytes are not aligned, elements are copied") {
  const TemporaryFolder folder;
  const std::string path = folder / "x";
  save_safetensors(path, some_tensors());
  for (const NamedTensor& tensor : load_safetensors(path, {.map = false}).tensors) CHECK(tensor.value.is_unique());
  // A header of an odd length, as other programs may write it.
  const std::string header = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} )";
  REQUIRE(header.size() % 4 != 0);
  std::string bytes(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  write_file(path, bytes + header + std::string("\0\0\x80\x3F\0\0\0\x40", 8));
  const Tensor a = load_safetensors(path).tensors[0].value;
  CHECK(a.is_unique());
  CHECK(a.at({0}) == 1.0);
  CHECK(a.at({1}) == 2.0);
}

TEST_CASE("the arrays of .npy and stored .npz files are mapped too") {
  const TemporaryFolder folder;
  const std::vector<NamedTensor> saved = some_tensors();
  save_npz(folder / "stored.npz", saved);
  const std::string before = read_file(folder / "stored.npz");
  NpzFile file = load_npz(folder / "stored.npz");
  for (size_t i = 0; i < saved.size(); ++i) {
    INFO(saved[i].name);
    CHECK(bitwise_equal(file.tensors[i].value, saved[i].value));
    CHECK(!file.tensors[i].value.is_unique());
    change_in_place(file.tensors[i].value);
  }
  CHECK(read_file(folder / "stored.npz") == before);
  for (const NamedTensor& tensor : load_npz(folder / "stored.npz", {.map = false}).tensors) {
    CHECK(tensor.value.is_unique());
  }
  save_npy(folder / "x.npy", saved[0].value);
  CHECK(!load_npy(folder / "x.npy").is_unique());
  CHECK(load_npy(folder / "x.npy", {.map = false}).is_unique());
}

TEST_CASE("a file that becomes shorter while it is copied is an error") {
  const TemporaryFolder folder;
  write_file(folder / "x", "0123456789");
  const detail::InputFile file(folder / "x");
  write_file(folder / "x", "0123");
  char bytes[10];
  CHECK(error_text([&] {
          return detail::with_file_errors("load", "x", [&] {
            file.read(bytes, 10, 0);
            return 0;
          });
        }) == "[load] x: the file became shorter while it was read");
}

}  // namespace gradus
