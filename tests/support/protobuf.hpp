// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace gradus::tests {

/// A field of a message of Protocol Buffers: a number (of an integer, or the bits of a float or double), or bytes.
struct ProtobufField {
  uint32_t field = 0;
  uint64_t number = 0;
  std::string bytes = {};
};

/// Reads messages of Protocol Buffers. Throws std::out_of_range where the bytes end too early.
class ProtobufReader {
 public:
  explicit ProtobufReader(const std::string& bytes) {
    for (size_t at = 0; at < bytes.size();) fields_.push_back(read(bytes, at));
  }

  const std::vector<ProtobufField>& fields() const { return fields_; }
  /// All values of a field that holds text or messages.
  std::vector<std::string> texts(uint32_t field) const {
    std::vector<std::string> out;
    for (const ProtobufField& one : fields_) {
      if (one.field == field) out.push_back(one.bytes);
    }
    return out;
  }
  std::string text(uint32_t field) const {
    const std::vector<std::string> all = texts(field);
    return all.empty() ? std::string() : all.back();
  }
  /// All pieces of a field that holds one message.
  ProtobufReader message(uint32_t field) const {
    std::string joined;
    for (const std::string& piece : texts(field)) joined += piece;
    return ProtobufReader(joined);
  }
  std::vector<int64_t> numbers(uint32_t field) const {
    std::vector<int64_t> out;
    for (const ProtobufField& one : fields_) {
      if (one.field == field) out.push_back(static_cast<int64_t>(one.number));
    }
    return out;
  }
  int64_t number(uint32_t field) const {
    const std::vector<int64_t> all = numbers(field);
    return all.empty() ? 0 : all.back();
  }
  float real32(uint32_t field) const { return std::bit_cast<float>(static_cast<uint32_t>(number(field))); }
  double real64(uint32_t field) const { return std::bit_cast<double>(number(field)); }

 private:
  static uint64_t varint(const std::string& bytes, size_t& at) {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      const auto byte = static_cast<uint8_t>(bytes.at(at++));
      value |= uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) break;
    }
    return value;
  }

  static uint64_t fixed(const std::string& bytes, size_t& at, int count) {
    uint64_t value = 0;
    for (int i = 0; i < count; ++i) value |= uint64_t{static_cast<uint8_t>(bytes.at(at++))} << (8 * i);
    return value;
  }

  static ProtobufField read(const std::string& bytes, size_t& at) {
    const uint64_t key = varint(bytes, at);
    ProtobufField out{.field = static_cast<uint32_t>(key >> 3)};
    switch (key & 7U) {
      case 0:
        out.number = varint(bytes, at);
        break;
      case 1:
        out.number = fixed(bytes, at, 8);
        break;
      case 2: {
        const uint64_t size = varint(bytes, at);
        if (size > bytes.size() - at) throw std::out_of_range("a field is cut off");
        out.bytes = bytes.substr(at, size);
        at += size;
        break;
      }
      case 5:
        out.number = fixed(bytes, at, 4);
        break;
      default:
        throw std::out_of_range("an unknown wire type");
    }
    return out;
  }

  std::vector<ProtobufField> fields_;
};

}  // namespace gradus::tests
