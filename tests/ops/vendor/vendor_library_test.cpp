// Libraries that are missing, too old or incomplete are refused in words that say what to do; the right one is used.

#if defined(CUDACARDS_HAS_CUDNN) && defined(CUDACARDS_HAS_CUBLASLT)

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/ops/vendor/cublaslt/library.h"
#include "host/ops/vendor/cudnn/library.h"

namespace cudacards {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

std::string fake(const char* folder) { return std::string(CUDACARDS_FAKES) + "/" + folder; }

TEST(CudnnLibrary, IsUsedWhereItIsCompleteAndNewEnough) {
  const cudnn::Library library = cudnn::load_library({fake("cudnn_right")}, {});
  EXPECT_TRUE(library.is_usable());
  EXPECT_THAT(library.missing, IsEmpty());
  EXPECT_EQ(library.version, "9.5.0");
  EXPECT_EQ(library.library.path(), fake("cudnn_right") + "/libcudnn.so.9");
  EXPECT_NE(library.functions.BackendExecute, nullptr);
}

TEST(CudnnLibrary, IsRefusedWhereItIsTooOld) {
  const cudnn::Library library = cudnn::load_library({fake("cudnn_old")}, {});
  EXPECT_FALSE(library.is_usable());
  EXPECT_THAT(library.missing, EndsWith("cudnn_old/libcudnn.so.9 is version 9.1.0, and 9.2.0 or later is needed"));
}

TEST(CudnnLibrary, IsRefusedWhereAFunctionIsMissing) {
  const cudnn::Library library = cudnn::load_library({fake("cudnn_incomplete")}, {});
  EXPECT_FALSE(library.is_usable());
  EXPECT_THAT(library.missing, EndsWith("cudnn_incomplete/libcudnn.so.9 lacks cudnnBackendExecute"));
}

TEST(CublasLtLibrary, IsUsedWhereItIsCompleteAndOfTheHeadersMajorVersion) {
  const cublaslt::Library library = cublaslt::load_library({fake("cublaslt_right")}, {});
  EXPECT_TRUE(library.is_usable());
  EXPECT_EQ(library.version, std::to_string(cublaslt::kMajorVersion) + ".1.0");
  EXPECT_NE(library.functions.Matmul, nullptr);
}

TEST(CublasLtLibrary, IsRefusedWhereItIsOfAnotherMajorVersion) {
  const cublaslt::Library library = cublaslt::load_library({fake("cublaslt_other")}, {});
  EXPECT_FALSE(library.is_usable());
  EXPECT_THAT(library.missing, HasSubstr(" is version 11.3.0, and this build needs "));
}

TEST(CublasLtLibrary, IsRefusedWhereAFunctionIsMissing) {
  const cublaslt::Library library = cublaslt::load_library({fake("cublaslt_incomplete")}, {});
  EXPECT_FALSE(library.is_usable());
  EXPECT_THAT(library.missing, EndsWith(" lacks cublasLtMatmul"));
}

TEST(OpenLibrary, SaysWhatToInstallAndWhatToSetWhereThereIsNone) {
  struct NoFunctions {};
  const auto none = open_library<NoFunctions>({{"libnone.so.9"}, "install none 9"},
                                              [](const SharedLibrary&, NoFunctions&) -> const char* { return nullptr; },
                                              {"/no/such/folder"}, {});
  EXPECT_FALSE(none.is_usable());
  EXPECT_EQ(none.missing, "libnone.so.9 not found (install none 9, or name its folder in CUDACARDS_CUDA_LIBRARIES)");
}

}  // namespace
}  // namespace cudacards

#endif
