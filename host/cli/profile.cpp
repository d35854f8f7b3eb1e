// cudacards profile: where the time of a step goes.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/runtime/device_choice.h"
#include "host/runtime/log.h"
#include "host/runtime/threads.h"
#include "host/train/checkpoint.h"
#include "host/train/presets.h"
#include "host/train/profile.h"
#include "models/registry.h"

namespace cudacards::cli {
namespace {

struct ProfileCommand {
  std::string subject = "cnn", device = "auto";
  std::optional<int> batch, image_size, classes, threads, steps;
  std::optional<Precision> precision;
  std::vector<std::string> impl;
  std::optional<Tune> tune;
  bool infer = false, json = false;
};

bool is_model(const std::string& name) {
  return std::ranges::any_of(models(), [&](const ModelEntry& model) { return model.name == name; });
}

/// What a run was trained as, or a model as `train` would begin with it.
ProfileOptions subject_of(const std::string& subject, const DeviceChoice& device) {
  ProfileOptions options;
  options.device = device;
  options.config.device = device.kind;
  std::error_code ignored;
  if (is_model(subject) || !std::filesystem::exists(subject, ignored)) {
    options.config.arch = subject;  // an unknown name is refused with a guess
    apply_preset(options.config, options.config.preset);
    return options;
  }
  return profile_options(read_checkpoint(checkpoint_in(subject)), device);
}

int run(const ProfileCommand& command) {
  const DeviceChoice device = choose_device(command.device);
  ProfileOptions options = subject_of(command.subject, device);
  RunConfig& config = options.config;
  options.mode = command.infer ? Mode::kInfer : Mode::kTrain;
  options.classes = command.classes.value_or(options.classes);
  options.steps = command.steps.value_or(config.device == DeviceKind::kEmulated ? 1 : 10);
  config.batch = command.batch.value_or(config.batch);
  config.image_size = command.image_size.value_or(config.image_size);
  config.precision = command.precision.value_or(config.precision);
  config.threads = command.threads.value_or(config.threads);
  for (const std::string& rule : command.impl) config.impl.add(rule, "--impl");
  if (command.tune) {
    config.tune = *command.tune;
    options.choices = nullptr;
  }
  validate(config);
  set_threads(config.threads);
  if (!options.device.reason.empty()) log_note(fmt::format("profiling on the CPU: {}", options.device.reason));
  const Profile result = profile(options);
  fmt::print("{}", command.json ? profile_json(result) + "\n" : profile_table(result));
  return 0;
}

template <class T>
void add_number(CLI::App& app, const std::string& name, std::optional<T>& value, const std::string& description,
                const std::string& default_text, int least, int most) {
  app.add_option(name, value, description)->type_name("N")->check(CLI::Range(least, most))->default_str(default_text);
}

}  // namespace

void add_profile(CLI::App& app, Action& action) {
  auto profile = std::make_shared<ProfileCommand>();
  CLI::App& command = *app.add_subcommand("profile", "Show where the time of a step goes, part by part");
  command.add_option("SUBJECT", profile->subject, "A model (cnn, mlp, ...), a run's folder or a checkpoint")
      ->capture_default_str();
  command.add_option("--device", profile->device, "auto, cpu, cuda, cuda:N or emulated (counts instead of times)")
      ->type_name("DEVICE")
      ->capture_default_str();
  const std::string as_trained = "the run's, or ";
  add_word_option<Precision>(
      command, "--precision", [profile](Precision precision) { profile->precision = precision; }, "What is computed in")
      ->default_str(as_trained + "what train takes");
  add_number(command, "--batch", profile->batch, "Pictures a step", as_trained + "32", 1, 65536);
  add_number(command, "--image-size", profile->image_size, "Pictures of N x N", as_trained + "224", 8, 4096);
  add_number(command, "--classes", profile->classes, "Classes", as_trained + "53", 1, 1'000'000);
  add_number(command, "--steps", profile->steps, "Steps, of which the median counts", "10; emulated: 1", 1, 100'000);
  add_impl_option(command, [profile](const std::string& rule) { profile->impl.push_back(rule); });
  add_tune_flags(command, [profile](Tune tune) { profile->tune = tune; });
  add_number(command, "--threads", profile->threads, "CPU threads; 0: one a core that may be used", as_trained + "0", 0,
             1024);
  command.add_flag("--infer,--inference", profile->infer, "Inference instead of training steps");
  command.add_flag("--json", profile->json, "Print JSON");
  command.footer("Pictures are random. docs/profiling.md has the lines for Nsight Systems and Nsight Compute.");
  command.callback([profile, &action] { action = [profile] { return run(*profile); }; });
}

}  // namespace cudacards::cli
