#pragma once
// The words that config files and options use for the enums of a run.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "host/runtime/did_you_mean.h"
#include "host/runtime/error.h"
#include "host/train/run_config.h"

namespace cudacards {

/// The words of an enum, in the order of its values.
template <class Enum>
const std::vector<std::string>& words_of();

template <>
inline const std::vector<std::string>& words_of<OptimizerKind>() {
  static const std::vector<std::string> words = {"sgd", "adam", "adamw"};
  return words;
}
template <>
inline const std::vector<std::string>& words_of<ScheduleKind>() {
  static const std::vector<std::string> words = {"constant", "cosine"};
  return words;
}
template <>
inline const std::vector<std::string>& words_of<DeviceKind>() {
  static const std::vector<std::string> words = {"cpu", "cuda", "emulated"};
  return words;
}
template <>
inline const std::vector<std::string>& words_of<Precision>() {
  static const std::vector<std::string> words = {"fp32", "tf32", "bf16"};
  return words;
}
template <>
inline const std::vector<std::string>& words_of<Tune>() {
  static const std::vector<std::string> words = {"auto", "on", "off"};
  return words;
}

template <>
inline const std::vector<std::string>& words_of<InputRange>() {
  static const std::vector<std::string> words = {"unit", "centred", "unscaled"};
  return words;
}
template <>
inline const std::vector<std::string>& words_of<Head>() {
  static const std::vector<std::string> words = {"linear", "notebook", "notebook-finetune", "imagenet"};
  return words;
}

template <>
inline const std::vector<std::string>& words_of<BatchNorms>() {
  static const std::vector<std::string> words = {"frozen", "batch"};
  return words;
}

template <class Enum>
const std::string& word_of(Enum value) {
  return words_of<Enum>().at(static_cast<std::size_t>(value));
}

/// Throws UsageError that lists the words and guesses; `what` is the option or key, "--precision".
template <class Enum>
Enum from_word(const std::string& word, const std::string& what) {
  const std::vector<std::string>& words = words_of<Enum>();
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == word) return static_cast<Enum>(i);
  }
  throw UsageError(fmt::format("{}: there is no \"{}\"{}; known: {}", what, word, did_you_mean(word, words),
                               fmt::join(words, ", ")));
}

}  // namespace cudacards
