# OpenCV's core and imgproc alone, and imgcodecs where installed. Debian ships OpenCVConfig.cmake only with libopencv-dev, which pulls
# in every module and 200 MB of libraries; the two modules that the project needs are found by themselves.
find_path(OPENCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4)
set(modules core imgproc)
if(CUDACARDS_IMGCODECS)
  list(APPEND modules imgcodecs)
endif()
foreach(module IN LISTS modules)
  find_library(OPENCV_${module}_LIBRARY opencv_${module})
  if(OPENCV_INCLUDE_DIR AND OPENCV_${module}_LIBRARY AND EXISTS ${OPENCV_INCLUDE_DIR}/opencv2/${module}.hpp
     AND NOT TARGET opencv_${module})
    add_library(opencv_${module} UNKNOWN IMPORTED)
    set_target_properties(opencv_${module} PROPERTIES
      IMPORTED_LOCATION ${OPENCV_${module}_LIBRARY}
      INTERFACE_INCLUDE_DIRECTORIES ${OPENCV_INCLUDE_DIR})
  endif()
endforeach()
if(OPENCV_INCLUDE_DIR)
  file(STRINGS ${OPENCV_INCLUDE_DIR}/opencv2/core/version.hpp version_lines REGEX "#define CV_VERSION_(MAJOR|MINOR|REVISION) ")
  string(REGEX REPLACE "[^0-9]*([0-9]+)[^0-9]+([0-9]+)[^0-9]+([0-9]+).*" "\\1.\\2.\\3" OpenCVModules_VERSION "${version_lines}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenCVModules
  REQUIRED_VARS OPENCV_INCLUDE_DIR OPENCV_core_LIBRARY OPENCV_imgproc_LIBRARY VERSION_VAR OpenCVModules_VERSION)
