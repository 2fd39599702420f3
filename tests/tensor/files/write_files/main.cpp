// SPDX-License-Identifier: MIT
// write_files python|header FOLDER: writes files for tests in other programs. fixtures/arrays.py reads those for
// Python; c_header/compile.sh compiles the header.
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <gradus/tensor/files/numpy.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/random/random.hpp>

namespace gradus {
namespace {

void write_arrays(const std::string& folder) {
  using F32 = std::numeric_limits<float>;
  using F64 = std::numeric_limits<double>;
  const int64_t integers[] = {0, 1, 100, INT64_MIN, INT64_MAX, INT64_MAX - 1};
  const std::vector<NamedTensor> arrays = {
      {"f4", Tensor::from({0.0, -0.0, 1.5, F32::max(), F32::min(), F32::denorm_min()}, {2, 3})},
      {"f8", Tensor::from({0.0, -0.0, 1.5, F64::max(), F64::min(), F64::denorm_min()}, {2, 3}, {.dtype = DType::f64})},
      {"i8", Tensor::from<int64_t>(integers, {2, 3})},
      {"b1", Tensor::from({1, 0, 1, 0, 0, 1}, {2, 3}, {.dtype = DType::boolean})},
      {"scalar", scalar(2.5)},
      {"none", zeros({2, 0, 3})},
      {"encoder/weight \xC3\xA9", arange(1000)}};
  for (const NamedTensor& array : arrays) {
    if (array.name.find('/') == std::string::npos) save_npy(folder + array.name + ".npy", array.value);
  }
  save_npz(folder + "stored.npz", arrays);
  save_npz(folder + "compressed.npz", arrays, {.compress = true});
  std::vector<NamedTensor> many;
  for (int i = 0; i < 66'000; ++i) many.push_back({std::to_string(i), scalar(i)});
  save_npz(folder + "many.npz", many);
  // Numbers of every size, and those in the middle of two neighbours.
  Generator generator(1);
  const Tensor exponents = uniform({20'000}, generator, {.low = -45.0, .high = 45.0, .dtype = DType::f64});
  Tensor values = normal({20'000}, generator, {.dtype = DType::f64});
  double* value = values.mutable_data_<double>();
  for (int64_t i = 0; i < values.numel(); ++i) {
    value[i] *= std::exp2(exponents.data<double>()[i]);
    if (i % 2 == 0) value[i] = std::ldexp(std::round(value[i] * 4096.0), -12);
  }
  value[0] = std::nan("");
  value[1] = HUGE_VAL;
  save_safetensors(folder + "values.safetensors", {{"values", values}});
  const std::vector<NamedTensor> floats = {
      {"from_f32", values.to(DType::f32)}, {"from_f64", values}, {"count", arange(3, {.dtype = DType::i64})}};
  save_safetensors(folder + "f16.safetensors", floats, {}, {.floats = StoredFloats::f16});
  save_safetensors(folder + "bf16.safetensors", floats, {}, {.floats = StoredFloats::bf16});
}

void write_header(const std::string& folder) {
  Generator generator(1);
  const Tensor weight = uniform({3, 4}, generator, {.low = -0.5, .high = 0.5});
  const Tensor bias = uniform({3}, generator), x = uniform({4}, generator);
  Tensor y = bias.to(DType::f64).clone();
  for (int64_t row = 0; row < 3; ++row) {
    double sum = y.at({row});
    for (int64_t i = 0; i < 4; ++i) sum += weight.at({row, i}) * x.at({i});
    y.slice(0, row, row + 1).fill_(sum);
  }
  const int64_t whole[] = {INT64_MIN, 7};
  save_c_header(folder + "written.hpp",
                {{"linear.weight", weight},
                 {"linear.bias", bias},
                 {"wide", Tensor::from({0.1, 5e-324, -0x1.fffffffffffffp+1023}, {3}, {.dtype = DType::f64})},
                 {"whole", Tensor::from<int64_t>(whole, {2})},
                 {"flags", Tensor::from({1, 0}, {2}, {.dtype = DType::boolean})},
                 {"special", Tensor::from({-HUGE_VAL, std::nan("")}, {2})},
                 {"9 \"odd\\\" n\xC3\xA9me\n?", scalar(1.0)},
                 {"linear_weight", zeros({0, 2})}},
                {.name_space = "voice::model", .test_inputs = {{"x", x}}, .test_outputs = {{"y", y.to(DType::f32)}}});
}

}  // namespace
}  // namespace gradus

int main(int count, char** arguments) {
  const std::string what = count == 3 ? arguments[1] : "";
  if (what == "python") {
    gradus::write_arrays(arguments[2] + std::string("/"));
  } else if (what == "header") {
    gradus::write_header(arguments[2] + std::string("/"));
  } else {
    return 2;
  }
  return 0;
}
