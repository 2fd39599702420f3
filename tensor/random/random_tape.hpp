// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <gradus/tensor/random/random.hpp>

namespace gradus {

/// Records what a piece of code draws from generators, so that it can run again with the same random numbers and
/// without advancing any generator.
/// `{ RandomTape::Record scope(tape); f(); }`, later `{ RandomTape::Replay scope(tape); f(); }`.
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
  /// Records every draw on this thread during its lifetime.
  class Record : public Scope {
   public:
    [[nodiscard]] explicit Record(RandomTape& tape) : Scope(tape, false) {}
  };
  /// During its lifetime, every draw on this thread returns the recorded one. Throws when there are more draws than
  /// recorded.
  class Replay : public Scope {
   public:
    [[nodiscard]] explicit Replay(RandomTape& tape) : Scope(tape, true) {}
  };

 private:
  std::vector<RandomPosition> draws_;
};

}  // namespace gradus
