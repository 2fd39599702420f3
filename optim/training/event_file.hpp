// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <gradus/tensor/files/protobuf.hpp>

namespace gradus::detail {

struct NamedNumber {
  const char* tag;
  double value;
};

/// A new file of events for TensorBoard in a folder, which is made if missing. Each event is a record: the length of
/// its bytes, a check sum of the length, the bytes, a check sum of the bytes. It is in the file when the function
/// returns. Throws std::runtime_error with the path and the reason.
class EventFile {
 public:
  explicit EventFile(const std::string& folder);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  void add(int64_t step, const std::vector<NamedNumber>& numbers);
  /// Says that what earlier files of the folder have from this step on did not happen.
  void restart(int64_t step);

 private:
  void write(const ProtobufMessage& event) const;

  std::string path_;
  int descriptor_ = -1;
};

/// CRC-32C (Castagnoli) of the bytes, turned and shifted as the records of TensorFlow have it.
uint32_t masked_crc32c(const std::string& bytes);

}  // namespace gradus::detail
