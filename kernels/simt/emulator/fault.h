#pragma once
// What the emulator finds wrong in a kernel.

#include <array>
#include <cstdint>
#include <string>

namespace cudacards::emulator {

enum class FaultKind : std::uint8_t {
  kRace,              // two accesses, one a write, that nothing orders
  kOutOfBounds,       // outside every allocation of device or shared memory
  kUseAfterFree,      // in an allocation that has been freed
  kUninitialised,     // a read of what nobody wrote
  kMisaligned,        // a vector access at an address that is no multiple of its size
  kWrongSpace,        // host memory, a write to constants, or shared memory where global is needed and the reverse
  kEarlyAsyncRead,    // the destination of an asynchronous copy touched before its wait
  kUnfinishedAsync,   // an asynchronous copy still on its way when its thread ends
  kDivergentBarrier,  // threads of a block at different barriers
  kBarrierAfterExit,  // a barrier that waits for a thread that has ended
  kWarpMask,          // a mask without its own lane, with lanes that have ended, or a value from a lane outside it
  kWarpDivergence,    // lanes of one mask at different warp operations
  kDeadlock,          // nobody can go on
  kBadLaunch,         // more threads or shared memory than a block can have
};

const char* name_of(FaultKind kind);

struct Location {
  std::string file;  // as the compiler saw it
  int line = 0;
  std::string function;
};

constexpr const char* kHost = "a copy to the host";

struct Fault {
  FaultKind kind = FaultKind::kRace;
  std::string kernel;  // or kHost
  Location where;
  std::array<unsigned, 3> block{}, thread{};
  std::string detail;

  /// "race in softmax_kernel<float> at softmax.cu:41, block (0,0,0), thread (33,0,0): ..."
  std::string to_string() const;
};

}  // namespace cudacards::emulator
