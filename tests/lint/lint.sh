#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lint.sh RULE ROOT: checks one rule of the code below ROOT, prints each violation as file:line and exits with 1 if
# there is any. Uses only bash, grep and awk, so that the tests need nothing but a compiler. self_test.sh tests for each
# rule that it finds a planted violation.
set -eu  # not pipefail: a grep that finds nothing is the normal case here
export LC_ALL=C.UTF-8

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
rooms=(tensor autograd nn optim examples tests bench)

# Prints the C++ files below the given folders.
sources() {
  local folder
  for folder in "$@"; do
    if [[ -d $folder ]]; then find "$folder" -type f \( -name '*.hpp' -o -name '*.cpp' -o -name '*.inc' \); fi
  done | sort
}

# Runs grep over the files on stdin. Finding nothing is not a failure. (-H prints the name even for one file.)
search() { xargs -r -d '\n' grep -HnE "$@" || true; }

# An #include may point sideways or down, never up: nn and optim do not see each other.
include_direction() {
  local room may_see
  for room in "${rooms[@]}"; do
    case $room in
      tensor) may_see='tensor' ;;
      autograd) may_see='tensor|autograd' ;;
      nn) may_see='tensor|autograd|nn' ;;
      optim) may_see='tensor|autograd|optim' ;;
      examples) may_see='tensor|autograd|nn|optim|examples|gradus\.hpp' ;;
      *) may_see='tensor|autograd|nn|optim|examples|gradus\.hpp' ;;
    esac
    sources "$room" | search '^ *# *include *[<"]gradus/' | grep -vE "include *<gradus/($may_see)[/>]"
    # The checks of derivatives may use the rest of their room, but the rest may not use them.
    case $room in
      autograd | nn) sources "$room" | grep -vE "^$room/check/" | search '^ *# *include *[<"]gradus/(autograd|nn)/check/' ;;
    esac
    # The lines above do not see other spellings of our own headers.
    case $room in
      tests | bench) ;;
      *) sources "$room" | search '^ *# *include *([<"](tensor|autograd|nn|optim|examples|tests|bench)/|"|<\.)' ;;
    esac
  done
}

# At most 60 headers are installed. Each has a line that states its purpose, and none includes a header that is not
# installed.
public_face() {
  local list=cmake/GradusPublicHeaders.cmake header headers
  headers=$(grep -E '^  [a-z].*\.hpp$' "$list" | tr -d ' ')
  if (($(wc -l <<<"$headers") > 60)); then echo "$list: $(wc -l <<<"$headers") headers, 60 are allowed"; fi
  while IFS= read -r header; do
    if [[ ! -f $header ]]; then
      echo "$list: there is no file $header"
      continue
    fi
    [[ $(sed -n 2p "$header") == '// '* ]] || echo "$header:2: expected a line that says what this header is for"
    { grep -oE '^ *# *include *<gradus/[^>]+' "$header" || true; } | sed 's/.*<gradus.//' | grep -vxF "$headers" |
      sed "s|^|$header includes a header that is not installed: |"
  done <<<"$headers"
}

# No public header may require users to install or compile a third-party one.
public_headers_are_slim() {
  { sources tensor autograd nn optim | grep -E '\.hpp$' | grep -vE '^tensor/kernels/|-inl\.hpp$'
    if [[ -f gradus.hpp ]]; then echo gradus.hpp; fi
  } | search '^ *# *include *<' | grep -vE 'include *<(gradus/[a-z0-9_/]+\.(hpp|inc)|[a-z0-9_]+|sys/single_threaded\.h)>'
}

# 400 lines of 120 columns.
file_size() {
  local file
  sources "${rooms[@]}" | while IFS= read -r file; do
    awk -v file="$file" 'END { if (NR > 400) print file ": " NR " lines, 400 are allowed" }' "$file"
  done
  sources "${rooms[@]}" | search '^.{121,}$' | cut -c1-160
}

