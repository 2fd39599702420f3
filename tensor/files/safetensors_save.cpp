// SPDX-License-Identifier: MIT

// Writes safetensors files; safetensors.cpp reads them and describes the format.
#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <unordered_set>

#include <gradus/tensor/files/elements.hpp>
#include <gradus/tensor/files/replace_file.hpp>
#include <gradus/tensor/files/safetensors.hpp>
#include <gradus/tensor/files/safetensors_header.hpp>

namespace gradus {
namespace {

using Metadata = std::vector<std::pair<std::string, std::string>>;

template <class... Parts>
[[noreturn]] void fail(const std::string& path, const Parts&... parts) {
  detail::throw_error(detail::join("[save_safetensors] ", path, ": ", parts...));
}

// The dtype of a tensor in the file.
struct StoredDType {
  const char* name;
  size_t size;
};

StoredDType stored_dtype(const Tensor& tensor, StoredFloats floats) {
  if (is_floating(tensor.dtype()) && floats == StoredFloats::f16) return {"F16", 2};
  if (is_floating(tensor.dtype()) && floats == StoredFloats::bf16) return {"BF16", 2};
  constexpr const char* kNames[] = {"F32", "F64", "I64", "BOOL"};
  return {kNames[static_cast<int>(tensor.dtype())], dtype_size(tensor.dtype())};
}

size_t byte_count(const Tensor& tensor, StoredFloats floats) {
  return static_cast<size_t>(tensor.numel()) * stored_dtype(tensor, floats).size;
}

// Writes the elements, rounded in pieces.
template <class T>
void write_rounded(detail::ReplaceFile& file, const Tensor& dense, StoredFloats floats) {
  constexpr size_t kPiece = 8192;
  const auto* values = dense.data<T>();
  const auto count = static_cast<size_t>(dense.numel());
  std::vector<uint16_t> piece(std::min(count, kPiece));
  for (size_t done = 0; done < count; done += kPiece) {
    const size_t now = std::min(kPiece, count - done);
    std::transform(values + done, values + done + now, piece.begin(), [floats](T value) {
      return floats == StoredFloats::f16 ? detail::to_f16(value) : detail::to_bf16(value);
    });
    file.write(piece.data(), now * sizeof(uint16_t));
  }
}

void write_elements(detail::ReplaceFile& file, const Tensor& tensor, StoredFloats floats) {
  const Tensor dense = tensor.contiguous();
  if (floats == StoredFloats::as_they_are || !is_floating(dense.dtype())) {
    return file.write(dense.raw_data(), byte_count(dense, floats));
  }
  dispatch_float(dense.dtype(), [&]<class T>() { write_rounded<T>(file, dense, floats); });
}

void check_names(const std::string& path, const std::vector<NamedTensor>& tensors, const Metadata& metadata) {
  std::unordered_set<std::string> seen;
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name == "__metadata__") fail(path, "a tensor cannot be named '__metadata__'");
    if (!seen.insert(tensor.name).second) fail(path, "two tensors are named '", tensor.name, "'");
    if (!tensor.value.defined()) fail(path, "there is no tensor under the name '", tensor.name, "'");
  }
  seen.clear();
  for (const auto& item : metadata) {
    if (!seen.insert(item.first).second) fail(path, "the metadata name '", item.first, "' twice");
  }
}

// The order of the tensors in the data: wide elements first, so that the offset of every tensor is a multiple of its
// element size, which some readers need. The header keeps the caller's order.
std::vector<size_t> data_order(const std::vector<NamedTensor>& tensors, StoredFloats floats) {
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return stored_dtype(tensors[a].value, floats).size > stored_dtype(tensors[b].value, floats).size;
  });
  return order;
}

std::string header_text(const std::string& path, const std::vector<NamedTensor>& tensors,
                        const std::vector<size_t>& order, const Metadata& metadata, StoredFloats floats) {
  std::vector<size_t> begins(tensors.size());
  size_t position = 0;
  for (const size_t i : order) {
    begins[i] = position;
    position += byte_count(tensors[i].value, floats);
  }
  std::string text = "{";
  const auto quoted = [&path](const std::string& given) {
    const std::optional<std::string> json = detail::json_string(given);
    if (!json) fail(path, "a name or a text of the metadata is not UTF-8");
    return *json;
  };
  const auto add = [&](const std::string& key, const std::string& value) {
    if (text.size() > 1) text += ',';
    text += quoted(key) + ":" + value;
  };
  if (!metadata.empty()) {
    std::string items;
    for (const auto& [key, value] : metadata) {
      items += items.empty() ? '{' : ',';
      items += quoted(key) + ":" + quoted(value);
    }
    items += '}';
    add("__metadata__", items);
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& value = tensors[i].value;
    std::string sizes;
    for (const int64_t size : value.shape()) sizes += detail::join(sizes.empty() ? "" : ",", size);
    const std::string offsets = detail::join(begins[i], ",", begins[i] + byte_count(value, floats));
    add(tensors[i].name, std::string("{\"dtype\":\"") + stored_dtype(value, floats).name + "\",\"shape\":[" + sizes +
                             "],\"data_offsets\":[" + offsets + "]}");
  }
  text += "}";
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

void save_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors, const Metadata& metadata,
                      const SafetensorsOptions& options) {
  check_names(path, tensors, metadata);
  const std::vector<size_t> order = data_order(tensors, options.floats);
  const std::string header = header_text(path, tensors, order, metadata, options.floats);
  if (header.size() > detail::kLongestHeader) fail(path, "the names take more than ", detail::kLongestHeader, " bytes");

  try {
    detail::ReplaceFile file(path);
    const uint64_t length = header.size();
    file.write(&length, sizeof length);
    file.write(header.data(), header.size());
    for (const size_t i : order) write_elements(file, tensors[i].value, options.floats);
    file.commit();
  } catch (const std::runtime_error& failure) {
    fail(path, "cannot write the file: ", failure.what());
  }
}

}  // namespace gradus
