#include "kernels/simt/emulator/symbols.h"

#include <cxxabi.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace cudacards::emulator {
namespace {

/// The debug information of this process, opened on first use.
Dwfl* debug_information() {
  static Dwfl* const dwfl = [] {
    static const Dwfl_Callbacks callbacks = {.find_elf = dwfl_linux_proc_find_elf,
                                             .find_debuginfo = dwfl_standard_find_debuginfo,
                                             .section_address = nullptr,
                                             .debuginfo_path = nullptr};
    Dwfl* made = dwfl_begin(&callbacks);
    if (made == nullptr || dwfl_linux_proc_report(made, getpid()) != 0 || dwfl_report_end(made, nullptr, nullptr) != 0)
      return static_cast<Dwfl*>(nullptr);
    return made;
  }();
  return dwfl;
}

std::string demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                         &std::free);
  std::string result = status == 0 ? text.get() : name;
  if (const auto parameters = result.find('('); parameters != std::string::npos && parameters > 0) {
    // "void cudacards::(anonymous namespace)::name<float>(...)": the parameters begin at the last parenthesis opened
    // at depth 0.
    int depth = 0;
    for (std::size_t i = result.size(); i-- > 0;) {
      if (result[i] == ')') ++depth;
      if (result[i] == '(' && --depth == 0) {
        result.resize(i);
        break;
      }
    }
  }
  const std::string anonymous = "(anonymous namespace)::", own = "cudacards::";
  for (const std::string& drop : {anonymous, own}) {
    for (auto at = result.find(drop); at != std::string::npos; at = result.find(drop)) result.erase(at, drop.size());
  }
  if (result.starts_with("void ")) result.erase(0, 5);
  return result;
}

bool is_machinery(const std::string& file) {
  return file.find("kernels/simt/") != std::string::npos || file.find("/include/") != std::string::npos;
}

/// The file that attribute DW_AT_call_file of an inlined function names.
const char* call_file(Dwarf_Die& unit, Dwarf_Die& inlined) {
  Dwarf_Attribute attribute;
  Dwarf_Word number = 0;
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  if (dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_file, &attribute), &number) != 0) return nullptr;
  if (dwarf_getsrcfiles(&unit, &files, &count) != 0 || number >= count) return nullptr;
  return dwarf_filesrc(files, number, nullptr, nullptr);
}

int call_line(Dwarf_Die& inlined) {
  Dwarf_Attribute attribute;
  Dwarf_Word line = 0;
  return dwarf_formudata(dwarf_attr(&inlined, DW_AT_call_line, &attribute), &line) == 0 ? static_cast<int>(line) : 0;
}

Location find(const void* return_address) {
  Location where;
  Dwfl* dwfl = debug_information();
  // The call is the instruction before the one that it returns to.
  const auto pc = reinterpret_cast<Dwarf_Addr>(return_address) - 1;
  Dwfl_Module* module = dwfl != nullptr ? dwfl_addrmodule(dwfl, pc) : nullptr;
  if (module == nullptr) return where;
  if (Dwfl_Line* line = dwfl_module_getsrc(module, pc)) {
    if (const char* file = dwfl_lineinfo(line, nullptr, &where.line, nullptr, nullptr, nullptr)) where.file = file;
  }
  Dwarf_Addr bias = 0;
  Dwarf_Die* unit = dwfl_module_addrdie(module, pc, &bias);
  if (unit == nullptr) return where;
  // dwarf_getscopes() goes on, from an inlined function, with what its definition lies in; who called it is around its
  // copy.
  Dwarf_Die *innermost = nullptr, *scopes = nullptr;
  const int found = dwarf_getscopes(unit, pc - bias, &innermost);
  const int count = found > 0 ? dwarf_getscopes_die(&innermost[0], &scopes) : 0;
  std::free(innermost);
  for (int i = 0; i < count && is_machinery(where.file); ++i) {
    if (dwarf_tag(&scopes[i]) != DW_TAG_inlined_subroutine) continue;
    const char* file = call_file(*unit, scopes[i]);
    if (file == nullptr) break;
    where.file = file;
    where.line = call_line(scopes[i]);
  }
  std::free(scopes);
  return where;
}

}  // namespace

Location locate(const void* return_address) {
  static std::mutex mutex;
  static std::unordered_map<const void*, Location> known;
  const std::lock_guard lock(mutex);
  const auto [entry, is_new] = known.try_emplace(return_address);
  if (is_new) {
    entry->second = find(return_address);
    entry->second.function = function_name(return_address);
  }
  return entry->second;
}

std::string function_name(const void* address) {
  Dwfl* dwfl = debug_information();
  const auto pc = reinterpret_cast<Dwarf_Addr>(address);
  Dwfl_Module* module = dwfl != nullptr ? dwfl_addrmodule(dwfl, pc) : nullptr;
  const char* name = module != nullptr ? dwfl_module_addrname(module, pc) : nullptr;
  return name != nullptr ? demangled(name) : "an unnamed kernel";
}

}  // namespace cudacards::emulator
