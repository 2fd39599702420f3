// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/tensor/random/random.hpp>

namespace gradus {

/// What a piece of code drew from generators, so that it can be run once more with the same random numbers and without
/// moving any generator. `{ RandomTape::Record scope(tape); f(); }`, later `{ RandomTape::Replay scope(tape); f(); }`.
class GRADUS_API RandomTape {
 public:
  class GRADUS_API Scope {
   public:
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   protected:
    Scope(RandomTape& tape, bool replay);
    ~Scope();

   private:
    friend class Generator;
    RandomPosition take(Generator& generator, int64_t words);

    RandomTape& tape_;
    bool replay_;
    size_t next_ = 0;
    Scope* outer_;
  };
  /// On this thread, while it lives: writes down every draw.
  class Record : public Scope {
   public:
    [[nodiscard]] explicit Record(RandomTape& tape) : Scope(tape, false) {}
  };
  /// On this thread, while it lives: every draw gives what was written down. Throws when there are more draws than
  /// were.
  class Replay : public Scope {
   public:
    [[nodiscard]] explicit Replay(RandomTape& tape) : Scope(tape, true) {}
  };

 private:
  std::vector<RandomPosition> draws_;
};

}  // namespace gradus
