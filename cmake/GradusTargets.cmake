# Makes the targets of the rooms, and from all rooms the library gradus::gradus.

# All programs of a build go into one folder.
if(PROJECT_IS_TOP_LEVEL)
  set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endif()

# `#include <gradus/nn/recurrent/recurrent.hpp>` is spelt alike before and after installation: here `gradus` is a folder of links.
set(GRADUS_INCLUDE_DIR "${PROJECT_BINARY_DIR}/include")
file(MAKE_DIRECTORY "${GRADUS_INCLUDE_DIR}/gradus")
foreach(_gradus_name IN ITEMS tensor autograd nn optim examples gradus.hpp)
  file(CREATE_LINK "${PROJECT_SOURCE_DIR}/${_gradus_name}" "${GRADUS_INCLUDE_DIR}/gradus/${_gradus_name}" SYMBOLIC)
endforeach()

# Every target of gradus is compiled with these options; the targets of users are not.
# There is no -ffast-math, because masks need infinities. These two options only drop errno and signal flags.
add_library(gradus_options INTERFACE)
target_compile_features(gradus_options INTERFACE cxx_std_20)
# No contraction: the place where the compiler sees a * b + c must not decide whether it rounds once (kernels ask for it
# by name).
target_compile_options(gradus_options INTERFACE -fno-math-errno -fno-trapping-math -ffp-contract=off)
# Where a loop happens to start in a line of the cache can cost it 3 %: a change elsewhere must not decide that.
target_compile_options(gradus_options INTERFACE -falign-functions=64 -falign-loops=32)
# In a project without a build type, gradus would be compiled without optimization, and be twelve times as slow.
if(NOT PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES
    AND NOT "${CMAKE_CXX_FLAGS}" MATCHES "(^| )-O")
  message(STATUS "gradus: no build type is set, so gradus's own sources are compiled with -O3; "
    "set CMAKE_BUILD_TYPE, or -O in CMAKE_CXX_FLAGS, to choose otherwise")
  target_compile_options(gradus_options INTERFACE -O3)
  target_compile_definitions(gradus_options INTERFACE NDEBUG)
endif()
if(PROJECT_IS_TOP_LEVEL)
  target_compile_options(gradus_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Wnon-virtual-dtor
    $<$<BOOL:${GRADUS_WERROR}>:-Werror>)
