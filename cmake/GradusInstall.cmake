# `cmake --install` and what `find_package(gradus)` reads afterwards.

include(CMakePackageConfigHelpers)
set(_gradus_config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/gradus")

install(TARGETS gradus EXPORT gradus-targets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT gradus-targets NAMESPACE gradus:: DESTINATION "${_gradus_config_dir}")

# The public headers, spelt as in the source tree. tensor/kernels, autograd/check and *-inl.hpp are private.
foreach(_gradus_folder IN ITEMS tensor autograd nn optim)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/${_gradus_folder}/"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/gradus/${_gradus_folder}"
    FILES_MATCHING
    PATTERN "*-inl.hpp" EXCLUDE
    PATTERN "*.hpp"
    PATTERN "*.inc"
    PATTERN "kernels" EXCLUDE
    PATTERN "check" EXCLUDE)
endforeach()
install(FILES "${PROJECT_SOURCE_DIR}/gradus.hpp" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/gradus")

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/gradus-config.cmake.in" "${PROJECT_BINARY_DIR}/gradus-config.cmake"
  INSTALL_DESTINATION "${_gradus_config_dir}"
  NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/gradus-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/gradus-config.cmake"
  "${PROJECT_BINARY_DIR}/gradus-config-version.cmake"
  DESTINATION "${_gradus_config_dir}")
