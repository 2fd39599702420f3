// SPDX-License-Identifier: MIT
#include <gradus/autograd/engine/context.hpp>

namespace gradus {

thread_local constinit Context detail::t_context;

std::string scope_path() {
  std::string path;
  for (const ScopeFrame* frame = context().scope; frame != nullptr; frame = frame->outer) {
    path = path.empty() ? std::string(frame->name) : std::string(frame->name) + "." + path;
  }
  return path;
}

std::string detail::in_scope() {
  const std::string path = scope_path();
  return path.empty() ? path : " (in " + path + ")";
}

PathCounts path_counts() {
  const Context& here = context();
  return {.fused = here.fused_applications, .reference = here.reference_runs};
}

}  // namespace gradus
