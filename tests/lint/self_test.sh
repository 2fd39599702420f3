#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Tests lint.sh and docs.sh: a small clean tree passes every rule, and each planted violation is found at its place.
set -eu

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
failures=0
checks=0

complain() {
  echo "self-test: $*"
  failures=$((failures + 1))
}

# A tree that breaks no rule. It contains allowed code that is close to violations.
clean_tree() {
  rm -rf -- "$work/tree"
  mkdir -p "$work/tree"/{tensor/kernels/gemm,tensor/kernels/simd,tensor/runtime,autograd/ops,nn,optim,examples,tests/nn,bench,docs,scripts,cmake}
  cd -- "$work/tree"
  spdx='// SPDX-License-Identifier: MIT'
  printf '%s\n' "$spdx" '#include <cblas.h>' 'void f() { cblas_sgemm(); }' >tensor/kernels/gemm/blas.cpp
  printf '%s\n' "$spdx" '#include <omp.h>' '#pragma omp parallel' >tensor/runtime/thread_team_openmp.cpp
  printf '%s\n' "$spdx" '#include <hwy/highway.h>' >tensor/kernels/simd/simd-inl.hpp
  printf '%s\n' "$spdx" '#include <vector>' '#include <gradus/tensor/shape.hpp>' >tensor/tensor.hpp
  printf '%s\n' "$spdx" '#include <gradus/tensor/tensor.hpp>' 'extern const OpDef tanh_op;' 'const OpDef tanh_op = {' '};' \
    >autograd/ops/tanh.cpp
  printf '%s\n' '// SPDX-License-Identifier: MIT' 'GRADUS_OP(tanh)' >autograd/ops/ops_list.inc
  printf '%s\n' "$spdx" '#include <gradus/autograd/variable.hpp>' '#include <gradus/nn/module.hpp>' >nn/linear.hpp
  printf '%s\n' "$spdx" '#include <gradus/autograd/parameter.hpp>' >optim/adam.hpp
  printf '%s\n' "$spdx" '#include <gradus/gradus.hpp>' >examples/demo_main.cpp
  { printf '%s\n' "$spdx" '#include "tests/support/catch.hpp"' 'TEST_CASE("a") {' '  REQUIRE(true);' '}' \
    'TEST_CASE("b") {' '  check_all(1);' '}'
    printf '%s\n' 'void sixty() {'; yes '  f();' | head -n 60; printf '%s\n' '}'
  } >tests/nn/linear_test.cpp
  printf '%s\n' "$spdx" "// $(printf 'ש%.0s' {1..117})" >nn/width.cpp
  printf '%s\n' '```cpp' 'int main() {}' '```' '' '<!-- excerpt: autograd/ops/tanh.cpp -->' '```cpp' 'const OpDef tanh_op = {' '};' \
    '```' '```text' 'anything' '```' '```sh' 'scripts/demo --help' '```' >README.md
  touch scripts/demo
  printf '%s\n' "$spdx" '// A layer.' '#pragma once' >nn/face.hpp
  printf '%s\n' 'set(GRADUS_PUBLIC_HEADERS' '  nn/face.hpp' ')' >cmake/GradusPublicHeaders.cmake
}

# passes RULE / finds RULE TEXT: runs one rule over the current tree.
passes() {
  checks=$((checks + 1))
  local out
  out=$(run "$1") || complain "$1 refuses what is allowed: $out"
}
finds() {
  checks=$((checks + 1))
  local out
  if out=$(run "$1"); then
    complain "$1 does not see: $2"
  elif [[ $out != *"$2"* ]]; then
    complain "$1 says '$out' and not: $2"
  fi
}
run() {
  case $1 in
    docs) bash "$here/docs.sh" check "$work/tree" ;;
    *) bash "$here/lint.sh" "$1" "$work/tree" ;;
  esac
}

# plant RULE FILE WHERE LINES...: adds lines to a file of a clean tree; the rule must name WHERE.
plant() {
  local rule=$1 file=$2 where=$3
  shift 3
  clean_tree
  printf '%s\n' "$@" >>"$file"
  finds "$rule" "$where"
}

all_rules='include_direction public_face public_headers_are_slim file_size function_size test_cases_assert ops_are_listed
  vjps_use_public_ops blas_and_openmp_in_one_file spdx_line messages_are_asserted docs'
for rule in $all_rules; do
  clean_tree
  passes "$rule"
done

