#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lost_results.sh COMPILER INCLUDE-DIRECTORY: checks that the compiler warns of each line of lost_results.cpp that is
# marked `lost`, and of no other line.
set -eu

source=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)/lost_results.cpp
expected=$(grep -nE '// lost$' "$source" | cut -d: -f1)
warned=$("$1" -std=c++20 -fsyntax-only -Wall -Wextra -I "$2" "$source" 2>&1 |
  grep -oE 'lost_results\.cpp:[0-9]+:[0-9]+: (warning|error)' | cut -d: -f2 | sort -nu)
if [[ $warned != "$expected" ]]; then
  diff <(echo "$expected") <(echo "$warned") | sed -nE "s/^< /not warned of: $(basename "$source"):/p; s/^> /warned of: $(basename "$source"):/p"
  exit 1
fi
