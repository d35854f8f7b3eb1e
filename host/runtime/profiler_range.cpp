#include "host/runtime/profiler_range.h"

#include <utility>

#if defined(CUDACARDS_HAS_CUDA) && __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define CUDACARDS_HAS_NVTX
#endif

namespace cudacards {
namespace {

RangeListener* current = nullptr;

void push([[maybe_unused]] const std::string& name, [[maybe_unused]] const char* part) {
#ifdef CUDACARDS_HAS_NVTX
  nvtxRangePushA(part == nullptr ? name.c_str() : (name + ", " + part).c_str());
#endif
}

void pop() {
#ifdef CUDACARDS_HAS_NVTX
  nvtxRangePop();
#endif
}

}  // namespace

ProfilerRange::ProfilerRange(const std::string& name, const char* part) {
  push(name, part);
  if (current != nullptr) current->begin(name, part);
}

ProfilerRange::~ProfilerRange() {
  if (current != nullptr) current->end();
  pop();
}

RangeListener* set_range_listener(RangeListener* listener) { return std::exchange(current, listener); }
RangeListener* range_listener() { return current; }

}  // namespace cudacards
