# `cmake --install`, and the files that `find_package(gradus)` reads afterwards.

include(CMakePackageConfigHelpers)
set(_gradus_config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/gradus")

install(TARGETS gradus EXPORT gradus-targets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT gradus-targets NAMESPACE gradus:: DESTINATION "${_gradus_config_dir}")

foreach(_gradus_header IN LISTS GRADUS_PUBLIC_HEADERS)
  get_filename_component(_gradus_folder "${_gradus_header}" DIRECTORY)
  install(FILES "${PROJECT_SOURCE_DIR}/${_gradus_header}"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/gradus/${_gradus_folder}")
endforeach()

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/gradus-config.cmake.in" "${PROJECT_BINARY_DIR}/gradus-config.cmake"
  INSTALL_DESTINATION "${_gradus_config_dir}"
  NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/gradus-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/gradus-config.cmake"
  "${PROJECT_BINARY_DIR}/gradus-config-version.cmake"
  DESTINATION "${_gradus_config_dir}")
