// SPDX-License-Identifier: MIT
// Parts of Layer that are not the tree of names: kinds from types, hooks, and the check of the first call.
#include <cctype>
#include <string_view>

#include <gradus/autograd/engine/node.hpp>
#include <gradus/autograd/op.hpp>
#include <gradus/nn/module.hpp>

namespace gradus {
namespace {

// The last name in "a::(anonymous namespace)::B<C::D>::E<F>", without its template arguments: "E".
std::string_view last_name(std::string_view type) {
  size_t start = 0;
  size_t end = type.size();
  int depth = 0;
  for (size_t i = 0; i < type.size(); ++i) {
    const char c = type[i];
    if (depth == 0 && c == '<') end = i;
    if (c == '<' || c == '(' || c == '{') ++depth;
    if (c == '>' || c == ')' || c == '}') --depth;
    if (depth == 0 && type.substr(i, 2) == "::") {
      start = i + 2;
      end = type.size();
    }
  }
  return type.substr(start, end - start);
}

bool is_upper(char c) { return std::isupper(static_cast<unsigned char>(c)) != 0; }
bool is_lower(char c) { return std::islower(static_cast<unsigned char>(c)) != 0; }

}  // namespace

// GCC: "... [with T = gradus::Linear]"; Clang: "... [T = gradus::Linear]".
std::string detail::kind_from(const char* pretty_function) {
  std::string_view text(pretty_function);
  text.remove_prefix(text.find("T = ") + 4);
  const std::string_view name = last_name(text.substr(0, text.find_last_of(']')));
  std::string kind;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool after_word = i > 0 && is_lower(name[i - 1]);
    const bool before_word = i > 0 && is_upper(name[i - 1]) && i + 1 < name.size() && is_lower(name[i + 1]);
    if (is_upper(name[i]) && (after_word || before_word)) kind += '_';
    kind += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  return kind;
}

Module::FirstCall::FirstCall(Module& module, const void* begin, size_t size)
    : module_(module),
      begin_(reinterpret_cast<uintptr_t>(begin)),
      end_(begin_ + size),
      observer_{look, this},
      outer_(context().apply_observer) {
  context().apply_observer = &observer_;
}

Module::FirstCall::~FirstCall() { context().apply_observer = outer_; }

void Module::FirstCall::look(void* state, const OpDef& op, const Attrs& attrs, const Variable* const* inputs,
                             size_t num_inputs, const Variable* outputs, size_t num_outputs) {
  auto& self = *static_cast<FirstCall*>(state);
  if (self.outer_ != nullptr) {
    self.outer_->call(self.outer_->state, op, attrs, inputs, num_inputs, outputs, num_outputs);
  }
  if (!self.found_.empty()) return;
  for (size_t i = 0; i < num_inputs; ++i) {
    const NodeRef& node = inputs[i]->node();
    if (!node || node->parameter == nullptr) continue;
    const auto at = reinterpret_cast<uintptr_t>(node->parameter);
    if (at < self.begin_ || at >= self.end_) continue;
    bool registered = false;
    for (const NamedParameter& known : self.module_.parameters()) registered |= known.parameter == node->parameter;
    if (!registered) {
      self.found_ = detail::join(op.name, " in ", scope_path(), " reads a Parameter ", describe(*inputs[i]));
      return;
    }
  }
}

void Module::FirstCall::done() {
  GRADUS_CHECK(found_.empty(), "[", module_.kind_, "] ", found_,
               " that is a member and was never registered: expected it, or the module that holds it, to be built at "
               "child(name) or parameter(name, value), or registered");
  __atomic_store_n(&module_.was_called_, true, __ATOMIC_RELAXED);
}

void detail::mark_called(Module& module) {
  for (const NamedModule& entry : module.modules())
    __atomic_store_n(&entry.module->was_called_, true, __ATOMIC_RELAXED);
}

void Module::remove_hooks_() {
  output_hooks_.clear();
  gradient_hooks_.clear();
}

void Module::run_hooks_on(Variable& value) {
  for (const VariableHook& hook : output_hooks_) {
    Variable changed = hook(value);
    if (!changed.defined()) continue;
    GRADUS_CHECK(changed.shape() == value.shape() && changed.dtype() == value.dtype(), "[", kind(),
                 "] an output hook gave another shape or dtype: expected ", describe(value), ", got ",
                 describe(changed));
    value = std::move(changed);
  }
  if (!value.requires_grad()) return;
  for (const VariableHook& hook : gradient_hooks_) value = detail::hook_gradient(value, hook);
}

void Module::refuse_hooks() const {
  detail::throw_error(detail::join("[", kind(),
                                   "] hooks cannot see what this layer returns: expected a Variable or a "
                                   "struct with each_variable(visit)"));
}

}  // namespace gradus
