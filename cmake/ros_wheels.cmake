# Needed only where ROS comes from PyPI wheels: pass -DCMAKE_PROJECT_INCLUDE=cmake/ros_wheels.cmake.
# The wheels' exported targets name include directories of the machine they were built on (/opt/python/...), and CMake
# refuses a target whose include directory does not exist. Python's own headers are found separately.
function(drop_missing_include_directories)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(directories)
      list(FILTER directories EXCLUDE REGEX "^/opt/python/")
      set_property(TARGET ${target} PROPERTY INTERFACE_INCLUDE_DIRECTORIES "${directories}")
    endif()
  endforeach()
endfunction()
cmake_language(DEFER CALL drop_missing_include_directories)
