// SPDX-License-Identifier: MIT
#pragma once

namespace gradus::mutants {

/// The number of the mutant that is to run; 0: none. The copy of the source that plant.py makes defines it.
extern int active;

}  // namespace gradus::mutants
