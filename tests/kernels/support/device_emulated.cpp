#include <fmt/format.h>

#include "kernels/simt/emulator/emulator.h"
#include "tests/kernels/support/device.h"

namespace cudacards::testing {

std::string missing_device() { return {}; }
bool is_emulated() { return true; }
void* device_allocate(std::size_t bytes, const char* name) { return emulator::allocate(bytes, name); }
void device_free(void* memory) { emulator::free(memory); }
void device_write(void* device, const void* host, std::size_t bytes) { emulator::copy_to_device(device, host, bytes); }
void device_read(void* host, const void* device, std::size_t bytes) { emulator::copy_to_host(host, device, bytes); }
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
  emulator::reset_counters();
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

}  // namespace cudacards::testing
