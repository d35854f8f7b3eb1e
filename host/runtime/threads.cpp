#include "host/runtime/threads.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <string>

namespace cudacards {
namespace {

// A container may see 64 cores and be allowed two of them: the quota decides, not the count of processors.
int usable_cores() {
  int cores = 1;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) cores = CPU_COUNT(&set);
  std::ifstream cgroup("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (cgroup >> quota >> period && quota != "max" && period > 0) {
    cores = std::min(cores, static_cast<int>(std::ceil(std::stod(quota) / period)));
  }
  return std::max(cores, 1);
}

int count_of_threads = 0;

}  // namespace

void set_threads(int count) {
  count_of_threads = count > 0 ? count : usable_cores();
  omp_set_dynamic(0);
  omp_set_num_threads(count_of_threads);
}

int threads() {
  if (count_of_threads == 0) set_threads(0);
  return count_of_threads;
}

}  // namespace cudacards
