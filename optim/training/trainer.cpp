// SPDX-License-Identifier: MIT
#include <gradus/optim/training/trainer.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <utility>

#include <gradus/optim/state.hpp>
#include <gradus/optim/training/training_folder.hpp>

namespace gradus {
namespace {

volatile std::sig_atomic_t g_interrupted = 0;

extern "C" void note_interrupt(int /*signal*/) {
  g_interrupted = 1;
  std::signal(SIGINT, SIG_DFL);
}

double clock_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

using Settings = std::vector<std::pair<std::string, std::string>>;

const std::string* value_of(const Settings& settings, const std::string& name) {
  for (const auto& [key, value] : settings) {
    if (key == name) return &value;
  }
  return nullptr;
}

// Throws one Error with all that differs.
void require_same(const Settings& expected, const Settings& got) {
  std::string differences;
  const auto compare = [&](const std::string& name) {
    const std::string *want = value_of(expected, name), *have = value_of(got, name);
    if (want != nullptr && have != nullptr && *want == *have) return;
    differences += differences.empty() ? "" : "; ";
    differences +=
        name + ": expected " + (want == nullptr ? "none" : *want) + ", got " + (have == nullptr ? "none" : *have);
  };
  for (const auto& [name, value] : got) compare(name);
  for (const auto& [name, value] : expected) {
    if (value_of(got, name) == nullptr) compare(name);
  }
  GRADUS_CHECK(differences.empty(), "[Trainer::resume] the checkpoint has other settings: ", differences);
}

}  // namespace

RateFunction::RateFunction(const RateFunction& other)
    : rate_(other.rate_ == nullptr ? nullptr : other.copy_(other.rate_)),
      call_(other.call_),
      copy_(other.copy_),
      destroy_(other.destroy_) {}

RateFunction::~RateFunction() {
  if (rate_ != nullptr) destroy_(rate_);
}

TrainingObserver::~TrainingObserver() = default;

Trainer::Trainer(Optimizer& optimizer, std::vector<NamedParameter> parameters, const TrainerOptions& options)
    : optimizer_(optimizer), parameters_(std::move(parameters)), options_(options) {
  const int64_t steps = options.steps;
  GRADUS_CHECK(steps >= 1, "[Trainer] expected steps of 1 or more, got ", steps);
  GRADUS_CHECK(options.clip_norm > 0.0, "[Trainer] expected a clip_norm above 0, got ", options.clip_norm);
  GRADUS_CHECK(options.evaluate_every >= 0 && options.save_every >= 0 && options.patience >= 0 && options.keep >= 1,
               "[Trainer] expected evaluate_every, save_every and patience of 0 or more, and keep of 1 or more, got ",
               options.evaluate_every, ", ", options.save_every, ", ", options.patience, " and ", options.keep);
  GRADUS_CHECK(options.accumulate >= 1, "[Trainer] expected accumulate of 1 or more, got ", options.accumulate);
  GRADUS_CHECK(options.seconds > 0.0, "[Trainer] expected seconds above 0, got ", options.seconds);
  GRADUS_CHECK(options.evaluations >= 0 && (options.evaluations == 0 || options.evaluate_every == 0),
               "[Trainer] expected evaluations of 0 or more, and not both of evaluations and evaluate_every, got ",
               options.evaluations, " and ", options.evaluate_every);
  GRADUS_CHECK(options.patience == 0 || options.evaluate_every > 0 || options.evaluations > 0,
               "[Trainer] patience counts evaluations: expected an evaluate_every above 0");
  status_.steps = steps;
  status_.learning_rate = optimizer.learning_rate();
  checkpoint_.add("trainer", *this);
  checkpoint_.add("optimizer", optimizer_);
}

Trainer::~Trainer() = default;

bool Trainer::resume() {
  GRADUS_CHECK(!options_.folder.empty(), "[Trainer::resume] expected a folder in the options, got none");
  const std::string path = detail::last_checkpoint(options_.folder);
  if (path.empty()) return false;
  const SafetensorsFile file = Checkpoint::read("Trainer::resume", path);
  require_same(file.metadata, options_.settings);
  checkpoint_.load_parts("[Trainer::resume] " + path + ": ", file.tensors);
  // What the killed training had no time for.
  detail::cut_metrics(options_.folder, status_.step);
  detail::remove_older_checkpoints(options_.folder, options_.keep);
  status_.saved = path;
  resumed_ = true;
  tell(TrainingEvent::resumed);
  return true;
}

bool Trainer::wants_step() {
  if (reached_target() || (options_.patience > 0 && status_.evaluations_since_best >= options_.patience)) {
    status_.end = TrainingEvent::stopped_early;
    return false;
  }
  if (g_interrupted != 0) {
    if (!options_.folder.empty() && status_.saved != detail::checkpoint_path(options_.folder, status_.step)) save();
    status_.end = TrainingEvent::interrupted;
    return false;
  }
  return status_.part < 1.0;
}

bool Trainer::reached_target() const {
  return options_.larger_is_better ? status_.metric >= options_.target : status_.metric <= options_.target;
}

// Which evaluations are due follows from the steps alone, unless the seconds are limited: then resumed trainings
// evaluate at the same steps.
void Trainer::count_part() {
  status_.seconds = clock_seconds() - begin_;
  const auto evaluations = static_cast<double>(options_.evaluations);
  constexpr double kRounding = 1e-9;
  const double before = std::floor(status_.part * evaluations + kRounding);
  status_.part = std::min(1.0, std::max(static_cast<double>(status_.step) / static_cast<double>(status_.steps),
                                        (seconds_before_ + status_.seconds) / options_.seconds));
  evaluation_is_due_ = std::floor(status_.part * evaluations + kRounding) > before;
}

void Trainer::begin_step() {
  optimizer_.zero_grad();
  step_loss_ = 0.0;
}

bool Trainer::add_gradient(const Variable& loss) {
  const auto value = loss.value().to(DType::f64);
  GRADUS_CHECK(value.numel() == 1, "[Trainer] expected the loss of a step as one number, got ", describe(value));
  if (!std::isfinite(value.item<double>())) {
    not_finite_ = detail::join("the loss is ", value.item<double>());
    return false;
  }
  const double share = 1.0 / static_cast<double>(options_.accumulate);
  backward(loss, {.cotangent = full(loss.shape(), share, {.dtype = loss.dtype()})});
  step_loss_ += share * value.item<double>();
  return true;
}

bool Trainer::update() {
  try {
    status_.gradient_norm = clip_grad_norm_(parameters_, options_.clip_norm);
  } catch (const Error& error) {
    not_finite_ = error.what();
    return false;
  }
  if (options_.learning_rate) optimizer_.set_learning_rate(options_.learning_rate(status_));
  optimizer_.step();
  status_.learning_rate = optimizer_.learning_rate();
  ++status_.step;
  status_.step_loss = step_loss_;
  loss_sum_ += status_.step_loss;
  status_.loss = loss_sum_ / static_cast<double>(++losses_);
  count_part();
  return true;
}

void Trainer::refuse_step(const std::string& first_op) {
  optimizer_.zero_grad();
  throw Error(detail::join("[Trainer] step ", status_.step + 1, " was not taken, and no parameter was changed: ",
                           not_finite_, first_op.empty() ? "" : "; first seen at: ", first_op));
}

bool Trainer::wants_evaluation() const {
  return status_.part == 1.0 || evaluation_is_due_ ||
         (options_.evaluate_every > 0 && status_.step % options_.evaluate_every == 0);
}

void Trainer::begin_evaluation() { evaluation_begin_ = clock_seconds(); }

void Trainer::evaluated(double metric) {
  const double now = clock_seconds();
  status_.seconds = now - begin_;
  status_.evaluation_seconds += now - evaluation_begin_;
  status_.metric = metric;
  const bool better =
      !std::isnan(metric) &&
      (std::isnan(status_.best) || (options_.larger_is_better ? metric > status_.best : metric < status_.best));
  if (better) {
    status_.best = metric;
    status_.best_step = status_.step;
  }
  status_.evaluations_since_best = better ? 0 : status_.evaluations_since_best + 1;
  if (!options_.folder.empty()) detail::append_metrics(options_.folder, status_);
  tell(TrainingEvent::evaluation);
  loss_sum_ = 0.0;
  losses_ = 0;
  if (!better) return;
  if (!options_.folder.empty()) {
    detail::make_training_folder(options_.folder);
    checkpoint_.save(detail::best_path(options_.folder), options_.settings);
  }
  tell(TrainingEvent::better);
}

bool Trainer::wants_checkpoint() const {
  if (options_.folder.empty()) return false;
  return options_.save_every > 0 ? status_.step % options_.save_every == 0 || status_.part == 1.0 : wants_evaluation();
}

void Trainer::save() {
  detail::make_training_folder(options_.folder);
  const std::string path = detail::checkpoint_path(options_.folder, status_.step);
  checkpoint_.save(path, options_.settings);
  status_.saved = path;
  detail::remove_older_checkpoints(options_.folder, options_.keep);
  tell(TrainingEvent::saved);
}

void Trainer::tell(TrainingEvent event) {
  for (TrainingObserver* const observer : observers_) observer->observe(event, status_);
}

// The seconds differ from run to run, so only a training that depends on them has them.
std::vector<NamedTensor> Trainer::state_dict() const {
  std::vector<NamedTensor> out = {{"step", detail::integer_state(status_.step)},
                                  {"loss_sum", detail::number_state(loss_sum_)},
                                  {"losses", detail::integer_state(losses_)},
                                  {"metric", detail::number_state(status_.metric)},
                                  {"best", detail::number_state(status_.best)},
                                  {"best_step", detail::integer_state(status_.best_step)},
                                  {"evaluations_since_best", detail::integer_state(status_.evaluations_since_best)}};
  if (std::isfinite(options_.seconds)) {
    out.push_back({"seconds", detail::number_state(seconds_before_ + status_.seconds)});
  }
  return out;
}

void Trainer::load_state_dict(const std::vector<NamedTensor>& state) {
  detail::StateReader reader(state);
  TrainingStatus loaded = status_;
  loaded.step = reader.take_count("step");
  const double loss_sum = reader.take_number("loss_sum");
  reader.require(std::isfinite(loss_sum), "loss_sum", "a finite number", loss_sum);
  const int64_t losses = reader.take_count("losses");
  loaded.metric = reader.take_number("metric");
  loaded.best = reader.take_number("best");
  loaded.best_step = reader.take_count("best_step");
  loaded.evaluations_since_best = reader.take_count("evaluations_since_best");
  const double seconds = reader.has("seconds") ? reader.take_number("seconds") : 0.0;
  reader.require(std::isfinite(seconds) && seconds >= 0.0, "seconds", "0 or more", seconds);
  reader.finish("Trainer");
  loaded.part = std::min(
      1.0, std::max(static_cast<double>(loaded.step) / static_cast<double>(loaded.steps), seconds / options_.seconds));
  loaded.loss = losses == 0 ? 0.0 : loss_sum / static_cast<double>(losses);
  status_ = loaded;
  loss_sum_ = loss_sum;
  losses_ = losses;
  seconds_before_ = seconds - status_.seconds;
}

Trainer::InterruptGuard::InterruptGuard(Trainer& trainer) {
  GRADUS_CHECK(trainer.resumed_ || trainer.options_.folder.empty() || trainer.status_.step > 0 ||
                   detail::last_checkpoint(trainer.options_.folder).empty(),
               "[Trainer] ", trainer.options_.folder,
               " has checkpoints of an earlier training: call resume(), or give another folder");
  g_interrupted = 0;
  trainer.status_.end = TrainingEvent::ended;
  trainer.begin_ = clock_seconds() - trainer.status_.seconds;
  previous_ = std::signal(SIGINT, &note_interrupt);
}

Trainer::InterruptGuard::~InterruptGuard() { std::signal(SIGINT, previous_ == SIG_ERR ? SIG_DFL : previous_); }

}  // namespace gradus
