// sweep_kernels as a person meets it on a machine without a GPU.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace cudacards {
namespace {

using ::testing::HasSubstr;

#ifdef CUDACARDS_SWEEP_PROGRAM

struct ProgramRun {
  int exit_code = 0;
  std::string text;  // of standard output and standard error
};
ProgramRun run(const std::string& arguments) {
  const std::string command = std::string("\"") + CUDACARDS_SWEEP_PROGRAM + "\" " + arguments + " 2>&1";
  std::FILE* pipe = popen(command.c_str(), "r");
  ProgramRun result;
  std::array<char, 4096> buffer;
  while (const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe))
    result.text.append(buffer.data(), count);
  result.exit_code = WEXITSTATUS(pclose(pipe));
  return result;
}

TEST(SweepProgram, SaysInOneLineThatThereIsNoGpu) {
  setenv("CUDA_VISIBLE_DEVICES", "", 1);  // none, wherever this runs
  const ProgramRun without = run("");
  EXPECT_EQ(without.exit_code, 1);
  EXPECT_THAT(without.text, HasSubstr("sweep_kernels: no GPU to time kernels on: "));
  EXPECT_EQ(std::count(without.text.begin(), without.text.end(), '\n'), 1) << without.text;
}

TEST(SweepProgram, ListsWhatItWouldTimeWithoutAGpu) {
  const ProgramRun list = run("--list --table kMatmulTuning --batch 32");
  EXPECT_EQ(list.exit_code, 0);
  EXPECT_THAT(list.text, HasSubstr("kMatmulTuning (kernels/matmul/tuning.h): 16 rows"));
  EXPECT_THAT(list.text, HasSubstr("    forward 32x100352->128 bf16: 32x128 in 131"));
  EXPECT_THAT(list.text, ::testing::Not(HasSubstr("kPoolTuning")));
}

TEST(SweepProgram, RefusesWhatItDoesNotKnow) {
  const ProgramRun unknown = run("--list --table kNothing");
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.text, HasSubstr("no table \"kNothing\" to sweep; there are: kConv2dTileTuning"));
  EXPECT_EQ(run("--batch 0").exit_code, 2);
}

TEST(SweepProgram, ExplainsItsOptions) {
  const ProgramRun help = run("--help");
  EXPECT_EQ(help.exit_code, 0);
  for (const char* option : {"--table", "--batch", "--list", "--write", "--source", "--json"})
    EXPECT_THAT(help.text, HasSubstr(option));
}

#endif

}  // namespace
}  // namespace cudacards
