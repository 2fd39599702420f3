// SPDX-License-Identifier: MIT
#pragma once

namespace gradus::mutants {

/// The number of the mutant to run; 0 for none. The copy of the source that plant.py makes defines it.
extern int active;

}  // namespace gradus::mutants
