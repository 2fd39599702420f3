// SPDX-License-Identifier: MIT
#include <gradus/nn/module.hpp>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include <gradus/nn/state_loading.hpp>

namespace gradus {

/// Visits a tree depth first: a module's own parameters, then its own generators, then its children.
class ModuleWalk {
 public:
  template <class OnParameter, class OnGenerator>
  static void run(const Module& module, const std::string& prefix, const OnParameter& on_parameter,
                  const OnGenerator& on_generator) {
    for (const auto& entry : module.parameters_) on_parameter(prefix + entry.name, *entry.object);
    for (const auto& entry : module.generators_) on_generator(prefix + entry.name, *entry.object);
    for (const auto& entry : module.children_)
      run(*entry.object, prefix + entry.name + ".", on_parameter, on_generator);
  }

  static void modules(Module& module, const std::string& path, std::vector<NamedModule>& out) {
    out.push_back({path, &module});
    for (const auto& entry : module.children_) {
      modules(*entry.object, path.empty() ? entry.name : path + "." + entry.name, out);
    }
  }

  static void labels(const Module& module, const std::string& prefix, std::vector<InputLabels>& out) {
    for (const auto& entry : module.parameters_) {
      if (!entry.axes.empty()) out.push_back({prefix + entry.name, entry.axes});
    }
    for (const auto& entry : module.children_) labels(*entry.object, prefix + entry.name + ".", out);
  }

