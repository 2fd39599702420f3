#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# docs.sh check ROOT         checks every code block of README.md, CONTRIBUTING.md and docs/*.md
# docs.sh extract ROOT DIR   writes the C++ blocks into DIR, for the build to compile: programs as <doc>_<n>.program.cpp
#                            (blocks with a main), others as <doc>_<n>.snippet.cpp; prints nothing
#
# What a code block may be:
#   ```cpp    a whole program or a file that compiles; below a line <!-- excerpt: path -->, a block that the file has,
#             line for line
#   ```sh     commands; those of this repository (scripts/..., build presets aside) must exist
#   ```cmake, ```text, ```json   not checked
# The files of the rooms that the text names must exist.
set -eu

documents() {
  local file
  for file in README.md CONTRIBUTING.md docs/*.md; do
    if [[ -f $file ]]; then echo "$file"; fi
  done
}

# Splits one document: blocks go to $2/<n>.<kind>, and lines "n line kind excerpt-path" to $2/index.
split_blocks() {
  mkdir -p "$2"
  : >"$2/index"
  awk -v dir="$2" '
    !inside && /^ *```/ {
      kind = $0; sub(/^ *```/, "", kind); if (kind == "") kind = "-"
      inside = 1; n++; start = NR; file = dir "/" n ".block"; printf "" > file
      path = "-"
      if (previous ~ /^<!-- excerpt: .* -->$/) { path = previous; sub(/^<!-- excerpt: /, "", path); sub(/ -->$/, "", path) }
      next
    }
    inside && /^ *```/ { inside = 0; close(file); print n, start, kind, path > (dir "/index"); previous = ""; next }
    inside { print > file; next }
    { previous = $0 }
    END { if (inside) print n, start, "endless", "-" > (dir "/index") }' "$1"
}

# True when the lines of file $1 occur, one after the other, in file $2.
contains_lines() {
  awk 'NR == FNR { want[++count] = $0; next }
    { have[++size] = $0 }
    END {
      for (i = 1; i + count - 1 <= size; i++) {
        for (k = 1; k <= count && have[i + k - 1] == want[k]; k++);
        if (k > count) exit 0
      }
      exit 1
    }' "$1" "$2"
}

# The files that a document names exist. docs/MUTANTS.md is written by scripts/mutants, about the tree of its day.
check_paths() {
  local doc=$1 line path
  if [[ $doc == docs/MUTANTS.md ]]; then return; fi
  { grep -noE '\b(tensor|autograd|nn|optim|examples|tests|bench|cmake)/[A-Za-z0-9_/-]+\.(hpp|cpp|inc|cmake|txt|sh|py)\b' "$doc" || true; } |
    while IFS=: read -r line path; do
      [[ -f $path ]] || echo "$doc:$line: no such file: $path"
    done
}

check_document() {
  local doc=$1 blocks=$2 n line kind path text command
  split_blocks "$doc" "$blocks"
  check_paths "$doc"
  while read -r n line kind path; do
    case $kind in
      cpp)
        if [[ $path == - ]]; then
          continue
        elif [[ ! -f $path ]]; then
          echo "$doc:$line: no such file: $path"
        elif ! contains_lines "$blocks/$n.block" "$path"; then
          echo "$doc:$line: not an excerpt of $path, which may have changed"
        fi
        ;;
      sh)
        while IFS= read -r text; do
          line=$((line + 1))
          for command in $(grep -oE '(^|[ /])(scripts|\.ci|bench|tests)/[A-Za-z0-9_./-]+' <<<"$text" | sed -E 's,^[ /],,'); do
            [[ -e $command ]] || echo "$doc:$line: no such command: $command"
          done
        done <"$blocks/$n.block"
        ;;
      cmake | text | json) ;;
      endless) echo "$doc:$line: a code block that never ends" ;;
      -) echo "$doc:$line: an unmarked code block: cpp, sh, cmake, json or text" ;;
      *) echo "$doc:$line: a code block marked \"$kind\": cpp, sh, cmake, json or text" ;;
    esac
  done <"$blocks/index"
}

extract_document() {
  local doc=$1 blocks=$2 out=$3 n line kind path name
  split_blocks "$doc" "$blocks"
  while read -r n line kind path; do
    if [[ $kind != cpp || $path != - ]]; then continue; fi
    name=$(basename "$doc" .md)_$n.snippet.cpp
    if grep -qE '^int main\(' "$blocks/$n.block"; then name=${name%.snippet.cpp}.program.cpp; fi
    { echo "#line $((line + 1)) \"$PWD/$doc\""; cat "$blocks/$n.block"; } >"$blocks/$name"
    kept="$kept $name"
    # An unchanged block keeps its file, so that nothing is compiled again.
    cmp -s "$blocks/$name" "$out/$name" || cp "$blocks/$name" "$out/$name"
  done <"$blocks/index"
}

mode=$1
cd -- "$2"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

case $mode in
  check)
    problems=$(documents | while IFS= read -r doc; do check_document "$doc" "$work/$doc"; done)
    if [[ -n $problems ]]; then
      printf '%s\n' "$problems"
      exit 1
    fi
    ;;
  extract)
    mkdir -p "$3"
    kept=""
    while IFS= read -r doc; do extract_document "$doc" "$work/$doc" "$3"; done < <(documents)
    for old in "$3"/*.cpp; do
      if [[ -f $old && " $kept " != *" $(basename "$old") "* ]]; then rm -- "$old"; fi
    done
    ;;
  *)
    echo "docs.sh: check or extract, not '$mode'" >&2
    exit 2
    ;;
esac
