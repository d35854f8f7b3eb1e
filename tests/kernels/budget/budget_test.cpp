// Registers, stack and shared memory of every kernel, as the assembler reports them, stay within kernels/budget.txt.
// What the emulator cannot see: a kernel that spills its registers is right and slow.
//
// A changed kernel: run with CUDACARDS_UPDATE_BUDGET=1, look at the difference, commit the file.

#include <cxxabi.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <regex>
#include <sstream>
#include <string>

namespace cudacards::testing {
namespace {

struct Resources {
  int registers = 0, spills = 0, stack = 0, shared = 0;  // registers, else bytes a thread; shared: static, a block
};
using Table = std::map<std::string, Resources>;  // by "sm_80 kernel<type>"

const std::string kBudget = std::string(CUDACARDS_SOURCE_DIR) + "/kernels/budget.txt";

/// "void cudacards::(anonymous namespace)::f<float>(A, B)" -> "f<float>".
std::string short_name(std::string name) {
  int depth = 0;
  for (std::size_t i = name.size(); i-- > 0;) {
    if (name[i] == ')') ++depth;
    if (name[i] == '(' && --depth == 0) {
      name.resize(i);
      break;
    }
  }
  name = std::regex_replace(name, std::regex(R"(\(anonymous namespace\)::|cudacards::|<unnamed>::|^void )"), "");
  return name;
}

std::string demangled(const std::string& name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 ? text.get() : name;
}

void read_report(const std::filesystem::path& path, Table& table) {
  const std::regex entry(R"(Compiling entry function '(\w+)' for '(sm_\d+)')"),
      frame(R"((\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads)"),
      used(R"(Used (\d+) registers)"), shared(R"((\d+) bytes smem)");
  std::ifstream file(path);
  Resources* of = nullptr;
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (std::regex_search(line, match, entry)) of = &table[match[2].str() + " " + short_name(demangled(match[1]))];
    if (of == nullptr) continue;
    if (std::regex_search(line, match, frame)) {
      of->stack = std::stoi(match[1]);
      of->spills = std::stoi(match[2]) + std::stoi(match[3]);
    }
    if (std::regex_search(line, match, shared)) of->shared = std::stoi(match[1]);
    if (std::regex_search(line, match, used)) of->registers = std::stoi(match[1]);
  }
}

Table resources_of_library() {
  Table table;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(CUDACARDS_PTXAS_REPORTS)) {
    if (entry.path().extension() == ".ptxas") read_report(entry.path(), table);
  }
  return table;
}

Table read_budget() {
  Table table;
  std::ifstream file(kBudget);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream fields(line);
    Resources r;
    std::string name;
    fields >> r.registers >> r.spills >> r.stack >> r.shared >> std::ws;
    std::getline(fields, name);
    table[name] = r;
  }
  return table;
}

void write_budget(const Table& table) {
  std::ofstream file(kBudget);
  file << "# What ptxas gives each kernel: registers a thread; bytes spilled, bytes of stack a thread; static shared "
          "bytes.\n"
          "# tests/kernels/budget compares; CUDACARDS_UPDATE_BUDGET=1 test_kernel_budget writes it anew.\n";
  for (const auto& [name, r] : table)
    file << r.registers << ' ' << r.spills << ' ' << r.stack << ' ' << r.shared << ' ' << name << '\n';
}

TEST(KernelBudget, IsKeptByEveryKernel) {
  const Table actual = resources_of_library();
  ASSERT_FALSE(actual.empty()) << "no reports in " << CUDACARDS_PTXAS_REPORTS;
  if (std::getenv("CUDACARDS_UPDATE_BUDGET") != nullptr) write_budget(actual);
  const Table budget = read_budget();
  int compared = 0;
  for (const auto& [name, used] : actual) {
    if (!name.starts_with("sm_80 ") && !name.starts_with("sm_90 ")) continue;  // a GPU's own architecture
    ++compared;
    const auto allowed = budget.find(name);
    if (allowed == budget.end()) {
      ADD_FAILURE() << name << " has no line in kernels/budget.txt";
      continue;
    }
    EXPECT_LE(used.registers, allowed->second.registers) << name;
    EXPECT_LE(used.spills, allowed->second.spills) << name;
    EXPECT_LE(used.stack, allowed->second.stack) << name << ": a local array";
    EXPECT_LE(used.shared, allowed->second.shared) << name;
  }
  if (compared == 0) GTEST_SKIP() << "skipped: built for another architecture than sm_80 and sm_90";
  for (const auto& [name, allowed] : budget) {
    EXPECT_TRUE(actual.contains(name) || compared < static_cast<int>(budget.size()))
        << name << " is in kernels/budget.txt and no longer in the library";
  }
}

}  // namespace
}  // namespace cudacards::testing
