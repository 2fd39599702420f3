// SPDX-License-Identifier: MIT
// The numbers of the fields are those of event.proto and summary.proto of TensorBoard.
#include <gradus/optim/training/event_file.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include <fcntl.h>
#include <unistd.h>

namespace gradus::detail {
namespace {

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < table.size(); ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1U) != 0 ? 0x82f63b78U : 0U);
    table[i] = value;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

void append_number(std::string& bytes, uint64_t value, int count) {
  for (int i = 0; i < count; ++i) bytes.push_back(static_cast<char>(static_cast<uint8_t>(value >> (8 * i))));
}

ProtobufMessage event_at(int64_t step) {
  ProtobufMessage event;
  event.real64(1, seconds_now());
  event.integer(2, step);
  return event;
}

}  // namespace

uint32_t masked_crc32c(const std::string& bytes) {
  uint32_t crc = ~0U;
  for (const char byte : bytes) crc = kCrcTable[(crc ^ static_cast<uint8_t>(byte)) & 0xffU] ^ (crc >> 8);
  crc = ~crc;
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8U;
}

EventFile::EventFile(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw std::runtime_error("cannot make the folder " + folder + ": " + error.message());
  // TensorBoard reads the files of a folder in the order of their names, and this one must be new.
  const std::string stem =
      folder + "/events.out.tfevents." + std::to_string(static_cast<int64_t>(seconds_now())) + ".gradus.";
  for (int number = 0; descriptor_ < 0; ++number) {
    path_ = stem + std::to_string(::getpid()) + "." + std::to_string(number);
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST) {
      throw std::runtime_error(path_ + ": cannot make the file: " + std::strerror(errno));
    }
  }
  ProtobufMessage event;
  event.real64(1, seconds_now());
  event.text(3, "brain.Event:2");
  write(event);
}

EventFile::~EventFile() { ::close(descriptor_); }

void EventFile::add(int64_t step, const std::vector<NamedNumber>& numbers) {
  ProtobufMessage summary;
  for (const NamedNumber& number : numbers) {
    ProtobufMessage value;
    value.text(1, number.tag);
    value.real32(2, static_cast<float>(number.value));
    summary.message(1, value);
  }
  ProtobufMessage event = event_at(step);
  event.message(5, summary);
  write(event);
}

void EventFile::restart(int64_t step) {
  ProtobufMessage log;
  log.integer(1, 1);  // SessionLog::START
  ProtobufMessage event = event_at(step);
  event.message(7, log);
  write(event);
}

void EventFile::write(const ProtobufMessage& event) const {
  std::string record;
  append_number(record, event.bytes().size(), 8);
  append_number(record, masked_crc32c(record), 4);
  record += event.bytes();
  append_number(record, masked_crc32c(event.bytes()), 4);
  for (size_t done = 0; done < record.size();) {
    const ssize_t now = ::write(descriptor_, record.data() + done, record.size() - done);
    if (now < 0 && errno == EINTR) continue;
    if (now <= 0) throw std::runtime_error(path_ + ": cannot write the file: " + std::strerror(errno));
    done += static_cast<size_t>(now);
  }
}

}  // namespace gradus::detail
