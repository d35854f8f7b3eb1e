#include "kernels/simt/emulator/counters.h"

#include <algorithm>

#include "kernels/simt/emulator/symbols.h"

namespace cudacards::emulator {
namespace {

constexpr std::uintptr_t kSector = 32, kBankWidth = 4;
constexpr std::size_t kBanks = 32;

bool is_global(Flow flow) { return flow == Flow::kGlobalLoad || flow == Flow::kGlobalStore; }

std::size_t distinct(std::vector<std::uintptr_t>& values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values.size();
}

std::string short_file(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

}  // namespace

Traffic& Traffic::operator+=(const Traffic& other) {
  requests += other.requests;
  units += other.units;
  needed += other.needed;
  return *this;
}

KernelCounters& KernelCounters::operator+=(const KernelCounters& other) {
  launches += other.launches;
  blocks += other.blocks;
  threads += other.threads;
  accesses += other.accesses;
  barriers += other.barriers;
  warp_operations += other.warp_operations;
  seconds += other.seconds;
  problems.insert(other.problems.begin(), other.problems.end());
  orders.insert(other.orders.begin(), other.orders.end());
  for (std::size_t i = 0; i < traffic.size(); ++i) traffic[i] += other.traffic[i];
  for (const auto& [line, of_line] : other.lines) {
    for (std::size_t i = 0; i < of_line.size(); ++i) lines[line][i] += of_line[i];
  }
  return *this;
}

const char* name_of(Flow flow) {
  constexpr const char* kNames[] = {"global load", "global store", "shared load", "shared store"};
  return kNames[static_cast<std::size_t>(flow)];
}

void RequestCounter::begin_block(int threads) {
  if (threads == threads_) return;
  threads_ = threads;
  sites_.clear();
  site_index_.clear();
}

RequestCounter::Site& RequestCounter::site_of(const void* pc, Flow flow) {
  // An instruction that is given shared memory once and global memory once is two sites.
  const auto key = reinterpret_cast<std::uintptr_t>(pc) * kFlows + static_cast<std::uintptr_t>(flow);
  const auto [entry, is_new] = site_index_.try_emplace(key, sites_.size());
  if (is_new) {
    Site site{.pc = pc, .flow = flow, .passes = {}, .requests = {}};
    site.passes.assign(static_cast<std::size_t>(threads_), 0);
    site.requests.resize(static_cast<std::size_t>((threads_ + kLanes - 1) / kLanes));
    sites_.push_back(std::move(site));
  }
  return sites_[entry->second];
}

void RequestCounter::add(int thread, const void* pc, Flow flow, const void* address, std::size_t bytes) {
  Site& site = site_of(pc, flow);
  const std::uint32_t pass = site.passes[static_cast<std::size_t>(thread)]++;
  auto& requests = site.requests[static_cast<std::size_t>(thread / kLanes)];
  if (requests.size() <= pass) requests.resize(pass + 1);
  Request& request = requests[pass];
  request.flow = flow;
  request.bytes = static_cast<std::uint32_t>(bytes);
  // In the order of lanes, whatever the order of turns: halves and quarters of the warp are served together.
  const auto lane = static_cast<std::uint8_t>(thread % kLanes);
  auto at = static_cast<std::size_t>(request.lanes++);
  for (; at > 0 && request.lane_of[at - 1] > lane; --at) {
    request.lane_of[at] = request.lane_of[at - 1];
    request.addresses[at] = request.addresses[at - 1];
  }
  request.lane_of[at] = lane;
  request.addresses[at] = reinterpret_cast<std::uintptr_t>(address);
}

void RequestCounter::add_whole(const void* pc, Flow flow, const std::vector<const void*>& addresses,
                               std::size_t bytes_each) {
  Request request{
      .flow = flow, .bytes = static_cast<std::uint32_t>(bytes_each), .lanes = 0, .addresses = {}, .lane_of = {}};
  for (const void* address : addresses)
    request.addresses[static_cast<std::size_t>(request.lanes++)] = reinterpret_cast<std::uintptr_t>(address);
  by_pc_[pc][static_cast<std::size_t>(flow)] += cost(request);
}

Traffic RequestCounter::cost(const Request& request) {
  std::vector<std::uintptr_t> touched;
  const std::uintptr_t width = is_global(request.flow) ? kSector : kBankWidth;
  const auto words_of = [&](int first, int last) {  // distinct sectors or words of some lanes
    touched.clear();
    for (int lane = first; lane < last; ++lane) {
      const std::uintptr_t at = request.addresses[static_cast<std::size_t>(lane)];
      for (std::uintptr_t unit = at / width; unit <= (at + request.bytes - 1) / width; ++unit) touched.push_back(unit);
    }
    return distinct(touched);
  };
  if (is_global(request.flow)) {
    // The least: as many sectors as the distinct bytes fill.
    std::vector<std::uintptr_t> begins(request.addresses.begin(), request.addresses.begin() + request.lanes);
    std::sort(begins.begin(), begins.end());
    std::uintptr_t bytes = 0, end = 0;
    for (const std::uintptr_t begin : begins) {
      const std::uintptr_t from = std::max(begin, end);
      if (begin + request.bytes > from) bytes += begin + request.bytes - from;
      end = std::max(end, begin + request.bytes);
    }
    return {1, words_of(0, request.lanes), (bytes + kSector - 1) / kSector};
  }
  // Lanes that move 8 or 16 bytes are served by halves and quarters of the warp.
  const int together = std::clamp(static_cast<int>(kBanks * kBankWidth / std::max<std::uint32_t>(request.bytes, 4)), 1,
                                  static_cast<int>(kBanks));
  Traffic traffic{1, 0, 0};
  for (int first = 0; first < request.lanes; first += together) {
    const std::size_t words = words_of(first, std::min(first + together, request.lanes));
    std::array<std::uint64_t, kBanks> of_bank{};
    for (const std::uintptr_t word : touched) ++of_bank[word % kBanks];
    traffic.units += *std::max_element(of_bank.begin(), of_bank.end());
    traffic.needed += (words + kBanks - 1) / kBanks;
  }
  return traffic;
}

void RequestCounter::flush(KernelCounters& into) {
  for (Site& site : sites_) {
    Traffic sum;
    for (auto& warp : site.requests) {
      for (const Request& request : warp) sum += cost(request);
      warp.clear();
    }
    std::fill(site.passes.begin(), site.passes.end(), 0u);
    if (sum.requests > 0) by_pc_[site.pc][static_cast<std::size_t>(site.flow)] += sum;
  }
  for (const auto& [pc, traffic] : by_pc_) {
    const Location where = locate(pc);
    auto& line = into.lines[short_file(where.file) + ":" + std::to_string(where.line)];
    for (int flow = 0; flow < kFlows; ++flow) {
      const auto i = static_cast<std::size_t>(flow);
      into.traffic[i] += traffic[i];
      line[i] += traffic[i];
    }
  }
  by_pc_.clear();
}

}  // namespace cudacards::emulator
