#include "weights/fetch.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "host/runtime/error.h"

#ifdef CUDACARDS_HAS_CURL
#include <curl/curl.h>
#include <unistd.h>
#endif

namespace cudacards {

#ifndef CUDACARDS_HAS_CURL

bool built_with_fetch() { return false; }

std::string fetch_weights(const ManifestEntry& entry, const std::string&, const FetchProgress&) {
  throw Error(
      fmt::format("this build has no libcurl (install libcurl4-openssl-dev and build again); or download {} "
                  "yourself and check it with cudacards weights verify",
                  entry.url));
}

#else

namespace {

namespace fs = std::filesystem;

constexpr long kConnectSeconds = 30, kStalledSeconds = 60, kStalledBytesPerSecond = 1, kRedirects = 5;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

/// One attempt to bring a .part file to the entry's size.
class Download {
 public:
  Download(const ManifestEntry& entry, const fs::path& part, const FetchProgress& progress)
      : entry_(entry), part_(part), progress_(progress) {}

  void run() {
    std::error_code none_yet;
    const auto there = fs::file_size(part_, none_yet);
    have_ = none_yet ? 0 : static_cast<std::uint64_t>(there);
    if (have_ >= entry_.size) return;  // whole, or wrong: the digest tells
    CURLcode code = transfer();
    if (code == CURLE_RANGE_ERROR && have_ > 0) {  // a server that cannot go on where it stopped
      have_ = 0;
      code = transfer();
    }
    if (code == CURLE_OK && have_ == entry_.size) return;
    if (too_long_) {
      fs::remove(part_, none_yet);
      throw Error(fmt::format("{} gives more than the {} bytes of {}: it is another file by now", entry_.url,
                              entry_.size, entry_.name));
    }
    const std::string what = fmt::format("cannot fetch {}: {}", entry_.url, reason(code));
    if (have_ == 0) {
      fs::remove(part_, none_yet);
      throw Error(what);
    }
    throw Error(fmt::format("{}; {} of {} bytes are kept in {}, and the next attempt goes on from there", what, have_,
                            entry_.size, part_.string()));
  }

 private:
  CURLcode transfer() {
    file_.reset(std::fopen(part_.c_str(), have_ > 0 ? "ab" : "wb"));
    if (!file_) throw Error(fmt::format("cannot write {}: {}", part_.string(), std::strerror(errno)));
    const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
    if (!curl) throw Error("libcurl cannot be started");
    const auto set = [&](CURLoption option, auto value) { curl_easy_setopt(curl.get(), option, value); };
    set(CURLOPT_URL, entry_.url.c_str());
    set(CURLOPT_PROTOCOLS_STR, "https,http,file");
    set(CURLOPT_REDIR_PROTOCOLS_STR, "https,http");
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, kRedirects);
    set(CURLOPT_FAILONERROR, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
    set(CURLOPT_LOW_SPEED_TIME, kStalledSeconds);
    set(CURLOPT_LOW_SPEED_LIMIT, kStalledBytesPerSecond);
    set(CURLOPT_RESUME_FROM_LARGE, static_cast<curl_off_t>(have_));
    set(CURLOPT_USERAGENT, "cudacards");
    set(CURLOPT_ERRORBUFFER, message_);
    set(CURLOPT_WRITEFUNCTION, &Download::take);
    set(CURLOPT_WRITEDATA, static_cast<void*>(this));
    message_[0] = '\0';
    const CURLcode code = curl_easy_perform(curl.get());
    const bool stored = std::fflush(file_.get()) == 0 && ::fsync(::fileno(file_.get())) == 0;
    file_.reset();
    if (!stored) throw Error(fmt::format("cannot write {}: {}", part_.string(), std::strerror(errno)));
    return code;
  }

  /// Anything but `bytes` ends the transfer.
  static std::size_t take(const char* data, std::size_t, std::size_t bytes, void* self) {
    return static_cast<Download*>(self)->store(data, bytes);
  }
  std::size_t store(const char* data, std::size_t bytes) {
    if (bytes > entry_.size - have_) return too_long_ = true, 0;
    const std::size_t written = std::fwrite(data, 1, bytes, file_.get());
    if (written != bytes) write_error_ = errno;
    have_ += written;
    if (progress_) progress_(have_, entry_.size);
    return written;
  }

  std::string reason(CURLcode code) const {
    if (write_error_ != 0) return std::strerror(write_error_);
    if (code == CURLE_OK) return "the file ends too early";
    return message_[0] != '\0' ? message_ : curl_easy_strerror(code);
  }

  const ManifestEntry& entry_;
  const fs::path& part_;
  const FetchProgress& progress_;
  File file_;
  std::uint64_t have_ = 0;
  bool too_long_ = false;
  int write_error_ = 0;
  char message_[CURL_ERROR_SIZE] = "";
};

}  // namespace

bool built_with_fetch() { return true; }

std::string fetch_weights(const ManifestEntry& entry, const std::string& folder, const FetchProgress& progress) {
  const fs::path file = fs::path(folder) / entry.file, part = file.string() + ".part";
  std::error_code error;
  if (fs::exists(file, error)) {
    verify_download(file.string(), entry);
    return file.string();
  }
  fs::create_directories(folder, error);
  if (error) throw Error(fmt::format("cannot make the folder {}: {}", folder, error.message()));
  curl_global_init(CURL_GLOBAL_DEFAULT);
  Download(entry, part, progress).run();
  try {
    verify_download(part.string(), entry);
  } catch (const Error& wrong) {
    fs::remove(part, error);
    throw Error(fmt::format("{} gave another file, which was removed: {}", entry.url, wrong.what()));
  }
  fs::rename(part, file, error);
  if (error) throw Error(fmt::format("cannot rename {}: {}", part.string(), error.message()));
  return file.string();
}

#endif

}  // namespace cudacards
