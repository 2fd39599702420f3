// SPDX-License-Identifier: MIT
#include <gradus/tensor/files/elements.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

namespace gradus::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "the formats are little-endian");

template <class T>
T swapped_bytes(T value) {
  auto bytes = std::bit_cast<std::array<char, sizeof(T)>>(value);
  std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<T>(bytes);
}

float widen_bf16(uint16_t half) { return std::bit_cast<float>(static_cast<uint32_t>(half) << 16); }

float widen_f16(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = half >> 10 & 0x1Fu;
  const uint32_t mantissa = half & 0x3FFu;
  if (exponent == 0) {
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return sign != 0 ? -value : value;
  }
  const uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

// Exponent bias 7, no infinities; NaN has all bits of exponent and mantissa.
float widen_e4m3(uint8_t bits) {
  const int exponent = bits >> 3 & 15;
  const int mantissa = bits & 7;
  float value = std::ldexp(static_cast<float>(exponent == 0 ? mantissa : 8 + mantissa), std::max(exponent, 1) - 10);
  if ((bits & 0x7F) == 0x7F) value = std::numeric_limits<float>::quiet_NaN();
  return std::copysign(value, (bits & 0x80) != 0 ? -1.0f : 1.0f);
}

// The upper half of an F16.
float widen_e5m2(uint8_t bits) { return widen_f16(static_cast<uint16_t>(bits << 8)); }

int64_t widen_u64(uint64_t value) {
  if (value > static_cast<uint64_t>(INT64_MAX)) {
    file_problem("the number ", std::to_string(value), " is beyond i64, which gradus has for all integers");
  }
  return static_cast<int64_t>(value);
}

bool check_bool(uint8_t value) {
  if (value > 1) file_problem("expected bool bytes 0 or 1, got ", static_cast<int>(value));
  return value == 1;
}

template <class From, class To, class Convert>
void convert_elements(const char* bytes, size_t count, bool big_endian, void* out, const Convert& convert) {
  auto* to = static_cast<To*>(out);
  for (size_t i = 0; i < count; ++i) {
    From value;
    std::memcpy(&value, bytes + i * sizeof(From), sizeof(From));
    to[i] = static_cast<To>(convert(big_endian ? swapped_bytes(value) : value));
  }
}

void decode_elements(ElementKind kind, bool big_endian, const char* bytes, size_t count, void* out) {
  const auto same = [](auto value) { return value; };
  switch (kind) {
    case ElementKind::f64:  // moved as integers: no bit of a NaN may change
      return convert_elements<uint64_t, uint64_t>(bytes, count, big_endian, out, same);
    case ElementKind::f32:
      return convert_elements<uint32_t, uint32_t>(bytes, count, big_endian, out, same);
    case ElementKind::f16:
      return convert_elements<uint16_t, float>(bytes, count, big_endian, out, widen_f16);
    case ElementKind::bf16:
      return convert_elements<uint16_t, float>(bytes, count, big_endian, out, widen_bf16);
    case ElementKind::f8_e4m3:
      return convert_elements<uint8_t, float>(bytes, count, big_endian, out, widen_e4m3);
    case ElementKind::f8_e5m2:
      return convert_elements<uint8_t, float>(bytes, count, big_endian, out, widen_e5m2);
    case ElementKind::i64:
      return convert_elements<int64_t, int64_t>(bytes, count, big_endian, out, same);
    case ElementKind::i32:
      return convert_elements<int32_t, int64_t>(bytes, count, big_endian, out, same);
    case ElementKind::i16:
      return convert_elements<int16_t, int64_t>(bytes, count, big_endian, out, same);
    case ElementKind::i8:
      return convert_elements<int8_t, int64_t>(bytes, count, big_endian, out,
                                               [](int8_t value) { return int64_t{value}; });
    case ElementKind::u64:
      return convert_elements<uint64_t, int64_t>(bytes, count, big_endian, out, widen_u64);
    case ElementKind::u32:
      return convert_elements<uint32_t, int64_t>(bytes, count, big_endian, out, same);
    case ElementKind::u16:
      return convert_elements<uint16_t, int64_t>(bytes, count, big_endian, out, same);
    case ElementKind::u8:
      return convert_elements<uint8_t, int64_t>(bytes, count, big_endian, out, same);
    case ElementKind::boolean:
      return convert_elements<uint8_t, bool>(bytes, count, big_endian, out, check_bool);
  }
}

// Whether the bytes in memory are those of a little-endian file.
bool has_same_bytes(ElementKind kind) {
  return kind == ElementKind::f64 || kind == ElementKind::f32 || kind == ElementKind::i64 ||
         kind == ElementKind::boolean;
}

void check_bools(const Tensor& tensor) {
  const auto* values = static_cast<const uint8_t*>(tensor.raw_data());
  for (int64_t i = 0; i < tensor.numel(); ++i) check_bool(values[i]);
}

// Rounds to a floating format with an exponent of kExponentBits and a mantissa of kMantissaBits.
template <int kExponentBits, int kMantissaBits>
uint16_t rounded_to(double value) {
  constexpr int kBias = (1 << (kExponentBits - 1)) - 1;
  constexpr uint64_t kInfinity = ((uint64_t{1} << kExponentBits) - 1) << kMantissaBits;
  const auto bits = std::bit_cast<uint64_t>(value);
  const uint64_t sign = bits >> 63 << (kExponentBits + kMantissaBits);
  const uint64_t mantissa = bits & ((uint64_t{1} << 52) - 1);
  const int exponent = static_cast<int>(bits >> 52 & 0x7FF) - 1023 + kBias;
  uint64_t result = kInfinity;
  if (std::isnan(value)) {
    result = kInfinity | mantissa >> (52 - kMantissaBits) | uint64_t{1} << (kMantissaBits - 1);
  } else if (exponent < -kMantissaBits) {
    result = 0;  // less than half of the smallest number
  } else if (!std::isinf(value)) {
    const int shift = 52 - kMantissaBits + (exponent >= 1 ? 0 : 1 - exponent);
    const uint64_t significand = mantissa | uint64_t{1} << 52;
    const uint64_t half = uint64_t{1} << (shift - 1);
    const uint64_t rest = significand & (2 * half - 1);
    uint64_t rounded = significand >> shift;
    if (rest > half || (rest == half && (rounded & 1) != 0)) ++rounded;
    // A carry goes into the exponent, which makes it the next power of two, or infinity.
    result = std::min(kInfinity, rounded + (exponent >= 1 ? static_cast<uint64_t>(exponent - 1) << kMantissaBits : 0));
  }
  return static_cast<uint16_t>(sign | result);
}

}  // namespace