# No function over 60 lines. Relies on clang-format: a body opens with a line that ends in '{' at column 0 or 2 and ends
# with '}' at the same column.
function_size() {
  local file
  sources "${rooms[@]}" | while IFS= read -r file; do
    awk -v file="$file" '
      function column(text) { match(text, /^ */); return RLENGTH }
      /\{$/ && !/^ *(namespace|class|struct|enum|union|extern|template <[^(]*> *(class|struct))[ {]/ && !/= *\{$/ {
        if (column($0) == 0 || column($0) == 2) { start[column($0)] = NR; head[column($0)] = $0 }
      }
      /^ *\}/ {
        c = column($0)
        if ((c == 0 || c == 2) && start[c]) {
          if (NR - start[c] - 1 > 60)
            print file ":" start[c] ": a body of " NR - start[c] - 1 " lines, 60 are allowed: " head[c]
          start[c] = 0
        }
      }' "$file"
  done
}

# A test that cannot fail is a defect. Each TEST_CASE must have an assertion, or call a helper named check_/require_.
test_cases_assert() {
  local file
  sources tests | grep -E '_test\.cpp$' | while IFS= read -r file; do
    awk -v file="$file" '
      function finish() { if (name != "" && !asserts) print file ":" line ": no assertion in " name }
      /^(TEMPLATE_)?(TEST_CASE|SCENARIO)/ { finish(); name = $0; line = NR; asserts = 0 }
      /(REQUIRE|CHECK)[A-Z_]*\(|(^|[^a-z_])(check|require)_[a-z0-9_]*(<[^(]*>)?\(/ { asserts = 1 }
      END { finish() }' "$file"
  done
}

# Each op that is defined must be on the list that the battery and the tools read. (An op on the list that is not
# defined does not link.)
ops_are_listed() {
  local name where
  sources autograd/ops | search '^(extern )?const OpDef +[a-z0-9_]+_op\b' |
    sed -E 's/^([^:]+:[0-9]+):.*OpDef +([a-z0-9_]+)_op.*/\2 \1/' | while read -r name where; do
    grep -qsE "^ *GRADUS_OP\($name\)" autograd/ops/ops_list.inc ||
      echo "$where: ${name}_op is missing on autograd/ops/ops_list.inc: add the line GRADUS_OP($name)"
  done
}

# A derivative must use recorded ops. One that reads raw numbers is a constant for the next derivative.
vjps_use_public_ops() { sources autograd/ops | grep -E '\.cpp$' | search '\.value\(\)'; }

# Only one file may call BLAS, and only one file may mention omp.
blas_and_openmp_in_one_file() {
  sources "${rooms[@]}" | grep -vxF tensor/kernels/gemm/blas.cpp | search '\b(cblas|openblas)_[a-z]|include *[<"](cblas|f77blas|openblas)'
  sources "${rooms[@]}" | grep -vxF tensor/runtime/thread_team_openmp.cpp | search '^ *# *pragma +omp|_Pragma\("omp|include *[<"]omp\.h|\bomp_[a-z]'
}

# Every hand-written C++ file must name its licence in its first line.
spdx_line() {
  local file first
  sources "${rooms[@]}" | while IFS= read -r file; do
    IFS= read -r first <"$file" || true
    [[ $first == '// SPDX-License-Identifier: MIT' ]] || echo "$file:1: the first line is not the SPDX line"
  done
}

# A test must assert every error message, word by word.
messages_are_asserted() {
  local tests checks
  mapfile -t tests < <(sources tests autograd/ops | grep -E '\.(cpp|hpp)$')
  mapfile -t checks < <(sources tensor autograd nn optim | grep -vxF 'tensor/error.hpp')
  awk -f "$here/messages.awk" "${tests[@]}" sources=1 "${checks[@]}"
}

rule=$1
cd -- "$2"
violations=$("$rule"; true)
if [[ -n $violations ]]; then
  printf '%s\n' "$violations"
  exit 1
fi
