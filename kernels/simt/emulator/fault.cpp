#include "kernels/simt/emulator/fault.h"

namespace cudacards::emulator {
namespace {

std::string index(const std::array<unsigned, 3>& i) {
  return "(" + std::to_string(i[0]) + "," + std::to_string(i[1]) + "," + std::to_string(i[2]) + ")";
}

}  // namespace

const char* name_of(FaultKind kind) {
  switch (kind) {
    case FaultKind::kRace:
      return "race";
    case FaultKind::kOutOfBounds:
      return "access out of bounds";
    case FaultKind::kUseAfterFree:
      return "use after free";
    case FaultKind::kUninitialised:
      return "read of uninitialised memory";
    case FaultKind::kMisaligned:
      return "misaligned access";
    case FaultKind::kWrongSpace:
      return "access to the wrong memory";
    case FaultKind::kEarlyAsyncRead:
      return "access before the asynchronous copy's wait";
    case FaultKind::kUnfinishedAsync:
      return "asynchronous copy without a wait";
    case FaultKind::kDivergentBarrier:
      return "divergent barrier";
    case FaultKind::kBarrierAfterExit:
      return "barrier after exit";
    case FaultKind::kWarpMask:
      return "bad warp mask";
    case FaultKind::kWarpDivergence:
      return "divergent warp operation";
    case FaultKind::kDeadlock:
      return "deadlock";
    case FaultKind::kBadLaunch:
      return "bad launch";
  }
  return "?";
}

std::string Fault::to_string() const {
  std::string text = std::string(name_of(kind)) + " in " + kernel;
  if (where.line > 0) text += " at " + where.file + ":" + std::to_string(where.line);
  if (kernel != kHost) text += ", block " + index(block) + ", thread " + index(thread);
  if (!detail.empty()) text += ": " + detail;
  return text;
}

}  // namespace cudacards::emulator