size_t element_size(ElementKind kind) {
  constexpr size_t kSizes[] = {8, 4, 2, 2, 1, 1, 8, 4, 2, 1, 8, 4, 2, 1, 1};
  return kSizes[static_cast<size_t>(kind)];
}

DType element_dtype(ElementKind kind) {
  if (kind == ElementKind::boolean) return DType::boolean;
  if (kind == ElementKind::f64) return DType::f64;
  return kind < ElementKind::i64 ? DType::f32 : DType::i64;
}

ElementKind bits_of(ElementKind kind) {
  if (kind == ElementKind::f16 || kind == ElementKind::bf16) return ElementKind::u16;
  if (kind == ElementKind::f8_e4m3 || kind == ElementKind::f8_e5m2) return ElementKind::u8;
  return kind;
}

Tensor read_elements(ByteSource& source, const Shape& shape, ElementKind kind, bool big_endian, bool map) {
  const bool same_bytes = has_same_bytes(kind) && (!big_endian || kind == ElementKind::boolean);
  if (map && same_bytes) {
    Tensor mapped = source.map(shape, element_dtype(kind));
    if (mapped.defined()) {
      if (kind == ElementKind::boolean) check_bools(mapped);
      return mapped;
    }
  }
  Tensor out = Tensor::empty(shape, element_dtype(kind));
  const auto count = static_cast<size_t>(shape.numel());
  if (same_bytes) {
    source.read(out.raw_data(), count * element_size(kind));
    if (kind == ElementKind::boolean) check_bools(out);
    return out;
  }
  constexpr size_t kPiece = 8192;
  std::vector<char> piece(std::min(count, kPiece) * element_size(kind));
  auto* target = static_cast<char*>(out.raw_data());
  for (size_t done = 0; done < count; done += kPiece) {
    const size_t now = std::min(kPiece, count - done);
    source.read(piece.data(), now * element_size(kind));
    decode_elements(kind, big_endian, piece.data(), now, target + done * dtype_size(out.dtype()));
  }
  return out;
}

uint16_t to_f16(double value) { return rounded_to<5, 10>(value); }

uint16_t to_bf16(double value) { return rounded_to<8, 7>(value); }

}  // namespace gradus::detail
