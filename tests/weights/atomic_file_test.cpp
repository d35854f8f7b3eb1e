// A save that fails anywhere leaves the old file, no temporary, no open descriptor, and words that help (QUALITY: fault
// injection).

#include "weights/atomic_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <optional>
#include <thread>

#include "tests/support/error_text.h"
#include "tests/support/temporary_folder.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing_support::error_text;
using testing_support::read_bytes;
using testing_support::TemporaryFolder;
using testing_support::write_bytes;
namespace fs = std::filesystem;

/// What the one faulty call does instead of its work. A call that is interrupted or shortened once works when it is
/// repeated.
enum class Fault { kNoSpace, kInputOutput, kInterrupted, kOneByte, kNothing, kWrongByte };

int errno_of(Fault fault) { return fault == Fault::kNoSpace ? ENOSPC : fault == Fault::kInputOutput ? EIO : EINTR; }

/// System calls of which the n-th goes wrong; the rest are real. One at a time: FileCalls has plain functions.
class FaultyCalls {
 public:
  FaultyCalls() : calls_{&open, &write, &pread, &fsync, &close, &rename, &unlink} { active_ = this; }
  ~FaultyCalls() { active_ = nullptr; }

  void fail(std::size_t call, Fault fault) {
    faulty_call_ = call;
    fault_ = fault;
  }
  const FileCalls& calls() const { return calls_; }
  const std::vector<std::string>& names() const { return names_; }  // of all calls so far

 private:
  std::optional<Fault> next(const char* name) {
    names_.emplace_back(name);
    return names_.size() - 1 == faulty_call_ ? std::optional(fault_) : std::nullopt;
  }

  /// -1 with errno where this call is the faulty one, else what the real call gives.
  template <class Call>
  static auto run(const char* name, Call&& call) -> decltype(call()) {
    if (const auto fault = active_->next(name)) {
      errno = errno_of(*fault);
      return -1;
    }
    return call();
  }

  static int open(const char* path, int flags, mode_t mode) {
    return run("open", [&] { return ::open(path, flags, mode); });
  }
  static ssize_t write(int fd, const void* bytes, std::size_t count) {
    const auto fault = active_->next("write");
    if (fault == Fault::kOneByte) count = std::min<std::size_t>(count, 1);
    if (fault == Fault::kNothing) return 0;
    if (fault == Fault::kNoSpace || fault == Fault::kInputOutput || fault == Fault::kInterrupted) {
      // A disk that fills up takes the beginning first: the error comes with a torn file.
      if (fault != Fault::kInterrupted && count > 1) (void)!::write(fd, bytes, count / 2);
      errno = errno_of(*fault);
      return -1;
    }
    return ::write(fd, bytes, count);
  }
  static ssize_t pread(int fd, void* bytes, std::size_t count, off_t offset) {
    const auto fault = active_->next("pread");
    if (fault == Fault::kOneByte) count = std::min<std::size_t>(count, 1);
    if (fault == Fault::kNothing) return 0;
    if (fault == Fault::kNoSpace || fault == Fault::kInputOutput || fault == Fault::kInterrupted) {
      errno = errno_of(*fault);
      return -1;
    }
    const ssize_t got = ::pread(fd, bytes, count, offset);
    if (fault == Fault::kWrongByte) static_cast<char*>(bytes)[got - 1] ^= 0x10;
    return got;
  }
  static int fsync(int fd) {
    return run("fsync", [&] { return ::fsync(fd); });
  }
  static int close(int fd) {
    const int result = ::close(fd);  // Linux closes whatever it answers
    return run("close", [&] { return result; });
  }
  static int rename(const char* from, const char* to) {
    return run("rename", [&] { return ::rename(from, to); });
  }
  static int unlink(const char* path) {
    return run("unlink", [&] { return ::unlink(path); });
  }

  static inline FaultyCalls* active_ = nullptr;
  const FileCalls calls_;
  std::size_t faulty_call_ = SIZE_MAX;
  Fault fault_ = Fault::kNoSpace;
  std::vector<std::string> names_;
};

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

std::vector<std::string> files_in(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder.path())) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

class AtomicFile : public testing::Test {
 protected:
  void save(float value, const FileCalls& calls = system_file_calls()) const {
    const std::vector<float> weights(1000, value), bias(3, value);
    write_safetensors(path_, {float_tensor("weights", {10, 100}, weights), float_tensor("bias", {3}, bias)},
                      {{"k", "v"}}, calls);
  }
  float saved() const { return SafetensorsFile::open(path_).read_floats("bias", {3})[0]; }