  template <class OnParameter>
  static void parameters(const Module& module, const OnParameter& on_parameter) {
    run(module, "", on_parameter, [](const std::string&, Generator&) {});
  }
};

namespace {

Tensor generator_tensor(const Generator& generator) {
  const int64_t words[] = {static_cast<int64_t>(generator.seed()), static_cast<int64_t>(generator.counter())};
  return Tensor::from<int64_t>(words, {2});
}

GeneratorState generator_state(const Tensor& tensor) {
  const Tensor dense = tensor.contiguous();
  const int64_t* words = dense.data<int64_t>();
  return {.seed = static_cast<uint64_t>(words[0]), .counter = static_cast<uint64_t>(words[1])};
}

std::string grouped(int64_t count) {
  std::string digits = std::to_string(count);
  for (int at = static_cast<int>(digits.size()) - 3; at > 0; at -= 3) digits.insert(static_cast<size_t>(at), 1, ',');
  return digits;
}

}  // namespace

Place::~Place() {
  if (built_ != nullptr) built_->place_ = nullptr;
}

Module::Module(const char* kind, const Place& place) : Module(kind) {
  GRADUS_CHECK(place.built_ == nullptr, "[", kind, "] the place is taken by ", place.built_->kind_,
               ": expected child(name) of it");
  if (place.parent_ != nullptr) place.parent_->adopt(place.name_, *this);
  place.built_ = this;
  place_ = &place;
}

Module::~Module() {
  if (place_ == nullptr) return;
  // Here the construction failed, or the place still exists: nothing may reach this module any more.
  place_->built_ = nullptr;
  if (place_->parent_ == nullptr) return;
  std::vector<Named<Module>>& siblings = place_->parent_->children_;
  std::erase_if(siblings, [&](const Named<Module>& entry) { return entry.object == this; });
}

Generator& Module::generator() {
  GRADUS_CHECK(place_ != nullptr, "[", kind_,
               "] there is no generator to draw from: expected a call while the module is built, from a Place that "
               "its constructor hands to Layer");
  return *place_->generator_;
}

Place Module::child(std::string name) {
  require_free_name(name);
  return Place(generator(), *this, std::move(name));
}

void Module::require_free_name(const std::string& name) const {
  GRADUS_CHECK(!name.empty() && name.find('.') == std::string::npos, "[", kind_,
               "] a name to register must not be empty or hold a dot, got \"", name, "\"");
  const auto taken = [&](const auto& entry) { return entry.name == name; };
  const bool any = std::any_of(parameters_.begin(), parameters_.end(), taken) ||
                   std::any_of(generators_.begin(), generators_.end(), taken) ||
                   std::any_of(children_.begin(), children_.end(), taken);
  GRADUS_CHECK(!any, "[", kind_, "] \"", name, "\" is registered already");
}

void Module::ParameterPlace::take(Parameter& made) const {
  made.reset_(value);
  module.register_parameter(name, made, axes);
}

void Module::register_parameter(std::string name, Parameter& parameter, std::vector<AxisLabel> axes) {
  require_free_name(name);
  GRADUS_CHECK(axes.empty() || axes.size() == static_cast<size_t>(parameter.shape().rank()), "[", kind_, "] parameter ",
               name, " has ", parameter.shape().rank(), " axes: expected a label for each, or none, got ", axes.size());
  parameters_.push_back({std::move(name), &parameter, std::move(axes)});
}

void Module::register_module(const std::string& name, Module& module) { adopt(name, module); }

void Module::adopt(const std::string& name, Module& child) {
  require_free_name(name);
  child.name_ = name;
  child.set_scope(shown_in_scope_of_children_ ? scope_ + "." + name : name);
  children_.push_back({name, &child});
}

void Module::set_scope(std::string scope) {
  scope_ = std::move(scope);
  if (!shown_in_scope_of_children_) return;
  for (const auto& entry : children_) entry.object->set_scope(scope_ + "." + entry.name);
}

void Module::show_in_scope_of_children() {
  shown_in_scope_of_children_ = true;
  set_scope(scope_);
}

void Module::register_generator(std::string name, Generator& generator) {
  require_free_name(name);
  generators_.push_back({std::move(name), &generator});
}

std::vector<NamedModule> Module::modules() {
  std::vector<NamedModule> result;
  ModuleWalk::modules(*this, "", result);
  return result;
}

Module& Module::submodule(const std::string& path) {
  std::string all;
  for (const NamedModule& entry : modules()) {
    if (entry.path == path) return *entry.module;
    if (!entry.path.empty()) all += (all.empty() ? "" : ", ") + entry.path;
  }
  detail::throw_error(detail::join("[", kind_, "] has no module \"", path, "\" below it: expected one of: ", all));
}

std::vector<NamedParameter> Module::parameters() {
  std::vector<NamedParameter> result;
  std::unordered_set<const Parameter*> seen;
  ModuleWalk::parameters(*this, [&](const std::string& path, Parameter& parameter) {
    if (seen.insert(&parameter).second) result.push_back({path, &parameter});
  });
  return result;
}

std::vector<InputLabels> Module::axis_labels() const {
  std::vector<InputLabels> labels;
  ModuleWalk::labels(*this, "", labels);
  return labels;
}

int64_t Module::parameter_count() const {
  int64_t count = 0;
  std::unordered_set<const Parameter*> seen;
  ModuleWalk::parameters(*this, [&](const std::string&, const Parameter& parameter) {
    if (seen.insert(&parameter).second) count += parameter.shape().numel();
  });
  return count;
}

StateDict Module::state_dict(const StateDictOptions& options) const {
  StateDict state;
  ModuleWalk::run(
      *this, "",
      [&](const std::string& path, const Parameter& parameter) {
        state.push_back({path, parameter.value().clone()});
      },
      [&](const std::string& path, const Generator& generator) {
        if (options.generators) state.push_back({path, generator_tensor(generator)});
      });
  return state;
}

void Module::load_state_dict(const StateDict& state, const LoadOptions& options) {
  detail::LoadProblems problems;
  std::unordered_map<std::string, const Tensor*> given;
  for (const NamedTensor& entry : state) {
    if (!given.emplace(entry.name, &entry.value).second) problems.repeated(entry.name);
  }
  std::unordered_set<std::string> known;
  detail::ValueCollector collector(problems);
  std::vector<std::pair<Generator*, const Tensor*>> streams;
  const auto find = [&](const std::string& path) {
    known.insert(path);
    const auto found = given.find(path);
    return found == given.end() ? nullptr : found->second;
  };
  ModuleWalk::run(
      *this, "", [&](const std::string& path, Parameter& parameter) { collector.add(path, parameter, find(path)); },
      [&](const std::string& path, Generator& generator) {
        const Tensor* value = find(path);
        if (value == nullptr) {
          if (options.generators) problems.missing(path);
          return;
        }
        if (!value->defined() || !(value->shape() == Shape{2}) || value->dtype() != DType::i64) {
          problems.misfit(path, "i64 [2]", *value);
        } else {
          streams.emplace_back(&generator, value);
        }
      });
  if (options.strict) collector.note_missing();
  for (const NamedTensor& entry : state) {
    if (options.strict && known.count(entry.name) == 0) problems.unexpected(entry.name);
  }
  const std::string text = problems.text();
  GRADUS_CHECK(text.empty(), "[load_state_dict] the dictionary does not fit ", name_, ": ", text);
  detail::copy_in(collector.values());
  for (const auto& [generator, value] : streams) generator->set_state(generator_state(*value));
}

void Module::set_training(bool training) {
  training_ = training;
  for (const auto& child : children_) child.object->set_training(training);
}

void Module::train_() { set_training(true); }

void Module::eval_() { set_training(false); }

void Module::freeze_() { set_requires_grad(false); }

void Module::unfreeze_() { set_requires_grad(true); }

void Module::set_requires_grad(bool requires_grad) {
  for (const NamedParameter& entry : parameters()) entry.parameter->set_requires_grad_(requires_grad);
}

void Module::to_(DType dtype) {
  GRADUS_CHECK(is_floating(dtype), "[to_] expected f32 or f64, got ", dtype);
  for (const NamedParameter& entry : parameters()) {
    if (entry.parameter->variable().dtype() != dtype) entry.parameter->reset_(entry.parameter->value().to(dtype));
  }
}

// "weight, bias", in the order of registration.
std::string Module::member_names() const {
  std::string names;
  const auto add = [&](const auto& entries) {
    for (const auto& entry : entries) names += (names.empty() ? "" : ", ") + entry.name;
  };
  add(parameters_);
  add(generators_);
  add(children_);
  return names;
}

void Module::become_copy_of(const Module& other) {
  const std::string built = member_names();
  const std::string wanted = other.member_names();
  GRADUS_CHECK(built == wanted, "[clone] the constructor of ", other.kind_,
               " registers other names than the original has: expected \"", wanted, "\", got \"", built, "\"");
  for (size_t i = 0; i < parameters_.size(); ++i) {
    Parameter& mine = *parameters_[i].object;
    const Parameter& from = *other.parameters_[i].object;
    if (mine.variable().dtype() == from.variable().dtype() && mine.shape() == from.shape()) {
      mine.assign_(from.value());
    } else {
      mine.reset_(from.value());
    }
    mine.set_requires_grad_(from.requires_grad());
  }
  for (size_t i = 0; i < generators_.size(); ++i) {
    generators_[i].object->set_state(other.generators_[i].object->state());
  }
  training_ = other.training_;
  for (size_t i = 0; i < children_.size(); ++i) children_[i].object->become_copy_of(*other.children_[i].object);
}

namespace {

void append_line(std::string& out, int depth, const std::string& text) {
  out.append(2 * static_cast<size_t>(depth), ' ');
  out += text + "\n";
}

}  // namespace

std::string to_string(const Module& module) {
  struct Printer {
    static void print(const Module& at, int depth, std::string& out) {
      const std::string kind = at.name() == at.kind() ? "" : std::string(": ") + at.kind();
      append_line(out, depth, at.name() + kind + ", " + grouped(at.parameter_count()) + " parameters");
      for (const auto& entry : at.parameters_) {
        append_line(out, depth + 1, entry.name + " " + describe(entry.object->variable()));
      }
      for (const auto& entry : at.children_) print(*entry.object, depth + 1, out);
    }
  };
  std::string out;
  Printer::print(module, 0, out);
  return out;
}

}  // namespace gradus
