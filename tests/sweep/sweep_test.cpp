// A whole sweep with a clock of the test's own: what is written, proposed, refused and reported.

#include "bench/sweep/sweep.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "tests/support/error_text.h"
#include "tests/support/temporary_folder.h"
#include "tests/sweep/emulated_machine.h"

namespace cudacards::sweep {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using testing_support::error_text;
using testing_support::read_bytes;
using testing_support::TemporaryFolder;
using testing_support::write_bytes;

/// A copy of the kernels' headers, to be written to.
void copy_kernels(const fs::path& to) {
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(CUDACARDS_SOURCE_DIR) / "kernels")) {
    if (entry.path().extension() != ".h") continue;
    const fs::path target = to / fs::relative(entry.path(), CUDACARDS_SOURCE_DIR);
    fs::create_directories(target.parent_path());
    fs::copy_file(entry.path(), target);
  }
}

std::vector<Study> a_study_of_each_scope() {
  constexpr Facts kFacts = {.arch = {9, 0}, .multiprocessors = 2};
  std::vector<Study> studies;
  studies.push_back(pool_blocks({{.n = 4, .h = 64, .w = 64, .c = 16}}, kFacts));
  studies.push_back(conv_pool_splits({conv_pool_problem(1, 48, 48, 16, 16)}, kFacts));
  return studies;
}

TEST(Sweep, WritesTheWinnerIntoTheHeaderWhichStillCompiles) {
  const TemporaryFolder folder;
  copy_kernels(folder.path());
  // The second choice of each experiment is the fastest (choices are timed in turn: 2 forward, 4 backward).
  EmulatedMachine machine([](int n) { return n % 2 == 1 ? 10.0 : 20.0; });
  auto studies = a_study_of_each_scope();
  studies.resize(1);
  ASSERT_EQ(studies[0].rows[1], ".most_blocks = 16");
  ASSERT_EQ(studies[0].experiments[0].choices.size(), 2u);
  ASSERT_EQ(studies[0].experiments[1].choices.size(), 4u);
  const SweepResult result =
      run_sweep(std::move(studies), machine, {.source = folder.path(), .write = Write::kYes, .date = "2026-08-02"});
  EXPECT_TRUE(result.studies[0].is_written);
  EXPECT_THAT(read_bytes(folder / "kernels/pool/tuning.h"), HasSubstr(R"(// clang-format off
inline constexpr PoolTuning kPoolTuning[] = {
    {.arch = {8, 0}, .most_blocks = 65536, .evidence = kNotMeasured},
    {.arch = {9, 0}, .most_blocks = 16,
     .evidence = "an emulated GPU, 2026-08-02, 2 problems: 0.0 % off the best of each on average (row before: 100.0 "
                 "%); max pool 64x64x16 2x2/2 N=4 bf16: 16 blocks 10.0 us, 32 blocks 20.0 us"},
};
// clang-format on
)"));
  write_bytes(folder / "test.cpp", R"(#include "kernels/pool/tuning.h"
static_assert(cudacards::kDefaultPoolTuning.most_blocks == 16);
static_assert(cudacards::pool_tuning({8, 6}).most_blocks == 65536);
)");
  const std::string command = fmt::format("\"{}\" -std=c++20 -fsyntax-only -I\"{}\" \"{}\"", CUDACARDS_CXX,
                                          folder.path().string(), (folder.path() / "test.cpp").string());
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
}

TEST(Sweep, WritesNothingUnlessAsked) {
  const TemporaryFolder folder;
  copy_kernels(folder.path());
  EmulatedMachine machine([](int n) { return 10.0 + n % 3; });
  const std::string before = read_bytes(folder / "kernels/pool/tuning.h");
  const SweepResult result =
      run_sweep(a_study_of_each_scope(), machine, {.source = folder.path(), .date = "2026-08-02"});
  EXPECT_EQ(read_bytes(folder / "kernels/pool/tuning.h"), before);
  EXPECT_THAT(text_of(result), HasSubstr("not written: --write does"));
}

TEST(Sweep, ProposesNumbersThatDecideTheOrderOfSums) {
  const TemporaryFolder folder;
  copy_kernels(folder.path());
  const std::string before = read_bytes(folder / "kernels/conv_pool/tuning.h");
  EmulatedMachine machine([](int n) { return 100.0 / (n + 1); });
  auto studies = a_study_of_each_scope();
  studies.erase(studies.begin());
  const SweepResult result =
      run_sweep(std::move(studies), machine, {.source = folder.path(), .write = Write::kYes, .date = "2026-08-02"});
  EXPECT_EQ(read_bytes(folder / "kernels/conv_pool/tuning.h"), before);
  EXPECT_THAT(text_of(result), HasSubstr("proposed: .weights_blocks = "));
  EXPECT_THAT(text_of(result), HasSubstr("not written: it decides the order of sums"));
}

TEST(Sweep, NamesRefusalsAndCountsThem) {
  EmulatedMachine machine([](int) { return 1.0; });
  auto studies = a_study_of_each_scope();
  studies.resize(1);
  studies[0].experiments[0].choices[1].launch = [](const Pointers&, Stream) { return Status::failed("no room"); };
  std::vector<std::string> said;
  const SweepResult result = run_sweep(std::move(studies), machine,
                                       {.date = "d", .say = [&](const std::string& line) { said.push_back(line); }});
  EXPECT_EQ(result.refusals, 1);
  EXPECT_THAT(said, ::testing::Contains("REFUSED: max pool 64x64x16 2x2/2 N=4 bf16, 16 blocks: no room"));
  EXPECT_THAT(text_of(result), HasSubstr("1 refused: a kernel is wrong"));
  EXPECT_EQ(json_of(result)["studies"][0]["experiments"][0]["choices"][1]["refusal"], "no room");
}

TEST(Sweep, ReportsEveryTimeAsJson) {
  EmulatedMachine machine([](int n) { return 1.0 + n; });
  const nlohmann::json json = json_of(run_sweep(a_study_of_each_scope(), machine, {.date = "2026-08-02"}));
  EXPECT_EQ(json["gpu"], "an emulated GPU");
  EXPECT_EQ(json["arch"], "sm_90");
  EXPECT_EQ(json["date"], "2026-08-02");
  EXPECT_EQ(json["refusals"], 0);
  const auto& pool = json["studies"][0];
  EXPECT_EQ(pool["table"], "kPoolTuning");
  EXPECT_EQ(pool["scope"], "architecture");
  EXPECT_EQ(pool["rows"][0], ".most_blocks = 65536");
  EXPECT_EQ(pool["written"], false);
  EXPECT_EQ(pool["experiments"][0]["choices"][1]["microseconds"], 2.0);
  EXPECT_EQ(json["studies"][1]["scope"], "all machines");
}

TEST(Sweep, WantsItsHeadersBeforeItTimesAnything) {
  const TemporaryFolder folder;
  EmulatedMachine machine([](int) { return 1.0; });
  EXPECT_THAT(error_text([&] {
                run_sweep(a_study_of_each_scope(), machine,
                          {.source = folder.path(), .write = Write::kYes, .date = "d"});
              }),
              HasSubstr("kernels/pool/tuning.h: cannot be read; run in the repository's root, or say --source"));
  EXPECT_EQ(machine.measured(), 0);
}

}  // namespace
}  // namespace cudacards::sweep
