#include "host/train/checkpoint_metadata.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <type_traits>

#include "host/runtime/error.h"
#include "host/train/tuning_file.h"
#include "weights/json_string.h"

namespace cudacards {
namespace {

using Metadata = std::map<std::string, std::string>;

constexpr const char* kFormatKey = "format";
constexpr const char* kFormat = "cudacards-checkpoint-1";
constexpr const char* kContentsKey = "contents";
constexpr const char* kChoicesKey = "choices";
constexpr const char* kResume = "resume";
constexpr const char* kInference = "inference";

/// Integers in decimal, floating point in hexadecimal: exact, and the same in every locale.
template <class Number>
std::string to_exact_text(Number value) {
  std::array<char, 64> text;
  std::to_chars_result result;
  if constexpr (std::is_floating_point_v<Number>) {
    result = std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::hex);
  } else {
    result = std::to_chars(text.data(), text.data() + text.size(), value);
  }
  return std::string(text.data(), result.ptr);
}

/// Metadata with errors that name the file and the entry.
class Reader {
 public:
  Reader(const Metadata& metadata, const std::string& where) : metadata_(metadata), where_(where) {
    const auto format = metadata_.find(kFormatKey);
    if (format == metadata_.end() || format->second != kFormat) {
      throw Error(fmt::format(
          "{} is no checkpoint of this version of cudacards: its metadata has {} {}, {} is expected", where_,
          kFormatKey, format == metadata_.end() ? std::string("missing") : in_quotes(format->second),
          in_quotes(kFormat)));
    }
  }

  const std::string& text(const std::string& key) const {
    const auto entry = metadata_.find(key);
    if (entry == metadata_.end())
      throw Error(fmt::format("{}: the checkpoint's metadata has no {}", where_, in_quotes(key)));
    return entry->second;
  }

  template <class Number>
  void number(const std::string& key, Number& value) const {
    const std::string& from = text(key);
    std::from_chars_result result;
    if constexpr (std::is_floating_point_v<Number>) {
      result = std::from_chars(from.data(), from.data() + from.size(), value, std::chars_format::hex);
    } else {
      result = std::from_chars(from.data(), from.data() + from.size(), value);
    }
    if (result.ec != std::errc{} || result.ptr != from.data() + from.size()) refuse(key, "is not a number");
    if constexpr (std::is_integral_v<Number> && std::is_signed_v<Number>) {
      if (value < 0) refuse(key, "is negative");  // all of them are counts
    }
  }

  [[noreturn]] void refuse(const std::string& key, const char* why) const {
    throw Error(fmt::format("{}: the checkpoint's metadata {} = {} {}", where_, key, in_quotes(text(key)), why));
  }

 private:
  const Metadata& metadata_;
  const std::string& where_;
};

/// Every number of a Checkpoint outside its configuration, once: writing and reading both walk this list.
template <class AnyCheckpoint, class Visitor>
void visit_numbers(AnyCheckpoint& c, Visitor&& visit) {
  visit("preprocessing.scale", c.preprocessing.scale);
  visit("preprocessing.offset", c.preprocessing.offset);
  visit("state.step", c.state.step);
  visit("state.epoch", c.state.epoch);
  visit("state.step_in_epoch", c.state.step_in_epoch);
  visit("state.pictures", c.state.pictures);
  visit("state.running.loss_sum", c.state.running.loss_sum);
  visit("state.running.correct", c.state.running.correct);
  visit("state.running.rows", c.state.running.rows);
  visit("state.running.seconds", c.state.running.seconds);
  visit("state.best_epoch", c.state.best_epoch);
  visit("state.best_val_loss", c.state.best_val_loss);
  visit("state.best_val_accuracy", c.state.best_val_accuracy);
  visit("state.epochs_without_improvement", c.state.epochs_without_improvement);
}

std::string classes_as_json(const std::vector<std::string>& classes) {
  for (const std::string& name : classes) {
    if (!is_utf8(name)) {
      throw Error(fmt::format("the class name {} is not UTF-8 and cannot be stored in a checkpoint: rename its folder",
                              in_quotes(name)));
    }
  }
  return nlohmann::json(classes).dump();
}

std::vector<std::string> classes_from_json(const Reader& reader) {
  const auto json = nlohmann::json::parse(reader.text("classes"), nullptr, false);
  const bool all_names =
      json.is_array() && !json.empty() &&
      std::all_of(json.begin(), json.end(), [](const nlohmann::json& name) { return name.is_string(); });
  if (!all_names) reader.refuse("classes", "is not a list of names");
  auto classes = json.get<std::vector<std::string>>();
  if (std::set<std::string>(classes.begin(), classes.end()).size() != classes.size())
    reader.refuse("classes", "has a name twice");
  return classes;
}

/// Absent where the lists' order decides.
TuningTable choices_from_json(const Reader& reader, const Metadata& metadata) {
  if (!metadata.contains(kChoicesKey)) return {};
  std::optional<TuningTable> choices = tuning_from_json(reader.text(kChoicesKey));
  if (!choices) reader.refuse(kChoicesKey, "is no list of measurements");
  return *std::move(choices);
}

}  // namespace

std::map<std::string, std::string> to_metadata(const Checkpoint& checkpoint, CheckpointKind kind) {
  Metadata metadata = {
      {kFormatKey, kFormat},
      {kContentsKey, kind == CheckpointKind::kResume ? kResume : kInference},
      {"classes", classes_as_json(checkpoint.classes)},
      {"config", to_toml(checkpoint.config)},
      {"preprocessing.resize", checkpoint.preprocessing.resize},
      // Also in the configuration, which is what this program reads; here for programs without a TOML parser.
      {"arch", checkpoint.config.arch},
      {"image_height", to_exact_text(checkpoint.config.image_size)},
      {"image_width", to_exact_text(checkpoint.config.image_size)},
  };
  if (!checkpoint.choices.entries.empty()) metadata.emplace(kChoicesKey, to_json(checkpoint.choices));
  visit_numbers(checkpoint, [&metadata](const char* key, auto value) { metadata.emplace(key, to_exact_text(value)); });
  return metadata;
}

Checkpoint checkpoint_from_metadata(const std::map<std::string, std::string>& metadata, const std::string& where) {
  const Reader reader(metadata, where);
  Checkpoint checkpoint;
  try {
    checkpoint.config = run_config_from_toml(reader.text("config"), "the configuration in " + where);
    validate(checkpoint.config);
  } catch (const UsageError& error) {
    throw Error(error.what());  // it is the file that is wrong, not what the person asked for
  }
  checkpoint.classes = classes_from_json(reader);
  checkpoint.choices = choices_from_json(reader, metadata);
  checkpoint.preprocessing.resize = reader.text("preprocessing.resize");
  visit_numbers(checkpoint, [&reader](const char* key, auto& value) { reader.number(key, value); });
  return checkpoint;
}

CheckpointKind kind_from_metadata(const std::map<std::string, std::string>& metadata, const std::string& where) {
  const Reader reader(metadata, where);
  const std::string& contents = reader.text(kContentsKey);
  if (contents == kResume) return CheckpointKind::kResume;
  if (contents == kInference) return CheckpointKind::kInference;
  reader.refuse(kContentsKey, "is neither \"resume\" nor \"inference\"");
}

}  // namespace cudacards
