#include "host/train/run_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "host/data/files.h"
#include "host/runtime/did_you_mean.h"
#include "host/runtime/error.h"
#include "host/runtime/utf8.h"
#include "host/train/presets.h"
#include "host/train/words.h"

namespace cudacards {
namespace {

// Every field, once, in the order of the file: writing, reading and the check of unknown keys all walk this list.
template <class Config, class Visitor>
void visit_fields(Config& c, Visitor&& visit) {
  visit("run", "arch", c.arch);
  visit("run", "preset", c.preset);
  visit("run", "out", c.out);
  visit("run", "seed", c.seed);

  visit("data", "root", c.data);
  visit("data", "train", c.data_train);
  visit("data", "valid", c.data_valid);
  visit("data", "test", c.data_test);
  visit("data", "image_size", c.image_size);

  visit("model", "dropout", c.dropout);
  visit("model", "input_range", c.input_range);
  visit("model", "width", c.width);
  visit("model", "head", c.head);
  visit("model", "weights", c.weights);

  visit("training", "epochs", c.epochs);
  visit("training", "batch", c.batch);
  visit("training", "patience", c.patience);
  visit("training", "checkpoint_steps", c.checkpoint_steps);
  visit("training", "label_smoothing", c.label_smoothing);
  visit("training", "ema_decay", c.ema_decay);
  visit("training", "freeze", c.freeze);
  visit("training", "bn", c.batch_norms);
  visit("training", "bn_momentum", c.bn_momentum);

  visit("optimizer", "kind", c.optimizer.kind);
  visit("optimizer", "beta1", c.optimizer.beta1);
  visit("optimizer", "beta2", c.optimizer.beta2);
  visit("optimizer", "epsilon", c.optimizer.epsilon);
  visit("optimizer", "momentum", c.optimizer.momentum);
  visit("optimizer", "weight_decay", c.optimizer.weight_decay);

  visit("schedule", "kind", c.schedule);
  visit("schedule", "rate", c.rate);
  visit("schedule", "warmup_epochs", c.warmup_epochs);
  visit("schedule", "final_rate", c.final_rate);
  visit("schedule", "layer_decay", c.layer_decay);

  visit("augment", "rotation_degrees", c.augment.rotation_degrees);
  visit("augment", "scale", c.augment.scale);
  visit("augment", "shift", c.augment.shift);
  visit("augment", "perspective", c.augment.perspective);
  visit("augment", "brightness", c.augment.brightness);
  visit("augment", "contrast", c.augment.contrast);
  visit("augment", "blur_probability", c.augment.blur_probability);
  visit("augment", "blur_sigma", c.augment.blur_sigma);
  visit("augment", "erase_probability", c.augment.erase_probability);
  visit("augment", "erase_area", c.augment.erase_area);

  visit("machine", "device", c.device);
  visit("machine", "precision", c.precision);
  visit("machine", "impl", c.impl);
  visit("machine", "tune", c.tune);
  visit("machine", "threads", c.threads);
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      result += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
    } else {
      result += c;
    }
  }
  return result + "\"";
}

