#include "host/cli/stop.h"

#include <unistd.h>

#include <csignal>

namespace cudacards::cli {
namespace {

std::atomic<int> stop_signal = 0;
static_assert(std::atomic<int>::is_always_lock_free);  // a signal handler writes it

void request_stop(int signal) {
  if (stop_signal.exchange(signal) != 0) _exit(128 + signal);
}

}  // namespace

const std::atomic<int>& stop_on_signals() {
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  std::signal(SIGPIPE, SIG_IGN);
  return stop_signal;
}

}  // namespace cudacards::cli
