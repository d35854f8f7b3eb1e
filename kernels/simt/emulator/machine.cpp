#include "kernels/simt/emulator/machine.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <numeric>

#include "kernels/simt/emulator/capture.h"
#include "kernels/simt/emulator/read_only.h"
#include "kernels/simt/emulator/symbols.h"

namespace cudacards::emulator {
namespace {

constexpr std::size_t kStackBytes = 64 * 1024;
constexpr std::size_t kGuardBytes = 4096;
constexpr unsigned kMostThreads = 1024;
constexpr std::size_t kMostStaticShared = 48 * 1024, kMostShared = 227 * 1024;  // of a block on sm_90

std::byte* make_stack() {
  void* stack = mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stack == MAP_FAILED || mprotect(stack, kGuardBytes, PROT_NONE) != 0) {
    std::fprintf(stderr, "emulator: no memory for a thread's stack\n");
    std::abort();
  }
  return static_cast<std::byte*>(stack) + kGuardBytes;
}

/// xorshift64* (Vigna, ACM TOMS 2016): enough for shuffling turns.
std::uint64_t next_random(std::uint64_t& state) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1Dull;
}

void arrange(std::vector<int>& turns, Order order, std::uint64_t& random) {
  std::iota(turns.begin(), turns.end(), 0);
  if (order == Order::kReverse) std::reverse(turns.begin(), turns.end());
  if (order == Order::kShuffled) {
    for (std::size_t i = turns.size(); i > 1; --i) std::swap(turns[i - 1], turns[next_random(random) % i]);
  }
}

std::string place(const void* caller) {
  const Location where = locate(caller);
  return where.file.substr(where.file.find_last_of('/') + 1) + ":" + std::to_string(where.line);
}

/// The compiler may have made two copies of one call; calls of one line are one.
bool same_place(const void* a, const void* b) {
  if (a == b) return true;
  const Location first = locate(a), second = locate(b);
  return first.line == second.line && first.file == second.file;
}

}  // namespace

Machine& Machine::instance() {
  static Machine machine;
  return machine;
}

Status Machine::run(const Grid& grid, const void* kernel, void (*call)(void*), void* context) {
  const std::lock_guard lock(mutex);
  const auto started = std::chrono::steady_clock::now();
  kernel_name_ = function_name(kernel);
  call_ = call;
  call_context_ = context;
  faulted_ = false;
  grid_size = {grid.blocks.x, grid.blocks.y, grid.blocks.z};
  block_size = {grid.threads.x, grid.threads.y, grid.threads.z};
  block = {};
  const std::uint64_t threads = std::uint64_t{block_size.x} * block_size.y * block_size.z;
  const std::uint64_t blocks = std::uint64_t{grid_size.x} * grid_size.y * grid_size.z;
  if (threads == 0 || threads > kMostThreads || blocks == 0 || grid_size.y > 65535 || grid_size.z > 65535) {
    return Status::failed("kernel launch: " + kernel_name_ + ": " + std::to_string(blocks) + " blocks of " +
                          std::to_string(threads) + " threads: out of a grid's limits");
  }
  if (grid.shared_bytes > kMostShared)
    return Status::failed("kernel launch: " + kernel_name_ + ": " + std::to_string(grid.shared_bytes) +
                          " bytes of shared memory: a block has at most " + std::to_string(kMostShared));

  pthread_attr_t attributes;
  void* stack = nullptr;
  std::size_t stack_bytes = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &stack, &stack_bytes);
  pthread_attr_destroy(&attributes);
  host_stack_begin_ = reinterpret_cast<std::uintptr_t>(stack);
  host_stack_end_ = host_stack_begin_ + stack_bytes;

  make_fibers(static_cast<int>(threads));
  static_tiles_.clear();
  static_bytes_ = 0;
  dynamic_tile_ =
      grid.shared_bytes == 0 ? nullptr : &memory.allocate(grid.shared_bytes, "dynamic shared memory", Space::kShared);
  counting_into = &counters[kernel_name_];
  ++counting_into->launches;
  counting_into->problems.insert(grid.problem);
  counting_into->orders.insert(static_cast<std::uint8_t>(settings.order));
  counting_into->threads += threads * blocks;
  if (counts_traffic()) requests.begin_block(thread_count_);
  random_ = settings.seed * 0x9E3779B97F4A7C15ull + 1;

  clock.begin_launch();
  std::vector<int> block_turns(blocks);
  arrange(block_turns, settings.order, random_);
  for (const int turn : block_turns) {
    const auto number = static_cast<unsigned>(turn);
    block = {number % grid_size.x, number / grid_size.x % grid_size.y, number / (grid_size.x * grid_size.y)};
    run_block();
    if (faulted_) break;
  }
  if (counts_traffic()) requests.flush(*counting_into);
  for (const StaticTile& tile : static_tiles_) memory.free(tile.memory->begin());
  if (dynamic_tile_ != nullptr) memory.free(dynamic_tile_->begin());
  counting_into->seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  if (!faulted_) return Status::ok();
  faults.back().where = locate(fault_caller_);
  return Status::failed(faults.back().to_string());
}

