# Finds OpenBLAS with its own cblas.h and makes the target GradusOpenBLAS::GradusOpenBLAS.
#
# CMake's FindBLAS looks for any BLAS and knows no header. Debian keeps one folder per flavour (openblas-pthread, ...)
# and a generic cblas.h beside them, which need not be OpenBLAS's: the flavour's folder is therefore tried first.
# The name differs from OpenBLAS's own config file on purpose, which names paths but no target.

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
  add_library(GradusOpenBLAS::GradusOpenBLAS UNKNOWN IMPORTED)
  set_target_properties(GradusOpenBLAS::GradusOpenBLAS PROPERTIES
    IMPORTED_LOCATION "${GradusOpenBLAS_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${GradusOpenBLAS_INCLUDE_DIR}")
endif()
