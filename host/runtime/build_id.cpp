#include "host/runtime/build_id.h"

#include <elf.h>
#include <link.h>

#include <cstring>

#include <fmt/format.h>

namespace cudacards {
namespace {

std::size_t padded(std::size_t bytes) { return (bytes + 3) / 4 * 4; }

/// A note: sizes of name and contents and a type, the name, the contents, each padded to four bytes.
std::string find_in_notes(const char* notes, std::size_t bytes) {
  while (bytes >= sizeof(ElfW(Nhdr))) {
    ElfW(Nhdr) note;
    std::memcpy(&note, notes, sizeof note);
    const std::size_t whole = sizeof note + padded(note.n_namesz) + padded(note.n_descsz);
    if (whole > bytes) break;
    const char* name = notes + sizeof note;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
      std::string id;
      for (std::size_t i = 0; i < note.n_descsz; ++i)
        id += fmt::format("{:02x}", static_cast<unsigned char>(name[padded(note.n_namesz) + i]));
      return id;
    }
    notes += whole;
    bytes -= whole;
  }
  return "";
}

int look_at_object(dl_phdr_info* object, std::size_t, void* found) {
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_NOTE) continue;
    const auto* notes = reinterpret_cast<const char*>(object->dlpi_addr + segment.p_vaddr);  // NOLINT: the linker's
    auto& id = *static_cast<std::string*>(found);
    if (id.empty()) id = find_in_notes(notes, segment.p_memsz);
  }
  return 1;  // the first object is the program itself
}

}  // namespace

const std::string& build_id() {
  static const std::string id = [] {
    std::string found;
    dl_iterate_phdr(look_at_object, &found);
    return found.empty() ? "unknown" : found;
  }();
  return id;
}

}  // namespace cudacards
