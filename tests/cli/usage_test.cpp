// The command line explains itself, and says what is wrong with a line that it doesn't understand: one line, exit code
// 2, a guess.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/cli/program.h"

namespace cudacards {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using namespace testing_support;

using Arguments = std::vector<std::string>;

/// Of `cudacards <command> --help`.
const std::string& help_of(const Arguments& command) {
  static std::map<Arguments, std::string> known;
  const auto [found, is_new] = known.try_emplace(command);
  if (is_new) {
    Arguments arguments = command;
    arguments.push_back("--help");
    const Outcome outcome = run_program(arguments);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.err, IsEmpty());
    found->second = outcome.out;
  }
  return found->second;
}

/// Entries of the help: an option's line and the lines below it that continue its description.
std::vector<std::string> entries_of(const std::string& help) {
  std::vector<std::string> entries;
  bool in_entry = false;
  for (const std::string& line : lines_of(help)) {
    const bool starts_entry = line.starts_with("  ") && line.size() > 2 && line[2] != ' ';
    const bool continues = line.starts_with("   ");
    if (starts_entry) entries.push_back(line);
    if (continues && in_entry) entries.back() += " " + line.substr(line.find_first_not_of(' '));
    in_entry = starts_entry || (continues && in_entry);
  }
  return entries;
}

/// The program itself and every command below it, as the help lists them.
std::vector<Arguments> every_command() {
  std::vector<Arguments> commands = {{}};
  for (std::size_t next = 0; next < commands.size(); ++next) {
    const std::string& help = help_of(commands[next]);
    const auto listed = help.find("\nSubcommands:\n");
    if (listed == std::string::npos) continue;
    for (const std::string& entry : entries_of(help.substr(listed))) {
      Arguments command = commands[next];
      command.push_back(entry.substr(2, entry.find(' ', 2) - 2));
      commands.push_back(command);
    }
  }
  return commands;
}

TEST(CliHelp, EveryCommandHasOneIn80Columns) {
  const std::vector<Arguments> commands = every_command();
  for (const Arguments& command : {Arguments{"train"}, Arguments{"data", "check"}, Arguments{"weights", "fetch"}}) {
    EXPECT_THAT(commands, Contains(command));
  }
  for (const Arguments& command : commands) {
    SCOPED_TRACE(testing::PrintToString(command));
    EXPECT_THAT(help_of(command), HasSubstr("Usage: cudacards"));
    EXPECT_LE(columns_of(help_of(command)), 80u) << help_of(command);
  }
}

TEST(CliHelp, TellsTheDefaultOfEveryOption) {
  for (const Arguments& command : every_command()) {
    SCOPED_TRACE(testing::PrintToString(command));
    for (const std::string& entry : entries_of(help_of(command))) {
      const bool is_option =
          entry.starts_with("  -") && !entry.starts_with("  -h,") && !entry.starts_with("  --version");
      if (!is_option) continue;
      EXPECT_TRUE(entry.find("(default: ") != std::string::npos || entry.ends_with("(required)")) << entry;
    }
  }
}

TEST(Cli, PrintsItsVersion) {
  const Outcome outcome = run_program({"--version"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, StartsWith("cudacards "));
  EXPECT_THAT(outcome.err, IsEmpty());
}

TEST(Cli, DoctorTellsWhatThereIs) {
  const Outcome outcome = run_program({"doctor"});
  EXPECT_EQ(outcome.exit_code, 0);
  for (const char* word : {"oneDNN", "OpenCV", "processor", "threads", "GPU"})
    EXPECT_THAT(outcome.out, HasSubstr(word));
  EXPECT_THAT(outcome.err, IsEmpty());
}

struct Misuse {
  const char* name;
  Arguments arguments;
  const char* message;
};

void PrintTo(const Misuse& misuse, std::ostream* out) { *out << misuse.name; }

class CliMisuse : public testing::TestWithParam<Misuse> {};

TEST_P(CliMisuse, IsOneLineOnStandardErrorAndExitCode2) {
  const Outcome outcome = run_program(GetParam().arguments);
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err, StartsWith("cudacards: "));
  EXPECT_THAT(outcome.err, HasSubstr(GetParam().message));
  EXPECT_THAT(lines_of(outcome.err), SizeIs(1)) << outcome.err;
}

