// SPDX-License-Identifier: MIT
// Broken fields of a checkpoint: each gives an error that names the file and the field, and changes nothing.
#include <cmath>
#include <limits>

#include <gradus/tensor/compare.hpp>

#include "tests/fuzz/checkpoint_reader.hpp"
#include "tests/optim/training/small_training.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/error_text.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace gradus;

namespace {

using State = std::vector<NamedTensor>;

Tensor integer(int64_t value) { return Tensor::from(std::span<const int64_t>(&value, 1), {}); }
Tensor real(double value) { return scalar(value, {.dtype = DType::f64}); }

template <class AnyState>
auto& entry_of(AnyState& state, const std::string& name) {
  const auto found = std::find_if(state.begin(), state.end(), [&](const NamedTensor& e) { return e.name == name; });
  REQUIRE(found != state.end());
  return *found;
}

// A checkpoint of a training, of which a test breaks something.
class BrokenCheckpoint {
 public:
  BrokenCheckpoint() : path_(folder_ / "all.safetensors") {
    tests::write_file(text(), tests::kCheckpointText);
    things_ = new tests::CheckpointThings(text());
  }
  ~BrokenCheckpoint() { delete things_; }
  BrokenCheckpoint(const BrokenCheckpoint&) = delete;
  BrokenCheckpoint& operator=(const BrokenCheckpoint&) = delete;

  const State& saved() const { return things_->other; }

  State now() const { return things_->checkpoint().state_dict(); }

  // What is refused in the file of this state, without the path. Requires that nothing changed.
  std::string refused(const State& state) {
    save_safetensors(path_, state);
    return refused_file();
  }
  std::string refused_file() {
    const std::string error = tests::check_checkpoint(*things_, path_);
    const std::string begin = "[Checkpoint::load] " + path_ + ": ";
    return error.empty() ? "(no error)" : error.substr(begin.size());
  }
  std::string refused_bytes(const std::string& bytes) {
    tests::write_file(path_, bytes);
    return refused_file();
  }
  std::string refused_with(const std::string& name, const Tensor& value) {
    State state = saved();
    entry_of(state, name).value = value;
    return refused(state);
  }

 private:
  std::string text() const { return folder_ / "text"; }

  tests::TemporaryFolder folder_;
  std::string path_;
  tests::CheckpointThings* things_ = nullptr;
};

// "optimizer.weight.updates" -> "weight.updates"
std::string without_part(const std::string& name) { return name.substr(name.find('.') + 1); }
std::string part_of(const std::string& name) { return name.substr(0, name.find('.')); }

}  // namespace

TEST_CASE("Checkpoint: each entry that is missing or of another kind is named, and nothing changes") {
  BrokenCheckpoint broken;
  CHECK(broken.refused(broken.saved()) == "(no error)");
  size_t checked = 0;
  for (const NamedTensor& entry : broken.saved()) {
    INFO(entry.name);
    const std::string begin = part_of(entry.name) + " does not fit: ";
    const std::string wrong_shape = broken.refused_with(entry.name, zeros({2, 3, 1}, {.dtype = entry.value.dtype()}));
    CHECK(wrong_shape.rfind(begin, 0) == 0);
    CHECK(wrong_shape.find("wrong shape: " + without_part(entry.name) + ": expected ") != std::string::npos);
    const std::string wrong_dtype =
        broken.refused_with(entry.name, zeros(entry.value.shape(), {.dtype = DType::boolean}));
    CHECK(wrong_dtype.rfind(begin, 0) == 0);
    CHECK(wrong_dtype.find("wrong shape: " + without_part(entry.name) + ": expected ") != std::string::npos);
    State renamed = broken.saved();
    entry_of(renamed, entry.name).name += "x";
    const std::string unexpected = broken.refused(renamed);
    CHECK(unexpected.rfind(begin, 0) == 0);
    CHECK(unexpected.find("unexpected: ") != std::string::npos);
    CHECK(unexpected.find(without_part(entry.name) + "x") != std::string::npos);
    CHECK(unexpected.find("missing: " + without_part(entry.name)) != std::string::npos);
    ++checked;
  }
  CHECK(checked == 32);
}

