# Finds the dependencies of gradus. Each missing one stops the configure step with one sentence that says what to
# install.

function(gradus_require found purpose package)
  if(NOT found)
    message(FATAL_ERROR "gradus needs ${purpose}, and it was not found: on Debian or Ubuntu run "
      "'apt-get install ${package}'.")
  endif()
endfunction()

# The libraries that gradus links. gradus-config.cmake.in has the same list, for users of the static library.
find_package(GradusOpenBLAS QUIET)
gradus_require("${GradusOpenBLAS_FOUND}" "OpenBLAS with its header cblas.h (for matrix products)" "libopenblas-dev")

find_package(OpenMP QUIET COMPONENTS CXX)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  string(REGEX MATCH "^[0-9]+" _gradus_clang_major "${CMAKE_CXX_COMPILER_VERSION}")
  set(_gradus_openmp_package "libomp-${_gradus_clang_major}-dev")
else()
  set(_gradus_openmp_package "g++")
endif()
gradus_require("${OpenMP_CXX_FOUND}" "OpenMP for ${CMAKE_CXX_COMPILER_ID} (for threads)" "${_gradus_openmp_package}")

find_package(hwy QUIET CONFIG)
gradus_require("${hwy_FOUND}" "Highway (for SIMD instructions)" "libhwy-dev")

find_package(nlohmann_json QUIET CONFIG)
gradus_require("${nlohmann_json_FOUND}" "nlohmann-json (for the headers of weight files, and reports)" "nlohmann-json3-dev")

find_package(ZLIB QUIET)
gradus_require("${ZLIB_FOUND}" "zlib (for compressed .npz files)" "zlib1g-dev")

# The target in its config file has different names in different versions. The library is one header, so look for that.
find_path(GRADUS_UTF8_INCLUDE_DIR NAMES utf8.h PATH_SUFFIXES utf8cpp)
mark_as_advanced(GRADUS_UTF8_INCLUDE_DIR)
gradus_require("${GRADUS_UTF8_INCLUDE_DIR}" "utfcpp (for UTF-8 text)" "libutfcpp-dev")

if(GRADUS_PNG)
  find_package(PkgConfig QUIET)
  gradus_require("${PKG_CONFIG_FOUND}" "pkg-config (to find pango; -DGRADUS_PNG=OFF does without)" "pkg-config")
  pkg_check_modules(GRADUS_PANGO QUIET IMPORTED_TARGET pangocairo)
  gradus_require("${GRADUS_PANGO_FOUND}" "pango and cairo (for PNG pictures; -DGRADUS_PNG=OFF does without)"
    "libpango1.0-dev")
endif()

if(GRADUS_BUILD_EXAMPLES OR GRADUS_BUILD_TESTS OR GRADUS_BUILD_BENCH)
  find_package(CLI11 QUIET CONFIG)
  gradus_require("${CLI11_FOUND}" "CLI11 (for the examples' command lines)" "libcli11-dev")
endif()

if(GRADUS_BUILD_TESTS)
  find_package(Catch2 QUIET CONFIG)
  gradus_require("${Catch2_FOUND}" "Catch2 2.13 or 3 (for the tests; -DGRADUS_BUILD_TESTS=OFF does without)" "catch2")
endif()

if(GRADUS_BUILD_BENCH)
  find_package(benchmark QUIET CONFIG)
  gradus_require("${benchmark_FOUND}"
    "Google Benchmark (for the benchmarks; -DGRADUS_BUILD_BENCH=OFF does without)" "libbenchmark-dev")
endif()
