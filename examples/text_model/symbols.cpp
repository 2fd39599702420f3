// SPDX-License-Identifier: MIT
#include <gradus/examples/text_model/symbols.hpp>

#include <algorithm>
#include <utility>

namespace gradus::examples {

Symbols::Symbols(std::u32string text) : all_(std::move(text)) {
  std::sort(all_.begin(), all_.end());
  all_.erase(std::unique(all_.begin(), all_.end()), all_.end());
}

std::optional<int64_t> Symbols::id(char32_t symbol) const {
  const auto found = std::lower_bound(all_.begin(), all_.end(), symbol);
  if (found == all_.end() || *found != symbol) return std::nullopt;
  return found - all_.begin();
}

}  // namespace gradus::examples