endif()
if(GRADUS_SANITIZE)
  list(JOIN GRADUS_SANITIZE "," _gradus_sanitizers)
  target_compile_options(gradus_options INTERFACE
    -fsanitize=${_gradus_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(gradus_options INTERFACE -fsanitize=${_gradus_sanitizers})
  # GCC's own warnings give false alarms inside the standard library when the sanitizers add code.
  target_compile_options(gradus_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()
if(GRADUS_BUILD_FUZZERS)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "GRADUS_BUILD_FUZZERS needs Clang, which brings libFuzzer: set CMAKE_CXX_COMPILER to clang++.")
  endif()
  target_compile_options(gradus_options INTERFACE -fsanitize=fuzzer-no-link)
  # Turns off the check of CRCs, which a fuzzer would never guess.
  target_compile_definitions(gradus_options INTERFACE FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION)
endif()

# The settings for each target of gradus, library or program.
function(gradus_own target)
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:gradus_options>)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()

# gradus_precompile(target headers...): a third of the time of a build without optimization. Never in the release build,
# which would no longer notice a missing #include.
function(gradus_precompile target)
  if(GRADUS_PRECOMPILE)
    target_precompile_headers(${target} PRIVATE ${ARGN})
  endif()
endfunction()

# gradus_join_folders(target sources): with GRADUS_UNITY, the sources of a folder are compiled as one, so that each
# header is read once for all of them. So names in the anonymous namespaces of a folder must differ. Not the kernels that
# are compiled once for each instruction set, and not the ops whose enums name their slots (kX, kWeight).
function(gradus_join_folders target sources)
  if(NOT GRADUS_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  # GCC takes an anonymous namespace in an included source for one in a header.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  foreach(source IN LISTS sources)
    if(source MATCHES "/ops/(sequence|attention)/" OR (source MATCHES "/kernels/" AND NOT GRADUS_ONE_SIMD_TARGET))
      continue()
    endif()
    cmake_path(GET source PARENT_PATH folder)
    cmake_path(RELATIVE_PATH folder BASE_DIRECTORY "${PROJECT_SOURCE_DIR}")
    string(REPLACE "/" "_" group "${folder}")
    set_source_files_properties("${source}" PROPERTIES UNITY_GROUP "${group}")
  endforeach()
endfunction()

# gradus_add_room(name [KNOWS lower rooms...] [FOLDER the sub-folder that it is] [WITHOUT sub-folders that are rooms...])
#
# A room is a static library that links only with the rooms below it, so a call upward does not link. Sources are found
# at any depth and looked up again at each build. A new op is one new file, one line in the list and one declaration,
# without a change to a CMakeLists.txt.
function(gradus_add_room name)
  cmake_parse_arguments(room "" "FOLDER" "KNOWS;WITHOUT" ${ARGN})
  cmake_path(APPEND CMAKE_CURRENT_SOURCE_DIR "${room_FOLDER}" "*.cpp" OUTPUT_VARIABLE pattern)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${pattern}")
  foreach(folder IN LISTS room_WITHOUT)
    list(FILTER sources EXCLUDE REGEX "/${name}/${folder}/")
  endforeach()

  set(target gradus_${name})
  add_library(${target} STATIC ${sources})
  gradus_own(${target})
  gradus_join_folders(${target} "${sources}")
  if(name STREQUAL "autograd")
    gradus_precompile(${target} <gradus/autograd/ops.hpp> <gradus/autograd/engine/example.hpp>)
  elseif(GRADUS_PRECOMPILE AND NOT name MATCHES "^(tensor|nn_drawing|optim_data)$")
    target_precompile_headers(${target} REUSE_FROM gradus_autograd)
  endif()
  target_include_directories(${target} PUBLIC "${GRADUS_INCLUDE_DIR}")
  target_compile_definitions(${target} PRIVATE GRADUS_BUILDING)
  target_compile_features(${target} PUBLIC cxx_std_20)
  foreach(lower IN LISTS room_KNOWS)
    target_link_libraries(${target} PUBLIC gradus_${lower})
  endforeach()
  if(BUILD_SHARED_LIBS)
    # Without the second option, GCC would call exported functions through the symbol table and inline none of them.
    target_compile_definitions(${target} PUBLIC GRADUS_SHARED)
    target_compile_options(${target} PRIVATE -fno-semantic-interposition)
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  endif()
endfunction()

# The one library that users link: the objects of all rooms. (Our tests link the rooms instead, because they also test
# functions that a shared library hides.)
function(gradus_add_library)
  add_library(gradus)
  add_library(gradus::gradus ALIAS gradus)
  foreach(room IN ITEMS tensor autograd autograd_check nn nn_check nn_drawing optim optim_data optim_training)
    target_sources(gradus PRIVATE $<TARGET_OBJECTS:gradus_${room}>)
  endforeach()
  gradus_own(gradus)
  target_include_directories(gradus INTERFACE
    $<BUILD_INTERFACE:${GRADUS_INCLUDE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_compile_features(gradus INTERFACE cxx_std_20)
  target_link_libraries(gradus PRIVATE OpenMP::OpenMP_CXX hwy::hwy ZLIB::ZLIB ${CMAKE_DL_LIBS})
  if(GRADUS_PNG)
    target_link_libraries(gradus PRIVATE PkgConfig::GRADUS_PANGO)
  endif()
  if(BUILD_SHARED_LIBS)
    target_compile_definitions(gradus INTERFACE GRADUS_SHARED)
  endif()
  set_target_properties(gradus PROPERTIES
    LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endfunction()
