// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "tests/mutants/gradients.hpp"

namespace gradus::mutants {

/// One line of plant.py's list.
struct Mutant {
  int number = 0;
  std::string origin;  ///< "hand" or "auto"
  std::string name;
  std::string kind;
  std::string place;
  std::string op;         ///< the op that a diagnosis must name, alternatives separated by |; "-": not stated
  std::string signature;  ///< the signature that it must name where the gradients show it; likewise
};
std::vector<Mutant> read_mutants(const std::string& path);

/// A case with its right derivatives.
struct SoundCase {
  const Case* function;
  Derivatives sound;
};

/// The names of the cases that fail the check while no mutant is active: there, planting changed the program.
std::vector<std::string> wrong_without_mutants(const std::vector<SoundCase>& cases);

/// Runs every case with one mutant active and writes a line for each in which it shows:
///   case       set  name  order  caught | missed | refused
///   forward    set  name                             (the mutant changes the function itself there)
///   diagnosis  set  name  op named  signature named  signature that is right, or ""  op that is right  order  text
/// `diagnosed`: the sets whose cases a full check then diagnoses, when the mutant was written by hand.
void judge(const Mutant& mutant, const std::vector<SoundCase>& cases, const std::string& diagnosed, std::FILE* out);

}  // namespace gradus::mutants
