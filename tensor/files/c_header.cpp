// SPDX-License-Identifier: MIT
#include <gradus/tensor/files/safetensors.hpp>

#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string_view>
#include <unordered_set>

#include <gradus/tensor/files/input_file.hpp>
#include <gradus/tensor/files/replace_file.hpp>

namespace gradus {
namespace {

constexpr const char* kTop = R"(// Written by gradus, )" GRADUS_VERSION R"(. Needs C++17.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

)";

constexpr const char* kEntry = R"(struct Tensor {
  const char* name;
  const char* dtype;  // "f32": float, "f64": double, "i64": std::int64_t, "bool": bool
  const void* data;   // row-major
  const std::int64_t* shape;
  std::size_t rank;
  std::size_t size;  // the number of elements
};
)";

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }
bool is_word(char c) { return is_letter(c) || (c >= '0' && c <= '9'); }

bool is_namespace(const std::string& text) {
  bool in_identifier = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_identifier ? is_word(text[i]) || text[i] == '_' : is_letter(text[i])) {
      in_identifier = true;
    } else if (in_identifier && text.compare(i, 2, "::") == 0) {
      in_identifier = false;
      ++i;
    } else {
      return false;
    }
  }
  return in_identifier;
}

// "encoder.weight" -> "encoder_weight": words joined by single underscores, with a number when it is taken.
std::string identifier_of(const std::string& name, std::unordered_set<std::string>& taken) {
  std::string out;
  for (const char c : name) {
    if (is_word(c)) {
      out += c;
    } else if (!out.empty() && out.back() != '_') {
      out += '_';
    }
  }
  while (!out.empty() && out.back() == '_') out.pop_back();
  if (out.empty() || !is_letter(out[0])) out.insert(out.begin(), 't');
  std::string free = out;
  for (int number = 2; !taken.insert(free).second; ++number) free = detail::join(out, "_", number);
  return free;
}

// A string literal with the bytes of `text`, in ASCII.
std::string literal(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= ' ' && byte <= '~' && c != '"' && c != '\\' && c != '?') {
      out += c;
    } else {
      char octal[8];
      std::snprintf(octal, sizeof octal, "\\%03o", byte);
      out += octal;
    }
  }
  return out + "\"";
}

template <class T>
std::string number_literal(T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, int64_t>) {
    // There is no literal of the least number.
    return value == INT64_MIN ? "INT64_MIN" : std::to_string(value);
  } else {
    constexpr bool kIsFloat = std::is_same_v<T, float>;
    const char* limits = kIsFloat ? "std::numeric_limits<float>::" : "std::numeric_limits<double>::";
    if (std::isnan(value)) return detail::join(limits, "quiet_NaN()");
    if (std::isinf(value)) return detail::join(value < 0 ? "-" : "", limits, "infinity()");
    char text[40];
    std::snprintf(text, sizeof text, "%a", static_cast<double>(value));
    return detail::join(text, kIsFloat ? "f" : "");
  }
}

const char* type_name(DType dtype) {
  constexpr const char* kTypes[] = {"float", "double", "std::int64_t", "bool"};
  return kTypes[static_cast<int>(dtype)];
}

// Writes pieces to the file, not one by one.
class HeaderWriter {
 public:
  explicit HeaderWriter(detail::ReplaceFile& file) : file_(file) {}

  void text(const std::string& piece) {
    buffer_ += piece;
    if (buffer_.size() > kBuffer) flush();
  }
  void flush() {
    file_.write(buffer_.data(), buffer_.size());
    buffer_.clear();
  }

  /// The arrays of some tensors, and the list of them under the name `list`.
  void tensors(const std::string& list, const std::vector<NamedTensor>& tensors) {
    std::string entries;
    for (const NamedTensor& tensor : tensors) {
      const std::string name = identifier_of(list == "tensors" ? tensor.name : list + "." + tensor.name, taken_);
      const Tensor& value = tensor.value;
      text(detail::join("\n// ", describe(value), "\n"));
      std::string sizes;
      for (const int64_t size : value.shape()) sizes += detail::join(sizes.empty() ? "" : ", ", size);
      text(detail::join("inline constexpr std::int64_t ", name, "_shape[] = {", sizes.empty() ? "1" : sizes, "};\n"));
      text(detail::join("alignas(16) inline constexpr ", type_name(value.dtype()), " ", name, "_data[] = {\n"));
      elements(value.contiguous());
      text("};\n");
      entries += detail::join("    {", literal(tensor.name), ", \"", value.dtype(), "\", ", name, "_data, ", name,
                              "_shape, ", value.rank(), ", ", value.numel(), "},\n");
    }
    // An array of C++ has at least one element; its count says what belongs to it.
    if (tensors.empty()) entries = "    {\"\", \"\", nullptr, nullptr, 0, 0},\n";
    text(detail::join("\ninline constexpr Tensor ", list, "[] = {\n", entries, "};\n"));
    text(detail::join("inline constexpr std::size_t ", list, "_count = ", tensors.size(), ";\n"));
  }

 private:
  static constexpr size_t kBuffer = 1 << 16;
  static constexpr size_t kColumns = 100;

  void elements(const Tensor& dense) {
    if (dense.numel() == 0) return text("    0\n");
    dispatch_all(dense.dtype(), [&]<class T>() {
      const T* values = dense.data<T>();
      std::string line = "   ";
      for (int64_t i = 0; i < dense.numel(); ++i) {
        line += detail::join(" ", number_literal(values[i]), ",");
        if (line.size() < kColumns && i + 1 < dense.numel()) continue;
        text(line + "\n");
        line = "   ";
      }
    });
  }

  detail::ReplaceFile& file_;
  std::string buffer_;
  std::unordered_set<std::string> taken_;
};

void check_header_names(const std::string& path, const std::vector<NamedTensor>& tensors) {
  std::unordered_set<std::string> seen;
  for (const NamedTensor& tensor : tensors) {
    const std::string name = detail::in_quotes(tensor.name);
    GRADUS_CHECK(tensor.value.defined(), "[save_c_header] ", path, ": there is no tensor under the name ", name);
    GRADUS_CHECK(seen.insert(tensor.name).second, "[save_c_header] ", path, ": two tensors are named ", name);
  }
}

}  // namespace

void save_c_header(const std::string& path, const std::vector<NamedTensor>& tensors, const CHeaderOptions& options) {
  for (const auto* list : {&tensors, &options.test_inputs, &options.test_outputs}) check_header_names(path, *list);
  GRADUS_CHECK(is_namespace(options.name_space), "[save_c_header] ", path,
               ": expected a namespace such as 'voice::model', got ", detail::in_quotes(options.name_space));
  try {
    detail::ReplaceFile file(path);
    HeaderWriter writer(file);
    writer.text(detail::join(kTop, "namespace ", options.name_space, " {\n\n", kEntry));
    writer.tensors("tensors", tensors);
    writer.tensors("test_inputs", options.test_inputs);
    writer.tensors("test_outputs", options.test_outputs);
    writer.text(detail::join("\n}  // namespace ", options.name_space, "\n"));
    writer.flush();
    file.commit();
  } catch (const std::runtime_error& failure) {
    detail::throw_error(detail::join("[save_c_header] ", path, ": cannot write the file: ", failure.what()));
  }
}

}  // namespace gradus
