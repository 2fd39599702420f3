// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

namespace gradus::detail {

/// One message of Protocol Buffers (the wire format of protobuf.dev/programming-guides/encoding), field by field.
/// Fields of other messages are added as `message(field, inner)`. The bytes are little-endian on every machine.
class ProtobufMessage {
 public:
  /// int32, int64, bool and enum.
  void integer(uint32_t field, int64_t value) {
    key(field, Wire::varint);
    varint(static_cast<uint64_t>(value));
  }
  void real32(uint32_t field, float value) {
    key(field, Wire::fixed32);
    fixed(std::bit_cast<uint32_t>(value), 4);
  }
  void real64(uint32_t field, double value) {
    key(field, Wire::fixed64);
    fixed(std::bit_cast<uint64_t>(value), 8);
  }
  /// string and bytes.
  void text(uint32_t field, std::string_view value) {
    key(field, Wire::length_delimited);
    varint(value.size());
    bytes_.append(value);
  }
  void message(uint32_t field, const ProtobufMessage& value) { text(field, value.bytes_); }

  const std::string& bytes() const noexcept { return bytes_; }

 private:
  enum class Wire : uint32_t { varint = 0, fixed64 = 1, length_delimited = 2, fixed32 = 5 };

  void key(uint32_t field, Wire wire) { varint(uint64_t{field} << 3 | static_cast<uint32_t>(wire)); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(static_cast<uint8_t>(value | 0x80)));
    bytes_.push_back(static_cast<char>(value));
  }
  void fixed(uint64_t value, int count) {
    for (int i = 0; i < count; ++i) bytes_.push_back(static_cast<char>(static_cast<uint8_t>(value >> (8 * i))));
  }

  std::string bytes_;
};

}  // namespace gradus::detail