plant include_direction tensor/tensor.hpp tensor/tensor.hpp:4 '#include <gradus/autograd/variable.hpp>'
plant include_direction tensor/tensor.hpp tensor/tensor.hpp:4 '#include <gradus/gradus.hpp>'
plant include_direction tensor/kernels/gemm/blas.cpp tensor/kernels/gemm/blas.cpp:4 '#  include <gradus/nn/linear.hpp>'
plant include_direction autograd/ops/tanh.cpp autograd/ops/tanh.cpp:6 '#include <gradus/nn/linear.hpp>'
plant include_direction nn/linear.hpp nn/linear.hpp:4 '#include <gradus/optim/adam.hpp>'
plant include_direction optim/adam.hpp optim/adam.hpp:3 '#include <gradus/nn/linear.hpp>'
plant include_direction optim/adam.hpp optim/adam.hpp:3 '#include "../nn/linear.hpp"'
plant include_direction optim/adam.hpp optim/adam.hpp:3 '#include <nn/linear.hpp>'
plant include_direction nn/linear.hpp nn/linear.hpp:4 '#include <gradus/nn/check/gradcheck.hpp>'
plant include_direction examples/demo_main.cpp examples/demo_main.cpp:3 '#include "tests/support/catch.hpp"'
plant public_face nn/face.hpp 'nn/face.hpp includes a header that is not installed: nn/linear.hpp' '#include <gradus/nn/linear.hpp>'
plant public_face cmake/GradusPublicHeaders.cmake 'there is no file nn/gone.hpp' '  nn/gone.hpp'
plant public_face cmake/GradusPublicHeaders.cmake 'optim/adam.hpp:2: expected a line' '  optim/adam.hpp'
clean_tree
for i in {1..60}; do echo '  nn/face.hpp'; done >>cmake/GradusPublicHeaders.cmake
finds public_face '61 headers, 60 are allowed'
plant public_headers_are_slim tensor/tensor.hpp tensor/tensor.hpp:4 '#include <hwy/highway.h>'
plant public_headers_are_slim nn/linear.hpp nn/linear.hpp:4 '#include <nlohmann/json.hpp>'
plant public_headers_are_slim nn/linear.hpp nn/linear.hpp:4 '#include <cblas.h>'
plant file_size nn/linear.hpp nn/linear.hpp:4 "// $(printf 'x%.0s' {1..118})"
plant file_size nn/linear.hpp 'nn/linear.hpp: 403 lines' $(yes '//' | head -n 400)
clean_tree
{ echo 'void f() {'; yes '  g();' | head -n 61; echo '}'; } >>nn/linear.hpp
finds function_size 'nn/linear.hpp:4: a body of 61'
clean_tree
{ printf '%s\n' 'class C {' '  void f() {'; yes '    g();' | head -n 61; printf '%s\n' '  }' '};'; } >>nn/linear.hpp
finds function_size 'nn/linear.hpp:5: a body of 61'
plant test_cases_assert tests/nn/linear_test.cpp 'no assertion in TEST_CASE("c")' 'TEST_CASE("c") {' '  f();' '}'
plant test_cases_assert tests/nn/linear_test.cpp 'no assertion in TEST_CASE("c")' 'TEST_CASE("c") {' '}' \
  'TEST_CASE("d") {' '  CHECK(true);' '}'
plant ops_are_listed autograd/ops/tanh.cpp 'sigmoid_op is missing' 'const OpDef sigmoid_op{' '};'
plant vjps_use_public_ops autograd/ops/tanh.cpp autograd/ops/tanh.cpp:6 '  return x.value();'
plant blas_and_openmp_in_one_file nn/linear.hpp nn/linear.hpp:4 '#include <cblas.h>'
plant blas_and_openmp_in_one_file tensor/runtime/thread_team_openmp.cpp tensor/runtime/thread_team_openmp.cpp:4 'openblas_set_num_threads(1);'
plant blas_and_openmp_in_one_file tensor/kernels/gemm/blas.cpp tensor/kernels/gemm/blas.cpp:4 '#pragma omp parallel for'
plant blas_and_openmp_in_one_file tests/nn/linear_test.cpp tests/nn/linear_test.cpp '#include <omp.h>'
clean_tree
echo 'int x;' >nn/no_licence.cpp
finds spdx_line nn/no_licence.cpp:1
for said in '"[tanh] expected"' '"[tan" "h] expected a matrix, got "' '"[", op, "] expected a square matrix"'; do
  plant messages_are_asserted nn/linear.hpp nn/linear.hpp:5 '' "GRADUS_CHECK(f(')'), $said, g());"
done
clean_tree
{ echo 'CHECK(text == "[tanh] expected a matrix, got nothing");'; echo 'CHECK(text == "[sin] expected a square matrix");'; } \
  >>tests/nn/linear_test.cpp
{ echo 'GRADUS_CHECK(f(x), "[tan"'; echo '  "h] expected a matrix, got ", g(x));'; } >>nn/linear.hpp
echo 'GRADUS_CHECK(f(x), "[", op, "] expected a square matrix");' >>nn/linear.hpp
passes messages_are_asserted
plant docs README.md 'README.md:16: an unmarked code block' '```' 'what is this' '```'
plant docs README.md 'README.md:16: a code block marked "python"' '```python' '```'
plant docs README.md 'README.md:17: no such command: scripts/gone' '```sh' 'scripts/gone now' '```'
plant docs README.md 'README.md:17: not an excerpt of autograd/ops/tanh.cpp' \
  '<!-- excerpt: autograd/ops/tanh.cpp -->' '```cpp' 'const OpDef tanh_op = {' '}' '```'
plant docs README.md 'README.md:17: not an excerpt of autograd/ops/tanh.cpp' \
  '<!-- excerpt: autograd/ops/tanh.cpp -->' '```cpp' 'const OpDef tan_op = {' '```'
plant docs README.md 'README.md:17: no such file: nn/gone.cpp' '<!-- excerpt: nn/gone.cpp -->' '```cpp' 'x' '```'
plant docs README.md 'README.md:16: no such file: nn/gone.hpp' 'What `nn/gone.hpp` says.'
plant docs docs/DESIGN.md 'docs/DESIGN.md:1: a code block that never ends' '```text' 'x'

echo "self-test: $checks checks, $failures failures"
[[ $failures == 0 ]]