  /// The calls of a save in which nothing goes wrong.
  std::vector<std::string> sites() const {
    FaultyCalls faulty;
    save(1, faulty.calls());
    return faulty.names();
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "last.safetensors";
  const std::vector<std::string> only_the_file_ = {"last.safetensors"};
};

TEST_F(AtomicFile, FlushesBeforeItRenamesAndTheFolderAfterwards) {
  const std::vector<std::string> expected = {"open",  "open",  "write", "write",  "write", "write", "fsync", "pread",
                                             "pread", "pread", "pread", "rename", "fsync", "close", "close"};
  EXPECT_EQ(sites(), expected);  // folder, temporary; length, header, two tensors
}

TEST_F(AtomicFile, KeepsTheOldFileWhereverACallFails) {
  const auto calls = sites();
  const auto renamed = static_cast<std::size_t>(std::find(calls.begin(), calls.end(), "rename") - calls.begin());
  const std::size_t descriptors = open_descriptors();
  for (const Fault fault : {Fault::kNoSpace, Fault::kInputOutput}) {
    for (std::size_t site = 0; site <= renamed; ++site) {
      SCOPED_TRACE(calls[site] + ", call " + std::to_string(site) + ", " + std::strerror(errno_of(fault)));
      save(1);
      const std::string before = read_bytes(path_);
      FaultyCalls faulty;
      faulty.fail(site, fault);
      const std::string error = error_text([&] { save(2, faulty.calls()); });
      EXPECT_THAT(error, AllOf(HasSubstr(path_), HasSubstr(std::strerror(errno_of(fault))),
                               HasSubstr("the previous file is intact"), HasSubstr("it needs 0.0 MiB"),
                               HasSubstr(fault == Fault::kNoSpace ? "free some space" : "save to another one")));
      EXPECT_EQ(error.find('\n'), std::string::npos);
      EXPECT_EQ(read_bytes(path_), before);
      EXPECT_EQ(files_in(folder_), only_the_file_);
      EXPECT_EQ(open_descriptors(), descriptors);
      save(3);
      EXPECT_EQ(saved(), 3.0f) << "the next save works";
    }
  }
}

TEST_F(AtomicFile, LeavesNothingBehindWhenThereWasNoOldFile) {
  const auto calls = sites();
  const auto renamed = static_cast<std::size_t>(std::find(calls.begin(), calls.end(), "rename") - calls.begin());
  for (std::size_t site = 0; site <= renamed; ++site) {
    SCOPED_TRACE(calls[site] + ", call " + std::to_string(site));
    fs::remove(path_);
    FaultyCalls faulty;
    faulty.fail(site, Fault::kNoSpace);
    EXPECT_THAT(error_text([&] { save(2, faulty.calls()); }), HasSubstr("nothing is left behind"));
    EXPECT_TRUE(files_in(folder_).empty());
  }
}

TEST_F(AtomicFile, SaysThatTheNewFileIsInPlaceWhenOnlyTheFoldersFlushFails) {
  const auto calls = sites();
  const std::size_t folder_flush = calls.size() - 3;
  ASSERT_EQ(calls[folder_flush], "fsync");
  const std::size_t descriptors = open_descriptors();
  save(1);
  FaultyCalls faulty;
  faulty.fail(folder_flush, Fault::kInputOutput);
  EXPECT_THAT(error_text([&] { save(2, faulty.calls()); }),
              AllOf(HasSubstr(path_ + " is written and whole"), HasSubstr("could not be flushed")));
  EXPECT_EQ(saved(), 2.0f);
  EXPECT_EQ(files_in(folder_), only_the_file_);
  EXPECT_EQ(open_descriptors(), descriptors);
}

TEST_F(AtomicFile, PassesOverAFailedCloseBecauseAllIsFlushed) {
  const auto calls = sites();
  const std::size_t descriptors = open_descriptors();
  for (const std::size_t site : {calls.size() - 2, calls.size() - 1}) {
    ASSERT_EQ(calls[site], "close");
    save(1);
    FaultyCalls faulty;
    faulty.fail(site, Fault::kInputOutput);
    EXPECT_EQ(error_text([&] { save(2, faulty.calls()); }), "(no error)");
    EXPECT_EQ(saved(), 2.0f);
    EXPECT_EQ(open_descriptors(), descriptors);
  }
}

TEST_F(AtomicFile, RepeatsInterruptedAndShortCallsAtEverySite) {
  const auto calls = sites();
  const std::size_t descriptors = open_descriptors();
  for (std::size_t site = 0; site < calls.size(); ++site) {
    for (const Fault fault : {Fault::kInterrupted, Fault::kOneByte}) {
      if (fault == Fault::kOneByte && calls[site] != "write" && calls[site] != "pread") continue;
      SCOPED_TRACE(calls[site] + ", call " + std::to_string(site));
      save(1);
      FaultyCalls faulty;
      faulty.fail(site, fault);
      EXPECT_EQ(error_text([&] { save(2, faulty.calls()); }), "(no error)");
      EXPECT_EQ(saved(), 2.0f);
      EXPECT_EQ(files_in(folder_), only_the_file_);
      EXPECT_EQ(open_descriptors(), descriptors);
    }
  }
}

TEST_F(AtomicFile, DoesNotAskForEverADiskThatTakesNothing) {
  const auto calls = sites();
  for (std::size_t site = 0; site < calls.size(); ++site) {
    if (calls[site] != "write" && calls[site] != "pread") continue;
    save(1);
    FaultyCalls faulty;
    faulty.fail(site, Fault::kNothing);
    EXPECT_THAT(error_text([&] { save(2, faulty.calls()); }), HasSubstr("the previous file is intact"));
    EXPECT_EQ(saved(), 1.0f);
    EXPECT_EQ(files_in(folder_), only_the_file_);
  }
}

TEST_F(AtomicFile, NoticesADiskThatChangesAByte) {
  const auto calls = sites();
  for (std::size_t site = 0; site < calls.size(); ++site) {
    if (calls[site] != "pread") continue;
    save(1);
    FaultyCalls faulty;
    faulty.fail(site, Fault::kWrongByte);
    EXPECT_THAT(
        error_text([&] { save(2, faulty.calls()); }),
        AllOf(HasSubstr(path_), HasSubstr("what was read back differs"), HasSubstr("the previous file is intact")));
    EXPECT_EQ(saved(), 1.0f);
    EXPECT_EQ(files_in(folder_), only_the_file_);
  }
}

TEST_F(AtomicFile, RemovesWhatKilledWritersLeftForThisFileAndNothingElse) {
  save(1);
  const std::vector<std::string> kept = {"best.safetensors.tmp-1-0", "last.safetensors", "last.safetensors.bak",
                                         "my last.safetensors.tmp-1-0"};
  for (const std::string& name : kept) {
    if (name != "last.safetensors") write_bytes(folder_ / name, "other");
  }
  write_bytes(folder_ / "last.safetensors.tmp-1-0", "torn");
  write_bytes(folder_ / ("last.safetensors.tmp-" + std::to_string(::getpid()) + "-12345"),
              "torn, by this process id in another life");
  fs::create_symlink(folder_ / "best.safetensors.tmp-1-0", folder_ / "last.safetensors.tmp-link");
  save(2);
  auto expected = kept;
  expected.push_back("last.safetensors.tmp-link");  // not ours: we never make links
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(files_in(folder_), expected);
}

TEST_F(AtomicFile, LeavesTheTemporaryOfALivingWriter) {
  const std::string other = folder_ / "last.safetensors.tmp-1-0";
  const int fd = ::open(other.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::flock(fd, LOCK_EX), 0);
  save(1);
  EXPECT_TRUE(fs::exists(other));
  ::close(fd);
  save(2);
  EXPECT_EQ(files_in(folder_), only_the_file_);
}

TEST_F(AtomicFile, IsRemovedByTheNextSaveWhenTheCleaningFails) {
  const auto calls = sites();
  save(1);
  FaultyCalls faulty;
  faulty.fail(2, Fault::kNoSpace);  // the first write
  FileCalls without_unlink = faulty.calls();
  without_unlink.unlink = [](const char*) { return errno = EIO, -1; };
  EXPECT_THAT(error_text([&] { save(2, without_unlink); }), HasSubstr("the previous file is intact"));
  EXPECT_EQ(files_in(folder_).size(), 2u);
  save(3);
  EXPECT_EQ(files_in(folder_), only_the_file_);
}

TEST_F(AtomicFile, IsWholeAtEveryMomentUnderManyWritersAndReaders) {
  save(0);
  constexpr int kWriters = 4, kSaves = 25;
  std::atomic<int> writing = kWriters;
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      for (int i = 0; i < kSaves; ++i) save(static_cast<float>(writer));
      --writing;
    });
  }
  int reads = 0;
  do {
    const auto file = SafetensorsFile::open(path_);
    const auto weights = file.read_floats("weights", {10, 100});
    EXPECT_TRUE(std::all_of(weights.begin(), weights.end(), [&](float w) { return w == weights[0]; }));
    ++reads;
  } while (writing > 0);
  for (auto& thread : threads) thread.join();
  EXPECT_GT(reads, 0);
  EXPECT_EQ(files_in(folder_), only_the_file_);
}

