#include "kernels/simt/emulator/read_only.h"

#include <link.h>

#include <vector>

namespace cudacards::emulator {
namespace {

struct Segment {
  std::uintptr_t begin, end;
  bool read_only;
};

const std::vector<Segment>& segments() {
  static const std::vector<Segment> all = [] {
    std::vector<Segment> found;
    dl_iterate_phdr(
        [](dl_phdr_info* info, std::size_t, void* to) {
          auto& list = *static_cast<std::vector<Segment>*>(to);
          // Read-only after relocation comes first: it lies inside a writable segment.
          for (const bool relocated : {true, false}) {
            for (int i = 0; i < info->dlpi_phnum; ++i) {
              const auto& header = info->dlpi_phdr[i];
              if (header.p_type != (relocated ? PT_GNU_RELRO : PT_LOAD)) continue;
              const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
              list.push_back({begin, begin + header.p_memsz, relocated || (header.p_flags & PF_W) == 0});
            }
          }
          return 0;
        },
        &found);
    return found;
  }();
  return all;
}

const Segment* segment_of(std::uintptr_t address) {
  for (const Segment& segment : segments()) {
    if (address >= segment.begin && address < segment.end) return &segment;
  }
  return nullptr;
}

}  // namespace

bool is_read_only(std::uintptr_t address, std::size_t bytes) {
  const Segment* segment = segment_of(address);
  return segment != nullptr && segment->read_only && address + bytes <= segment->end;
}

bool is_loaded(std::uintptr_t address) { return segment_of(address) != nullptr; }

}  // namespace cudacards::emulator
