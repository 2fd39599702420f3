// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>

#include <gradus/examples/classify/config.hpp>
#include <gradus/examples/classify/data.hpp>
#include <gradus/examples/classify/training.hpp>

namespace gradus::examples::classify {

/// A text, its label and, when the model has attention, a picture for a terminal of where it looked: as many lines as
/// the text needs in 80 columns. Without `expected`, the right label is not known.
void tell_reading(std::ostream& out, const Known& known, const Sequence& ids, const Reading& reading,
                  std::optional<int64_t> expected);

/// Rounds down below 100 %, so that "100.00 %" always means no mistake.
std::string percent(double part);

}  // namespace gradus::examples::classify
