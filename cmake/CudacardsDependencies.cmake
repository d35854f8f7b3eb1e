# Everything comes from the distribution's packages (the list is packages.txt) or from the CUDA toolkit. What is optional is
# detected, told at configure time (CudacardsReport), and the rest works without it.
find_package(Threads REQUIRED)
find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(dnnl REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(PkgConfig REQUIRED)
pkg_check_modules(TURBOJPEG REQUIRED IMPORTED_TARGET libturbojpeg)
find_package(PNG REQUIRED)
pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET tomlplusplus)
find_package(OpenCVModules REQUIRED)
find_package(Protobuf QUIET)  # ONNX's files are protobuf messages, and its package doesn't look for it
if(Protobuf_FOUND)
  find_package(ONNX CONFIG QUIET)  # optional: `cudacards export --onnx`
endif()
find_package(CURL QUIET)  # optional: only `cudacards weights fetch` uses the network