// The shortest text that reads back as the same value. A TOML float needs a point or an exponent.
std::string number(float value) {
  std::string text = fmt::format("{}", value);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

template <class T>
std::string to_value(const T& value) {
  if constexpr (std::is_same_v<T, std::string>) {
    return quoted(value);
  } else if constexpr (std::is_same_v<T, ImplRules> || std::is_same_v<T, Freeze>) {
    return quoted(value.to_string());
  } else if constexpr (std::is_enum_v<T>) {
    return quoted(word_of(value));
  } else if constexpr (std::is_same_v<T, float>) {
    return number(value);
  } else {
    return fmt::format("{}", value);
  }
}

class Reader {
 public:
  Reader(const toml::table& root, const std::string& where) : root_(root), where_(where) {}

  template <class T>
  void operator()(const char* section, const char* key, T& field) const {
    if (const toml::node* node = root_[section][key].node())
      read(fmt::format("{}: {}.{}", where_, section, key), *node, field);
  }

 private:
  [[noreturn]] static void refuse(const std::string& key, const toml::node& node, const char* expected) {
    throw UsageError(fmt::format("{} (line {}): expected {}", key, node.source().begin.line, expected));
  }

  static void read(const std::string& key, const toml::node& node, std::string& field) {
    if (!node.is_string()) refuse(key, node, "text in quotes");
    field = **node.as_string();
  }
  static void read(const std::string& key, const toml::node& node, ImplRules& field) {
    std::string text;
    read(key, node, text);
    field = ImplRules();
    field.add(text, key);
  }
  static void read(const std::string& key, const toml::node& node, Freeze& field) {
    std::string text;
    read(key, node, text);
    field = Freeze::from_text(text, key);
  }
  static void read(const std::string& key, const toml::node& node, float& field) {
    if (!node.is_number()) refuse(key, node, "a number");
    field = static_cast<float>(*node.value<double>());
  }
  template <class Integer>
  requires std::is_integral_v<Integer>
  static void read(const std::string& key, const toml::node& node, Integer& field) {
    if (!node.is_integer() || !std::in_range<Integer>(**node.as_integer()))
      refuse(key, node, "a whole number in range");
    field = static_cast<Integer>(**node.as_integer());
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  static void read(const std::string& key, const toml::node& node, Enum& field) {
    std::string word;
    read(key, node, word);
    field = from_word<Enum>(word, key);
  }

  const toml::table& root_;
  const std::string& where_;
};

using KnownKeys = std::map<std::string, std::vector<std::string>>;  // by section

void refuse_unknown_keys(const toml::table& root, const std::string& where) {
  RunConfig config;
  KnownKeys known;
  std::vector<std::string> sections, dotted;
  visit_fields(config, [&](const char* section, const char* key, auto&) {
    if (known[section].empty()) sections.emplace_back(section);
    known[section].emplace_back(key);
    dotted.push_back(fmt::format("{}.{}", section, key));
  });
  for (const auto& [section, node] : root) {
    const std::string name(section.str());
    const auto keys = known.find(name);
    const auto line = node.source().begin.line;
    if (keys == known.end()) {
      throw UsageError(fmt::format("{}: unknown {} \"{}\" (line {}){}; sections: {}", where,
                                   node.is_table() ? "section" : "key", name, line, did_you_mean(name, sections),
                                   fmt::join(sections, ", ")));
    }
    if (!node.is_table())
      throw UsageError(fmt::format("{}: \"{}\" (line {}) must be a section, [{}]", where, name, line, name));
    for (const auto& [key, value] : *node.as_table()) {
      const std::string key_name(key.str());
      if (std::find(keys->second.begin(), keys->second.end(), key_name) != keys->second.end()) continue;
      throw UsageError(fmt::format(
          "{}: unknown key \"{}.{}\" (line {}){}; [{}] has: {}", where, name, key_name, value.source().begin.line,
          did_you_mean(fmt::format("{}.{}", name, key_name), dotted), name, fmt::join(keys->second, ", ")));
    }
  }
}

void check(bool right, const char* key, const std::string& value, const char* rule) {
  if (!right) throw UsageError(fmt::format("{} = {}: must be {}", key, value, rule));
}
template <class T>
void check_at_least(const char* key, T value, T least) {
  check(std::isfinite(static_cast<double>(value)) && value >= least, key, fmt::format("{}", value),
        fmt::format("{} or more", least).c_str());
}
void check_share(const char* key, float value) {
  check(value >= 0 && value <= 1, key, fmt::format("{}", value), "from 0 to 1");
}
void check_below_one(const char* key, float value) {
  check(value >= 0 && value < 1, key, fmt::format("{}", value), "0 or more and less than 1");
}

// Frozen layers that start from random numbers would stay random.
void require_weights(const RunConfig& c) {
  if (!c.weights.empty()) return;
  const bool needed = preset_named(c.preset).needs_weights;
  if (!needed && c.freeze == Freeze{}) return;
  throw UsageError(fmt::format(
      "{} needs pre-trained weights: give --weights FILE (cudacards weights import makes one from others' files)",
      needed ? "the preset " + c.preset : "--freeze " + c.freeze.to_string()));
}

}  // namespace

std::string to_toml(const RunConfig& config) {
  std::string text =
      "# Everything that decides this run; `cudacards train --config run.toml --out elsewhere` does it again.\n";
  std::string section;
  visit_fields(config, [&](const char* field_section, const char* key, const auto& value) {
    if (section != field_section) text += fmt::format("\n[{}]\n", section = field_section);
    text += fmt::format("{} = {}\n", key, to_value(value));
  });
  return text;
}

void apply_toml(RunConfig& config, const std::string& text, const std::string& where) {
  toml::table root;
  try {
    root = toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw UsageError(fmt::format("{}: not TOML in line {}: {}", where, error.source().begin.line, error.description()));
  }
  refuse_unknown_keys(root, where);
  visit_fields(config, Reader(root, where));
}

RunConfig run_config_from_toml(const std::string& text, const std::string& where) {
  RunConfig named;
  apply_toml(named, text, where);  // for the names of arch and preset
  RunConfig config;
  config.arch = named.arch;
  apply_preset(config, named.preset);
  apply_toml(config, text, where);
  return config;
}

ModelSpec model_spec(const RunConfig& config, int classes) {
  return {.height = config.image_size,
          .width = config.image_size,
          .classes = classes,
          .dropout = config.dropout,
          .input_range = config.input_range,
          .width_multiplier = config.width > 0 ? config.width : ModelSpec{}.width_multiplier,
          .head = config.head,
          .fine_tuning = {.freeze = config.freeze,
                          .batch_norms = config.batch_norms,
                          .momentum = config.bn_momentum,
                          .layer_decay = config.layer_decay}};
}

PlanOptions plan_options(const RunConfig& config, const Target& target,
                         const std::shared_ptr<const TuningTable>& tuning) {
  return {.batch = config.batch,
          .target = target,
          .precision = config.precision,
          .mode = Mode::kTrain,
          .impl = config.impl,
          .tuning = tuning};
}

void validate(const RunConfig& c) {
  const bool by_parts = !c.data_train.empty() || !c.data_valid.empty() || !c.data_test.empty();
  if (by_parts && !c.data.empty())
    throw UsageError("the data are given as one folder and as --train, --valid or --test: use one way");
  if (by_parts && c.data_train.empty()) throw UsageError("--valid or --test without --train: nothing to learn from");
  for (const std::string* path : {&c.data, &c.data_train, &c.data_valid, &c.data_test, &c.out, &c.weights}) {
    if (!is_utf8(*path))
      throw UsageError(
          fmt::format("the path {} is not UTF-8: a run's configuration could not keep it", printable(*path)));
  }
  check(c.seed <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()), "seed",
        fmt::format("{}", c.seed), "below 2^63, what a TOML file can hold");
  check(c.image_size >= 8 && c.image_size <= 4096, "image size", fmt::format("{}", c.image_size), "from 8 to 4096");
  check_below_one("dropout", c.dropout);
  check_below_one("batch norm momentum", c.bn_momentum);
  check(c.layer_decay > 0 && c.layer_decay <= 1, "layer decay", fmt::format("{}", c.layer_decay),
        "more than 0 and at most 1");
  // The arch's name, that it has this width and head, that its layers fit this size, and the nodes' names.
  c.impl.check(build_model(c.arch, model_spec(c, default_classes(c.head))));
  require_weights(c);
  check_at_least("epochs", c.epochs, 1);
  check(c.batch >= 1 && c.batch <= 65536, "batch", fmt::format("{}", c.batch), "from 1 to 65536");
  check_at_least("patience", c.patience, 0);
  check_at_least("checkpoint steps", c.checkpoint_steps, 0);
  check_below_one("label smoothing", c.label_smoothing);
  check_below_one("EMA decay", c.ema_decay);
  check_below_one("beta1", c.optimizer.beta1);
  check_below_one("beta2", c.optimizer.beta2);
  check_below_one("momentum", c.optimizer.momentum);
  check(c.optimizer.epsilon > 0, "epsilon", fmt::format("{}", c.optimizer.epsilon), "more than 0");
  check_at_least("weight decay", c.optimizer.weight_decay, 0.0f);
  check(std::isfinite(c.rate) && c.rate > 0, "learning rate", fmt::format("{}", c.rate), "more than 0");
  check_at_least("warm-up epochs", c.warmup_epochs, 0.0f);
  check_share("final rate", c.final_rate);
  validate(c.augment);
  require_precision(c.precision, c.device);
  check(c.threads >= 0 && c.threads <= 1024, "threads", fmt::format("{}", c.threads), "from 0 (one a core) to 1024");
}

}  // namespace cudacards
