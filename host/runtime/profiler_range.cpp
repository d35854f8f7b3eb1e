#include "host/runtime/profiler_range.h"

#if defined(CUDACARDS_HAS_CUDA) && __has_include(<nvtx3/nvToolsExt.h>)

#include <nvtx3/nvToolsExt.h>

namespace cudacards {

ProfilerRange::ProfilerRange(const std::string& name, const char* part) {
  if (part == nullptr) {
    nvtxRangePushA(name.c_str());
  } else {
    nvtxRangePushA((name + ", " + part).c_str());
  }
}
ProfilerRange::~ProfilerRange() { nvtxRangePop(); }

}  // namespace cudacards

#else

namespace cudacards {

ProfilerRange::ProfilerRange(const std::string&, const char*) {}
ProfilerRange::~ProfilerRange() = default;

}  // namespace cudacards

#endif
