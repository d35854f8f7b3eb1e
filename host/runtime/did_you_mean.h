#pragma once
// The nearest known word to a mistyped one.

#include <string>
#include <vector>

namespace cudacards {

/// The candidate with the smallest Damerau-Levenshtein distance, if that is small against the word's length; else "".
std::string nearest_word(const std::string& word, const std::vector<std::string>& candidates);

/// ", did you mean \"cnn\"?" or "".
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace cudacards
