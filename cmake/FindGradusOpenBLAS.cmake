# Finds OpenBLAS with its own cblas.h and makes the target GradusOpenBLAS::GradusOpenBLAS: the header, and the name
# under which the library is loaded at run time (tensor/kernels/gemm/blas.cpp explains why it is not linked).
#
# CMake's FindBLAS looks for any BLAS and does not look for a header. Debian has one folder per flavour
# (openblas-pthread, ...) and next to them a generic cblas.h, which may belong to another BLAS. So the folder of the
# flavour is tried first. The name differs from OpenBLAS's own config file on purpose, because that file gives paths but
# no target.

find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(_GradusOpenBLAS_PC QUIET openblas)
endif()

find_path(GradusOpenBLAS_INCLUDE_DIR
  NAMES cblas.h
  HINTS ${_GradusOpenBLAS_PC_INCLUDE_DIRS} ${OpenBLAS_ROOT} $ENV{OpenBLAS_ROOT}
  PATH_SUFFIXES openblas-pthread openblas-openmp openblas-serial openblas include include/openblas)
find_library(GradusOpenBLAS_LIBRARY
  NAMES openblas
  HINTS ${_GradusOpenBLAS_PC_LIBRARY_DIRS} ${OpenBLAS_ROOT} $ENV{OpenBLAS_ROOT}
  PATH_SUFFIXES openblas-pthread openblas-openmp openblas-serial lib)
mark_as_advanced(GradusOpenBLAS_INCLUDE_DIR GradusOpenBLAS_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(GradusOpenBLAS
  REQUIRED_VARS GradusOpenBLAS_LIBRARY GradusOpenBLAS_INCLUDE_DIR)

if(GradusOpenBLAS_FOUND AND NOT TARGET GradusOpenBLAS::GradusOpenBLAS)
  # The library's own name (libopenblas.so.0) selects the flavour that the system has chosen.
  find_program(GradusOpenBLAS_READELF NAMES readelf llvm-readelf)
  mark_as_advanced(GradusOpenBLAS_READELF)
  set(_gradus_openblas_name "${GradusOpenBLAS_LIBRARY}")
  if(GradusOpenBLAS_READELF)
    execute_process(COMMAND "${GradusOpenBLAS_READELF}" -d "${GradusOpenBLAS_LIBRARY}"
      OUTPUT_VARIABLE _gradus_openblas_head ERROR_QUIET)
    if(_gradus_openblas_head MATCHES "soname: \\[([^]]+)\\]")
      set(_gradus_openblas_name "${CMAKE_MATCH_1}")
    endif()
  endif()
  add_library(GradusOpenBLAS::GradusOpenBLAS INTERFACE IMPORTED)
  set_target_properties(GradusOpenBLAS::GradusOpenBLAS PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${GradusOpenBLAS_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS "GRADUS_OPENBLAS=\"${_gradus_openblas_name}\""
    INTERFACE_LINK_LIBRARIES "${CMAKE_DL_LIBS}")
endif()