void Machine::make_fibers(int count) {
  if (static_cast<int>(fibers_.size()) < count) fibers_.resize(static_cast<std::size_t>(count));
  for (Fiber& fiber : fibers_) {
    if (fiber.stack == nullptr) fiber.stack = make_stack();
  }
  thread_count_ = count;
  turns_.resize(static_cast<std::size_t>(count));
}

void Machine::prepare_shared() {
  for (const StaticTile& tile : static_tiles_) tile.memory->poison();
  if (dynamic_tile_ != nullptr) dynamic_tile_->poison();
}

void Machine::run_block() {
  prepare_shared();
  clock.begin_block(thread_count_);
  ++counting_into->blocks;
  done_ = 0;
  for (int i = 0; i < thread_count_; ++i) {
    Fiber& f = fiber_at(i);
    const auto number = static_cast<unsigned>(i);
    f.state = Fiber::State::kReady;
    f.index = {number % block_size.x, number / block_size.x % block_size.y, number / (block_size.x * block_size.y)};
    f.context = boost::context::detail::make_fcontext(f.stack + kStackBytes, kStackBytes, enter);
    f.groups.clear();
    f.open_group.clear();
  }
  const int warps = (thread_count_ + kLanes - 1) / kLanes;
  while (done_ < thread_count_) {
    run_ready_threads();
    if (faulted_) return;
    bool moved = false;
    for (int warp = 0; warp < warps; ++warp) {
      while (!faulted_ && resolve_warp(warp)) moved = true;
    }
    if (faulted_) return;
    if (!moved) moved = release_barrier();
    if (!moved && !faulted_ && done_ < thread_count_) explain_standstill();
    if (faulted_) return;
  }
  if (counts_traffic()) requests.flush(*counting_into);
}

void Machine::run_ready_threads() {
  arrange(turns_, settings.order, random_);
  for (const int turn : turns_) {
    Fiber& f = fiber_at(turn);
    if (f.state != Fiber::State::kReady) continue;
    current_ = &f;
    accesses_in_turn_ = 0;
    f.context = boost::context::detail::jump_fcontext(f.context, nullptr).fctx;
    current_ = nullptr;
    if (faulted_) return;
    if (f.state == Fiber::State::kDone) ++done_;
  }
}

void Machine::enter(boost::context::detail::transfer_t from) {
  Machine& machine = instance();
  machine.scheduler_ = from.fctx;
  machine.call_(machine.call_context_);
  Fiber& f = machine.fiber();
  if (!f.open_group.empty()) f.groups.push_back(std::move(f.open_group));
  for (const auto& group : f.groups) {  // an empty group is on no way: pipelines commit them to keep count
    if (!group.empty())
      machine.fault(FaultKind::kUnfinishedAsync, "the thread ends while a copy of its is on the way",
                    group.front().caller);
  }
  f.state = Fiber::State::kDone;
  machine.yield();
}

void Machine::yield() { scheduler_ = boost::context::detail::jump_fcontext(scheduler_, nullptr).fctx; }

void Machine::fault(FaultKind kind, std::string detail, const void* caller) {
  fault_of(thread(), kind, std::move(detail), caller);
  while (true) yield();  // nobody resumes it
}

void Machine::fault_of(int thread, FaultKind kind, std::string detail, const void* caller) {
  const Index3& t = fiber_at(thread).index;
  faults.push_back({kind, kernel_name_, {}, {block.x, block.y, block.z}, {t.x, t.y, t.z}, std::move(detail)});
  fault_caller_ = caller;  // its line is looked up on the host's stack: a fiber's is too small for that
  faulted_ = true;
}