INSTANTIATE_TEST_SUITE_P(
    Lines, CliMisuse,
    testing::Values(Misuse{"NoCommand", {}, "a command is missing; see cudacards --help"},
                    Misuse{"Command", {"trian"}, "no command \"trian\", did you mean \"train\"?"},
                    Misuse{"DataCommand", {"data", "chek", "x"}, "no command \"chek\", did you mean \"check\"?"},
                    Misuse{"NoDataCommand", {"data"}, "see cudacards data --help"},
                    Misuse{"Option",
                           {"train", "--epoch", "3"},
                           "no option --epoch, did you mean \"--epochs\"?; see cudacards train --help"},
                    Misuse{"OptionBeforeRequired", {"eval", "--date=x"}, "no option --date, did you mean \"--data\"?"},
                    Misuse{"Arch", {"train", "--arch", "ccn"}, "did you mean \"cnn\"?"},
                    Misuse{"SummaryArch", {"summary", "--arch", "mpl"}, "did you mean \"mlp\"?"},
                    Misuse{"Width",
                           {"train", "--arch", "mobilenetv2", "--width", "0.3"},
                           "mobilenetv2 has no width 0.3, did you mean 0.35?"},
                    Misuse{"Head",
                           {"summary", "--arch", "mobilenetv2", "--head", "notbook"},
                           "--head: there is no \"notbook\", did you mean \"notebook\"?"},
                    Misuse{"FreezeWord",
                           {"train", "--freeze", "backbon"},
                           "--freeze: there is no \"backbon\", did you mean \"backbone\"?"},
                    Misuse{"FreezeTooMany",
                           {"summary", "--arch", "mobilenetv2", "--freeze", "blocks:18"},
                           "the model has 17 blocks"},
                    Misuse{"FreezeOfAnotherModel",
                           {"train", "--freeze", "backbone"},
                           "cnn has no pre-trained features to freeze: leave out --freeze backbone"},
                    Misuse{"FreezeWithoutWeights",
                           {"train", "--arch", "mobilenetv2", "--freeze", "backbone"},
                           "--freeze backbone needs pre-trained weights"},
                    Misuse{"BatchNormsWord", {"summary", "--bn", "bacth"}, "did you mean \"batch\"?"},
                    Misuse{"PresetOfAnotherModel", {"train", "--preset", "transfer"}, "is for mobilenetv2, not cnn"},
                    Misuse{"PresetWithoutWeights",
                           {"train", "--arch", "mobilenetv2", "--preset", "finetune"},
                           "the preset finetune needs pre-trained weights"},
                    Misuse{"SummaryPreset", {"summary", "--preset", "bset"}, "did you mean \"best\"?"},
                    Misuse{"WidthOfAnotherModel", {"train", "--width", "0.5"}, "cnn has one width"},
                    Misuse{"WeightsCommand", {"weights", "imprt", "x"}, "did you mean \"import\"?"},
                    Misuse{"WeightsName", {"weights", "fetch", "mobilenet"}, "no weights named \"mobilenet\""},
                    Misuse{"ImportWithoutOut", {"weights", "import", "x"}, "--out is required"},
                    Misuse{"Preset", {"train", "--preset", "notbook"}, "did you mean \"notebook\"?"},
                    Misuse{"Precision",
                           {"train", "--precision", "fp23"},
                           "--precision: there is no \"fp23\", did you mean \"fp32\"?"},
                    Misuse{"Tf32OnTheCpu",
                           {"train", "--precision", "tf32", "--device", "cpu"},
                           "tf32 is multiplied by the tensor cores of GPUs, and this would run on the CPU"},
                    Misuse{"PlanInTf32OnTheCpu",
                           {"summary", "--precision", "tf32", "--device", "cpu"},
                           "use --precision fp32 or bf16, or --device cuda"},
                    Misuse{"ImplNode",
                           {"train", "--impl", "hand,conv2=vendor"},
                           "the plan has no node \"conv2\", did you mean \"conv2d\"?"},
                    Misuse{"ImplWord", {"summary", "--impl", "vendro"}, "did you mean \"vendor\"?"},
                    Misuse{"ImplForm", {"summary", "--impl", "conv2d="}, "NODE=one of these"},
                    Misuse{"ImplUnsupported",
                           {"summary", "--device", "cpu", "--impl", "conv2d=hand:conv-pool"},
                           "conv2d cannot be hand:conv-pool: there is none for the device (cpu)"},
                    Misuse{"TuneAndNot", {"summary", "--tune", "--no-tune"}, "--tune excludes --no-tune"},
                    Misuse{"ProfileSubject", {"profile", "ccn"}, "did you mean \"cnn\"?"},
                    Misuse{"Device", {"train", "--device", "cud"}, "did you mean \"cuda\"?"},
                    Misuse{"DeviceNumber", {"train", "--device", "cuda:x"}, "known: auto, cpu, cuda, cuda:N"},
                    Misuse{"Number", {"train", "--batch", "3.5"}, "--batch"},
                    Misuse{"Range", {"train", "--epochs", "0"}, "epochs = 0: must be 1 or more"},
                    Misuse{"Setting", {"train", "--set", "augment.scael=1"}, "did you mean \"augment.scale\"?"},
                    Misuse{"SettingSyntax", {"train", "--set", "augment.scale"}, "--set augment.scale: not TOML"},
                    Misuse{"Config", {"train", "--config", "/nonexistent.toml"}, "/nonexistent.toml: No such file"},
                    Misuse{"ResumeAndMore", {"train", "--resume", "run", "--lr", "1"}, "leave out --lr"},
                    Misuse{"TwoKindsOfData", {"train", "a", "--train", "b"}, "use one way"},
                    Misuse{"MissingArgument", {"eval"}, "CKPT is required"},
                    Misuse{"MissingOption", {"eval", "x"}, "--data is required"},
                    Misuse{"Split", {"eval", "x", "--data", "y", "--split", "tests"}, "tests"},
                    Misuse{"ScenesOfADeck",
                           {"data", "make", "x", "--scenes", "2", "--per-class", "3"},
                           "--per-class excludes --scenes"},
                    Misuse{"TwoFormats", {"predict", "x", "y", "--json", "--csv"}, "--json excludes --csv"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace cudacards
