#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every entry of the catalogue must still match its source, and one that does not must be found. 77: there is no python3.
set -euo pipefail
command -v python3 >/dev/null 2>&1 || exit 77
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
export PYTHONDONTWRITEBYTECODE=1
python3 "$here/plant.py" --check

# refused SENTENCE ORIGINAL WRONG [NAME: VALUE]: a catalogue of this one entry stops with the sentence.
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
refused() {
  local message status=0
  printf 'mutant: one\nkind: k\nfile: autograd/matmul.cpp\nop: matmul\nsignature: -\n%s\n---\n%s\n+++\n%s\n===\n' \
    "${4:-}" "$2" "$3" >"$folder/entry.txt"
  message=$(python3 "$here/plant.py" --check "$folder" 2>&1) || status=$?
  if [[ $status == 0 || $message != *"$1"* ]]; then
    printf 'expected "%s", got status %s and "%s"\n' "$1" "$status" "$message"
    exit 1
  fi
}
refused 'one: the original text occurs 0 times in autograd/matmul.cpp, once is needed' 'no such text' 'x'
refused 'one: the original text occurs 2 times in autograd/matmul.cpp' '.saves = {.inputs = 0b11}' 'x'
refused 'one: its brackets do not match' 'sum(v.cotangent(), {0})' 'sum(v.cotangent(), {0}'
refused 'one: a statement must become a statement' 'v.set(2, sum(v.cotangent(), {0}));' 'v.cotangent()'
refused "expected one of mutant, kind, file, op, signature, after; got 'colour: red'" 'x' 'y' 'colour: red'
refused "one: 'const' occurs " 'x' 'y' 'after: const'
