#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "kernels/simt/emulator/emulator.h"
#include "tests/kernels/support/device.h"

namespace cudacards::testing {
namespace {

/// Everything that the program's kernels did, kept over the resets of expect_traffic. Written as JSON at the program's
/// end to the file that CUDACARDS_KERNEL_COUNTERS names: `make kernel-table` makes its table of it.
class KernelRecord : public ::testing::Environment {
 public:
  static KernelRecord& instance() {
    static auto* const record = static_cast<KernelRecord*>(::testing::AddGlobalTestEnvironment(new KernelRecord));
    return *record;
  }

  void take() {
    for (const auto& [name, counters] : emulator::counters()) all_[name] += counters;
    emulator::reset_counters();
  }

  void TearDown() override {
    take();
    const char* path = std::getenv("CUDACARDS_KERNEL_COUNTERS");
    if (path == nullptr) return;
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const auto& [name, c] : all_) {
      nlohmann::ordered_json row = {{"kernel", name},
                                    {"launches", c.launches},
                                    {"problems", c.problems.size()},
                                    {"orders", c.orders.size()},
                                    {"accesses", c.accesses},
                                    {"barriers", c.barriers},
                                    {"seconds", c.seconds}};
      for (int i = 0; i < emulator::kFlows; ++i) {
        const auto& t = c.traffic[static_cast<std::size_t>(i)];
        row[emulator::name_of(static_cast<emulator::Flow>(i))] = {
            {"requests", t.requests}, {"units", t.units}, {"needed", t.needed}};
      }
      json.push_back(row);
    }
    std::ofstream(path) << json.dump(1) << '\n';
  }

 private:
  std::map<std::string, emulator::KernelCounters> all_;
};

KernelRecord& record_from_the_start = KernelRecord::instance();

}  // namespace

std::string missing_device() { return {}; }
bool is_emulated() { return true; }
void* device_allocate(std::size_t bytes, const char* name) { return emulator::allocate(bytes, name); }
void device_free(void* memory) { emulator::free(memory); }
void device_write(void* device, const void* host, std::size_t bytes) { emulator::copy_to_device(device, host, bytes); }
void device_read(void* host, const void* device, std::size_t bytes) {
  const Status status = emulator::copy_to_host(host, device, bytes);
  EXPECT_TRUE(status) << status.reason();
}
Status device_finish() { return Status::ok(); }

void for_each_order(const std::function<void()>& body) {
  for (const auto order : {emulator::Order::kForward, emulator::Order::kReverse, emulator::Order::kShuffled}) {
    emulator::settings().order = order;
    body();
  }
  emulator::settings().order = emulator::Order::kForward;
}

void expect_traffic(const std::string& kernel, const TrafficLimit& limit, const std::function<void()>& body) {
  using emulator::Flow;
  KernelRecord::instance().take();
  emulator::settings().counting = emulator::Counting::kOn;
  body();
  emulator::settings().counting = emulator::Counting::kOff;
  int found = 0;
  for (const auto& [name, counters] : emulator::counters()) {
    if (name.find(kernel) == std::string::npos) continue;
    ++found;
    const double limits[] = {limit.global_load, limit.global_store, limit.shared_load, limit.shared_store};
    for (int i = 0; i < emulator::kFlows; ++i) {
      const auto flow = static_cast<Flow>(i);
      if (counters.of(flow).excess() <= limits[i]) continue;
      std::string lines;
      for (const auto& [line, traffic] : counters.lines) {
        const emulator::Traffic& t = traffic[static_cast<std::size_t>(i)];
        if (t.units > t.needed)
          lines += fmt::format("\n  {}: {} where {} would do, in {} requests", line, t.units, t.needed, t.requests);
      }
      ADD_FAILURE() << name << ": " << emulator::name_of(flow) << "s take " << counters.of(flow).excess()
                    << " times what their bytes need, allowed " << limits[i] << lines;
    }
  }
  EXPECT_GT(found, 0) << "no kernel named " << kernel << " has run";
}

void expect_started(const std::string& kernel, const std::function<void()>& body) {
  KernelRecord::instance().take();
  body();
  std::vector<std::string> started;
  for (const auto& [name, counters] : emulator::counters()) started.push_back(name);
  EXPECT_THAT(started, ::testing::Contains(::testing::HasSubstr(kernel)));
}

}  // namespace cudacards::testing
