#pragma once
// What the studies are put together from.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "bench/sweep/study.h"

namespace cudacards::sweep {

/// The row in force, then the candidates that differ from it.
template <class Row, class Numbers>
std::vector<Row> with_candidates(Study& study, const Row& in_force, const std::vector<Row>& candidates,
                                 const Numbers& numbers_of) {
  std::vector<Row> rows = {in_force};
  study.rows = {numbers_of(in_force)};
  for (const Row& row : candidates) {
    std::string numbers = numbers_of(row);
    if (std::find(study.rows.begin(), study.rows.end(), numbers) != study.rows.end()) continue;
    study.rows.push_back(std::move(numbers));
    rows.push_back(row);
  }
  return rows;
}

/// Gives the experiment the choice that each row comes to; choices of one name are the same. An experiment in which all
/// rows come to the same tells nothing and is left out.
template <class Row, class Choose>
void add_experiment(Study& study, Experiment experiment, const std::vector<Row>& rows, const Choose& choose) {
  for (const Row& row : rows) {
    Choice choice = choose(row);
    const auto same = std::find_if(experiment.choices.begin(), experiment.choices.end(),
                                   [&](const Choice& other) { return other.name == choice.name; });
    experiment.choice_of_row.push_back(static_cast<std::size_t>(same - experiment.choices.begin()));
    if (same == experiment.choices.end()) experiment.choices.push_back(std::move(choice));
  }
  if (experiment.choices.size() > 1) study.experiments.push_back(std::move(experiment));
}

inline Array input(const char* name, std::int64_t elements, DType type) {
  return {.name = name, .elements = elements, .type = type};
}
inline Array output(const char* name, std::int64_t elements, DType type) {
  return {.name = name, .elements = elements, .type = type, .role = Role::kOutput};
}
inline Array scratch(std::size_t bytes) {
  return {
      .name = "workspace", .elements = static_cast<std::int64_t>(bytes), .type = DType::kU8, .role = Role::kScratch};
}

/// The largest of what each row's choice needs.
template <class Row, class Bytes>
Array scratch_for(const std::vector<Row>& rows, const Bytes& bytes_of) {
  std::size_t most = 0;
  for (const Row& row : rows) most = std::max(most, bytes_of(row));
  return scratch(most);
}

}  // namespace cudacards::sweep