bool Machine::is_private(std::uintptr_t address) const {
  const auto stack = reinterpret_cast<std::uintptr_t>(current_->stack);
  return address - stack < kStackBytes;
}

void Machine::access(const void* address, std::size_t bytes, Access access, const void* caller) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  if (is_private(at)) return;
  if (access == Access::kRead && at >= host_stack_begin_ && at < host_stack_end_) return;  // a kernel's parameter
  ++counting_into->accesses;
  if (++accesses_in_turn_ > settings.most_accesses_in_a_turn)
    return fault(FaultKind::kDeadlock, "the thread spins: no other can run", caller);
  Allocation* allocation = memory.find(address);
  if (allocation == nullptr) {
    if (access == Access::kRead && is_read_only(at, bytes)) return;
    if (is_loaded(at))
      return fault(FaultKind::kWrongSpace,
                   access == Access::kRead ? "reads a variable of the host" : "writes to the host", caller);
    return fault(FaultKind::kOutOfBounds, "the address belongs to no allocation", caller);
  }
  // More than 16 bytes are a struct that is copied by several instructions, each as its members are aligned.
  if (bytes <= 16 && (bytes & (bytes - 1)) == 0 && at % bytes != 0)
    return fault(FaultKind::kMisaligned,
                 std::to_string(bytes) + " bytes at an address that is no multiple of " + std::to_string(bytes),
                 caller);
  if (allocation->freed) return fault(FaultKind::kUseAfterFree, allocation->name() + " has been freed", caller);
  if (!allocation->contains(address, bytes)) {
    const auto offset = static_cast<const std::byte*>(address) - allocation->begin();
    return fault(FaultKind::kOutOfBounds,
                 std::to_string(bytes) + " bytes at offset " + std::to_string(offset) + " of " + allocation->name() +
                     ", which has " + std::to_string(allocation->bytes()),
                 caller);
  }
  if (Finding finding = allocation->access(clock, thread(), address, bytes, access))
    return fault(finding.kind, std::move(finding.detail), caller);
  if (counts_traffic() && access != Access::kAtomic) {
    const bool shared = allocation->space() == Space::kShared;
    const Flow flow = shared ? (access == Access::kRead ? Flow::kSharedLoad : Flow::kSharedStore)
                             : (access == Access::kRead ? Flow::kGlobalLoad : Flow::kGlobalStore);
    requests.add(thread(), caller, flow, address, bytes);
  }
}

void Machine::check_space(const void* address, std::size_t bytes, Space space, const void* caller) {
  const Allocation* allocation = memory.find(address);
  if (allocation == nullptr || allocation->freed || !allocation->contains(address, bytes))
    return fault(FaultKind::kOutOfBounds, "the address belongs to no allocation", caller);
  if (allocation->space() == space) return;
  fault(FaultKind::kWrongSpace,
        allocation->name() + (space == Space::kShared ? " is not shared memory" : " is not global memory"), caller);
}

void Machine::wait_at_barrier(const void* caller, int site) {
  Fiber& f = fiber();
  f.state = Fiber::State::kAtBarrier;
  f.caller = caller;
  f.site = site;
  yield();
}

void Machine::wait_for_warp(WarpCall& call) {
  Fiber& f = fiber();
  const int lane = thread() % kLanes;
  if ((call.mask >> lane & 1) == 0)
    fault(FaultKind::kWarpMask, "lane " + std::to_string(lane) + " is not in its own mask", call.caller);
  f.state = Fiber::State::kAtWarpOperation;
  f.call = &call;
  yield();
}

bool Machine::resolve_warp(int warp) {
  const int first = warp * kLanes, lanes = std::min(kLanes, thread_count_ - first);
  for (int lane = 0; lane < lanes; ++lane) {
    Fiber& f = fiber_at(first + lane);
    if (f.state != Fiber::State::kAtWarpOperation) continue;
    const WarpCall& mine = *f.call;
    // A block whose last warp is not full: the mask of a whole warp means the lanes that exist.
    const unsigned mask = lanes == kLanes ? mine.mask : mine.mask & ((1u << lanes) - 1);
    WarpCall* calls[kLanes] = {};
    bool complete = true;
    for (int other = 0; complete && other < lanes; ++other) {
      if ((mask >> other & 1) == 0) continue;
      const Fiber& o = fiber_at(first + other);
      complete = o.state == Fiber::State::kAtWarpOperation && o.call->resolve == mine.resolve &&
                 o.call->mask == mine.mask && o.call->site == mine.site && same_place(o.call->caller, mine.caller);
      calls[other] = o.call;
    }
    if (!complete) continue;
    ++counting_into->warp_operations;
    mine.resolve(*this, warp, mask, calls);
    if (faulted_) return false;
    for (int other = 0; other < lanes; ++other) {
      if ((mask >> other & 1) != 0) fiber_at(first + other).state = Fiber::State::kReady;
    }
    return true;
  }
  return false;
}