TEST_CASE("Checkpoint: a count, a rate or a position that cannot be is named, and nothing changes") {
  BrokenCheckpoint broken;
  const double infinity = std::numeric_limits<double>::infinity();
  const auto misfit = [&](const std::string& name, const Tensor& value, const std::string& expected) {
    INFO(name);
    CHECK(broken.refused_with(name, value).find("wrong value: " + without_part(name) + ": expected " + expected) !=
          std::string::npos);
  };
  const char* const counts[] = {
      "trainer.step",    "trainer.losses",  "trainer.best_step", "trainer.evaluations_since_best",
      "optimizer.steps", "average.updates", "order.epoch",       "plateau.without_improvement",
      "rows.pass",       "plateau.cooldown"};
  for (const char* const name : counts) {
    misfit(name, integer(-1), "from 0 to 1125899906842624, got -1");
    misfit(name, integer(INT64_MAX), "from 0 to 1125899906842624, got 9223372036854775807");
    misfit(name, integer(INT64_MIN), "from 0 to 1125899906842624, got -9223372036854775808");
  }
  misfit("optimizer.weight.updates", integer(0), "from 1 to 1125899906842624, got 0");
  misfit("rows.begins", integer(2), "from 0 to 1, got 2");
  for (const char* const name : {"optimizer.learning_rate", "plateau.rate"}) {
    misfit(name, real(-0.5), "0 or more, got -0.5");
    misfit(name, real(NAN), "0 or more, got nan");
    misfit(name, real(infinity), "0 or more, got inf");
  }
  misfit("plateau.best", real(NAN), "a number, got nan");
  misfit("trainer.loss_sum", real(NAN), "a finite number, got nan");
  CHECK(
      broken.refused_with("order.batch", integer(2)) ==
      "order does not fit: [BatchOrder] the saved state is of other data or another batch_size: expected a batch from "
      "0 to 1, got 2");
  CHECK(broken.refused_with("rows.at", Tensor::from({0, 99}, {2}, {.dtype = DType::i64})) ==
        "rows does not fit: [TextRows] the saved state is of another text or other rows: expected at[1] from 8 to 17, "
        "got 99");
  CHECK(
      broken.refused_with("rows.at", Tensor::from({5, 9}, {2}, {.dtype = DType::i64})) ==
      "rows does not fit: [TextRows] the saved state is of another text: expected at[0] where a symbol begins, got 5");
}

TEST_CASE("Checkpoint: parts that are no part of the training are named, and nothing changes") {
  BrokenCheckpoint broken;
  State state = broken.saved();
  state.push_back({"other.value", integer(1)});
  CHECK(broken.refused(state) == "unexpected: other.value");
  state.back().name = "count";
  CHECK(broken.refused(state) == "unexpected: count");
  state.back().name = ".value";
  CHECK(broken.refused(state) == "unexpected: .value");
}

TEST_CASE("Checkpoint: after a refused one, the status of a training is what it was") {
  const tests::TemporaryFolder folder;
  tests::SmallTraining training({.steps = 4, .evaluate_every = 3});
  training.trainer.checkpoint().save(folder / "begin.safetensors");
  training.run();
  const TrainingStatus status = training.trainer.status();
  CHECK(status.step == 4);
  CHECK(status.loss != 0.0);
  State state = load_safetensors(folder / "begin.safetensors").tensors;
  state.pop_back();
  save_safetensors(folder / "broken.safetensors", state);
  CHECK(tests::error_text([&] { training.trainer.checkpoint().load(folder / "broken.safetensors"); }) ==
        "[Checkpoint::load] " + folder.path() +
            "/broken.safetensors: order does not fit: [BatchOrder] the saved state does not fit: missing: batch");
  CHECK(tests::same_status(status, training.trainer.status()));
}

TEST_CASE("Checkpoint: a tensor that gradus cannot hold is refused") {
  BrokenCheckpoint broken;
  const std::string header = R"({"count.value":{"dtype":"C64","shape":[],"data_offsets":[0,8]}})";
  CHECK(broken.refused_bytes(std::string{static_cast<char>(header.size())} + std::string(7, '\0') + header +
                             std::string(8, '\0')) ==
        "tensor 'count.value': C64 []: gradus has no dtype for these elements");
}

TEST_CASE("Checkpoint: a name of a file is shown without zero bytes, and not longer than needed") {
  BrokenCheckpoint broken;
  for (const std::string part : {"count", "linear", "other"}) {
    State state = broken.saved();
    state.push_back({part + std::string(".a\0b", 4), integer(1)});
    CHECK(broken.refused(state).find("unexpected: " + (part == "other" ? part + "." : "") + "a?b") !=
          std::string::npos);
    state.back().name = part + "." + std::string(100'000, 'x');
    CHECK(broken.refused(state).find("xxx...") != std::string::npos);
    CHECK(broken.refused(state).size() < 400);
  }
}

TEST_CASE("Checkpoint: a part that throws something else than an Error is set back, too") {
  struct Thrower {
    State state_dict() const { return {}; }
    void load_state_dict(const State& /*state*/) const {
      if (throws) throw std::runtime_error("no");
    }
    bool throws = false;
  } thrower;
  int64_t first = 1, second = 2;
  Checkpoint checkpoint;
  checkpoint.add("first", first);
  checkpoint.add("thrower", thrower);
  checkpoint.add("second", second);
  const State saved = checkpoint.state_dict();
  first = 3;
  second = 4;
  thrower.throws = true;
  CHECK_THROWS_AS(checkpoint.load_state_dict(saved), std::runtime_error);
  CHECK(first == 3);
  CHECK(second == 4);
  thrower.throws = false;
  checkpoint.load_state_dict(saved);
  CHECK(first == 1);
  CHECK(second == 2);
}

TEST_CASE("Checkpoint: the state of these tests differs in each part, so that what is not set back shows") {
  BrokenCheckpoint broken;
  const State now = broken.now();
  for (const NamedTensor& entry : broken.saved()) {
    INFO(entry.name);
    const std::string part = part_of(entry.name);
    const auto differs = [&](const NamedTensor& other) {
      return part_of(other.name) == part && !bitwise_equal(other.value, entry_of(broken.saved(), other.name).value);
    };
    CHECK((part == "trainer" || std::any_of(now.begin(), now.end(), differs)));
  }
}
