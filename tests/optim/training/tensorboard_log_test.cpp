// SPDX-License-Identifier: MIT
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include <gradus/optim/training/event_file.hpp>
#include <gradus/optim/training/trainer.hpp>

#include "tests/optim/training/small_training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/protobuf.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;
using tests::ProtobufReader;
using tests::SmallTraining;
using tests::TemporaryFolder;

namespace {

// Bit by bit, as the polynomial is defined.
uint32_t crc32c(const std::string& bytes) {
  uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0x82f63b78U & (0U - (crc & 1U)));
  }
  return ~crc;
}

uint64_t number_at(const std::string& bytes, size_t at, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i) value |= uint64_t{static_cast<uint8_t>(bytes.at(at + size_t(i)))} << (8 * i);
  return value;
}

bool has_check(const std::string& bytes, size_t at, const std::string& of) {
  const uint32_t crc = crc32c(of);
  return number_at(bytes, at, 4) == (((crc >> 15) | (crc << 17)) + 0xa282ead8U);
}

// The events of a file, after a check of each record.
std::vector<ProtobufReader> events_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  std::vector<ProtobufReader> events;
  for (size_t at = 0; at < bytes.size();) {
    const uint64_t size = number_at(bytes, at, 8);
    if (!has_check(bytes, at + 8, bytes.substr(at, 8))) throw std::runtime_error("the length is wrong");
    const std::string event = bytes.substr(at + 12, size);
    if (!has_check(bytes, at + 12 + size, event)) throw std::runtime_error("the event is wrong");
    events.emplace_back(event);
    at += 16 + size;
  }
  return events;
}

std::vector<std::string> files_in(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

// The numbers of one event, by tag.
std::vector<std::pair<std::string, float>> numbers_in(const ProtobufReader& event) {
  std::vector<std::pair<std::string, float>> out;
  for (const std::string& text : event.message(5).texts(1)) {
    const ProtobufReader value(text);
    out.emplace_back(value.text(1), value.real32(2));
  }
  return out;
}

}  // namespace

TEST_CASE("TensorBoardLog: the check sums are those of the polynomial") {
  CHECK(crc32c("123456789") == 0xe3069283U);
  CHECK(detail::masked_crc32c("123456789") == ((0xe3069283U >> 15) | (0xe3069283U << 17)) + 0xa282ead8U);
  CHECK(detail::masked_crc32c("") == 0xa282ead8U);
}

TEST_CASE("TensorBoardLog writes each step and each evaluation") {
  const TemporaryFolder folder;
  SmallTraining training({.steps = 5, .evaluate_every = 2});
  TensorBoardLog log(folder / "runs", {.every = 2});
  struct Losses : TrainingObserver {
    void observe(TrainingEvent event, const TrainingStatus& status) override {
      if (event == TrainingEvent::step) all.push_back(status.step_loss);
      if (event == TrainingEvent::evaluation) metrics.push_back(status.metric);
    }
    std::vector<double> all;
    std::vector<double> metrics;
  } losses;
  training.trainer.add_observer(log);
  training.trainer.add_observer(losses);
  training.run();

  const std::vector<std::string> files = files_in(folder / "runs");
  REQUIRE(files.size() == 1);
  CHECK(files[0].find("/events.out.tfevents.") != std::string::npos);
  const std::vector<ProtobufReader> events = events_in(files[0]);
  REQUIRE(events.size() == 1 + 3 + 3);
  CHECK(events[0].text(3) == "brain.Event:2");
  CHECK(events[0].real64(1) > 1.6e9);
  std::vector<int64_t> steps;
  for (const ProtobufReader& event : events) steps.push_back(event.number(2));
  CHECK(steps == std::vector<int64_t>{0, 2, 2, 4, 4, 5, 5});
  const auto first = numbers_in(events[1]);
  REQUIRE(first.size() == 3);
  CHECK(first[0] == std::pair<std::string, float>("loss", float((losses.all[0] + losses.all[1]) / 2)));
  CHECK(first[1].first == "gradient_norm");
  CHECK(first[1].second > 0.0F);
  CHECK(first[2] == std::pair<std::string, float>("learning_rate", 1e-2F));
  CHECK(numbers_in(events[2]) == std::vector<std::pair<std::string, float>>{{"metric", float(losses.metrics[0])}});
  CHECK(numbers_in(events[5])[0].second == float(losses.all[4]));
}

TEST_CASE("TensorBoardLog: a resumed training writes another file, which says where it begins") {
  const TemporaryFolder folder;
  const TrainerOptions options{.steps = 4, .folder = folder / "training", .save_every = 2};
  SmallTraining first(options);
  first.run();
  SmallTraining second({.steps = 6, .folder = folder / "training"});
  TensorBoardLog log(folder / "runs");
  second.trainer.add_observer(log);
  REQUIRE(second.trainer.resume());
  second.run();
  const std::vector<ProtobufReader> events = events_in(files_in(folder / "runs")[0]);
  REQUIRE(events.size() == 1 + 1 + 2 + 1);
  CHECK(events[1].number(2) == 5);
  CHECK(events[1].message(7).number(1) == 1);
  CHECK(events[2].number(2) == 5);
}

TEST_CASE("TensorBoardLog: messages") {
  const TemporaryFolder folder;
  CHECK(tests::error_text([&] { TensorBoardLog log(folder / "runs", {.every = 0}); }) ==
        "[TensorBoardLog] expected every >= 1, got 0");
  tests::write_file(folder / "file", "");
  CHECK(tests::error_text([&] { TensorBoardLog log(folder / "file"); }).find("[TensorBoardLog] ") == 0);
}