TEST_F(AtomicFile, SaysWhatIsWrongWithTheFolder) {
  const auto refusal = [](const std::string& path) { return error_text([&] { write_safetensors(path, {}, {}); }); };
  EXPECT_THAT(refusal(folder_ / "none/last.safetensors"),
              AllOf(HasSubstr("opening the folder"), HasSubstr("No such file"), HasSubstr("create the folder first")));
  write_bytes(folder_ / "file", "");
  EXPECT_THAT(refusal(folder_ / "file/last.safetensors"),
              AllOf(HasSubstr("Not a directory"), HasSubstr("create the folder first")));
  fs::create_directory(folder_ / "directory");
  EXPECT_THAT(refusal(folder_ / "directory"), AllOf(HasSubstr("renaming"), HasSubstr("Is a directory")));
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal(folder_ / "pipe"), HasSubstr("is a device or a pipe, which a file would replace"));
  EXPECT_TRUE(fs::is_fifo(folder_ / "pipe"));
  EXPECT_THAT(refusal(folder_ / std::string(300, 'n')), HasSubstr("File name too long"));
  if (::geteuid() != 0) {  // root may write everywhere
    fs::permissions(folder_.path(), fs::perms::owner_read | fs::perms::owner_exec);
    EXPECT_THAT(refusal(path_),
                AllOf(HasSubstr("Permission denied"), HasSubstr("choose a folder that you may write to")));
    fs::permissions(folder_.path(), fs::perms::owner_all);
  }
}

}  // namespace
}  // namespace cudacards
