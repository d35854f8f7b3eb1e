// Libraries are looked for where a person says, where the loader looks, and in the usual places; why there is none is
// told in words.

#include "host/runtime/shared_library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "host/runtime/cuda_folders.h"
#include "tests/support/temporary_folder.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_support::TemporaryFolder;

/// The environment as it was afterwards.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before, was_set_ = true;
    setenv(name, value.c_str(), 1);
  }
  ~ScopedVariable() { was_set_ ? setenv(name_, before_.c_str(), 1) : unsetenv(name_); }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* name_;
  std::string before_;
  bool was_set_ = false;
};

TEST(SharedLibrary, IsFoundWhereTheLoaderLooks) {
  const SharedLibrary library = SharedLibrary::open({"libno-such-library.so.7", "libm.so.6"});
  ASSERT_TRUE(library.is_loaded()) << library.missing();
  EXPECT_THAT(library.missing(), IsEmpty());
  EXPECT_THAT(library.path(), EndsWith("libm.so.6"));
  EXPECT_NE(library.symbol("cos"), nullptr);
  EXPECT_EQ(library.symbol("no_such_function"), nullptr);
  int (*function)() = nullptr;
  EXPECT_FALSE(library.load(function, "no_such_function"));
  EXPECT_TRUE(library.load(function, "cos"));
}

TEST(SharedLibrary, SaysWhatItLookedForWhenThereIsNone) {
  const SharedLibrary library = SharedLibrary::open({"libnone.so.1", "libnone.so.2"}, {"/no/such/folder"});
  EXPECT_FALSE(library.is_loaded());
  EXPECT_EQ(library.missing(), "libnone.so.1 or libnone.so.2 not found");
  EXPECT_THAT(library.path(), IsEmpty());
  EXPECT_EQ(library.symbol("cos"), nullptr);
}

TEST(SharedLibrary, SaysWhyOneThatIsThereDoesNotLoad) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "libbroken.so.1") << "no library";
  const SharedLibrary library = SharedLibrary::open({"libbroken.so.1"}, {}, {folder.path().string()});
  EXPECT_FALSE(library.is_loaded());
  EXPECT_THAT(library.missing(), HasSubstr((folder.path() / "libbroken.so.1").string()));
}

TEST(CudaFolders, AreThoseThatAPersonNamesInTheirOrder) {
  const ScopedVariable variable(kCudaFoldersVariable, "/first:/second::/third:");
  EXPECT_THAT(wanted_cuda_folders(), ElementsAre("/first", "/second", "/third"));
}

TEST(CudaFolders, AreNoneWhereNobodyNamesAny) {
  const ScopedVariable variable(kCudaFoldersVariable, "");
  EXPECT_THAT(wanted_cuda_folders(), IsEmpty());
}

TEST(CudaFolders, AreWhereToolkitsAndPythonsWheelsPutTheirLibraries) {
  const TemporaryFolder root;
  const fs::path toolkit = root.path() / "cuda/lib64";
  const fs::path wheel = root.path() / "venv/lib/python3.11/site-packages/nvidia/cudnn/lib";
  fs::create_directories(toolkit);
  fs::create_directories(wheel);
  const ScopedVariable home("CUDA_HOME", (root.path() / "cuda").string());
  const ScopedVariable path("CUDA_PATH", (root.path() / "missing").string());
  const ScopedVariable environment("VIRTUAL_ENV", (root.path() / "venv").string());
  EXPECT_EQ(usual_cuda_folders().front(), toolkit.string());
  EXPECT_THAT(usual_cuda_folders(), Contains(wheel.string()));
  EXPECT_THAT(usual_cuda_folders(), testing::Not(Contains(HasSubstr("missing"))));
}

TEST(CudaFolders, AreThoseOfThePythonThatIsInUseWithoutBeingActivated) {
  const TemporaryFolder root;
  const auto environment = [&](const std::string& name) {
    const fs::path wheel = root.path() / name / "lib/python3.12/site-packages/nvidia/cudnn/lib";
    fs::create_directories(wheel);
    fs::create_directories(root.path() / name / "bin");
    std::ofstream(root.path() / name / "bin/python3") << "an interpreter";
    return wheel.string();
  };
  const std::string first = environment("first"), second = environment("second");
  const ScopedVariable active("VIRTUAL_ENV", "");
  fs::create_directories(root.path() / "empty");
  const ScopedVariable path("PATH", (root.path() / "empty").string() + ":" + (root.path() / "first/bin").string() +
                                        "::" + (root.path() / "second/bin").string());
  EXPECT_THAT(usual_cuda_folders(), Contains(first));
  EXPECT_THAT(usual_cuda_folders(), testing::Not(Contains(second)));
}

TEST(CudaFolders, AreNamedOnce) {
  const TemporaryFolder root;
  const fs::path wheel = root.path() / "venv/lib/python3.12/site-packages/nvidia/cudnn/lib";
  fs::create_directories(wheel);
  fs::create_directories(root.path() / "venv/bin");
  std::ofstream(root.path() / "venv/bin/python3") << "an interpreter";
  const ScopedVariable active("VIRTUAL_ENV", (root.path() / "venv").string());
  const ScopedVariable path("PATH", (root.path() / "venv/bin").string());
  EXPECT_EQ(std::ranges::count(usual_cuda_folders(), wheel.string()), 1);
}

}  // namespace
}  // namespace cudacards