bool Machine::release_barrier() {
  const Fiber* first = nullptr;
  for (int i = 0; i < thread_count_; ++i) {
    const Fiber& f = fiber_at(i);
    if (f.state == Fiber::State::kReady) return true;
    if (f.state == Fiber::State::kAtWarpOperation) return false;
    if (f.state != Fiber::State::kAtBarrier) continue;
    if (first == nullptr) first = &f;
    if (f.site != first->site || !same_place(f.caller, first->caller)) {
      fault_of(i, FaultKind::kDivergentBarrier, "other threads of the block wait at " + place(first->caller), f.caller);
      return false;
    }
  }
  if (first == nullptr) return false;
  if (done_ > 0) {
    fault_of(static_cast<int>(first - fibers_.data()), FaultKind::kBarrierAfterExit,
             std::to_string(done_) + " threads of the block have ended and will never arrive", first->caller);
    return false;
  }
  ++counting_into->barriers;
  clock.pass_barrier();
  if (counts_traffic()) requests.flush(*counting_into);
  for (int i = 0; i < thread_count_; ++i) fiber_at(i).state = Fiber::State::kReady;
  return true;
}

void Machine::explain_standstill() {
  for (int i = 0; i < thread_count_; ++i) {
    const Fiber& f = fiber_at(i);
    if (f.state != Fiber::State::kAtWarpOperation) continue;
    const int first = i / kLanes * kLanes, lanes = std::min(kLanes, thread_count_ - first);
    for (int lane = 0; lane < lanes; ++lane) {
      if ((f.call->mask >> lane & 1) == 0 || first + lane == i) continue;
      const Fiber& other = fiber_at(first + lane);
      const std::string name = "lane " + std::to_string(lane) + " of its mask ";
      if (other.state == Fiber::State::kDone)
        return fault_of(i, FaultKind::kWarpMask, name + "has ended", f.call->caller);
      if (other.state == Fiber::State::kAtBarrier)
        return fault_of(i, FaultKind::kWarpDivergence, name + "waits at the barrier at " + place(other.caller),
                        f.call->caller);
      if (other.call->mask != f.call->mask && same_place(other.call->caller, f.call->caller))
        return fault_of(i, FaultKind::kWarpMask, name + "names another mask", f.call->caller);
      if (!same_place(other.call->caller, f.call->caller) || other.call->site != f.call->site)
        return fault_of(i, FaultKind::kWarpDivergence, name + "is at " + place(other.call->caller), f.call->caller);
    }
  }
  fault_of(0, FaultKind::kDeadlock, "no thread of the block can go on", nullptr);
}

void* Machine::static_shared(const void* identity, std::size_t bytes, std::size_t) {
  for (const StaticTile& tile : static_tiles_) {
    if (tile.identity == identity) return tile.memory->begin();
  }
  static_bytes_ += bytes;
  if (static_bytes_ > kMostStaticShared)
    fault(
        FaultKind::kBadLaunch,
        std::to_string(static_bytes_) + " bytes of static shared memory: at most " + std::to_string(kMostStaticShared),
        __builtin_return_address(0));
  static_tiles_.push_back({identity, &memory.allocate(bytes, "shared memory", Space::kShared)});
  return static_tiles_.back().memory->begin();
}

void* Machine::dynamic_shared() {
  if (dynamic_tile_ == nullptr)
    fault(FaultKind::kBadLaunch, "the launch asked for no dynamic shared memory", __builtin_return_address(0));
  return dynamic_tile_->begin();
}

Status run_grid(const Grid& grid, const void* kernel, void (*call)(void*), void* context, std::size_t context_bytes) {
  if (Capture* capture = current_capture()) {
    capture->add_launch(grid, kernel, call, context, context_bytes);
    return Status::ok();
  }
  return Machine::instance().run(grid, kernel, call, context);
}

}  // namespace cudacards::emulator
