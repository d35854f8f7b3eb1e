#pragma once
// Tuning is data. What decides speed alone has a row an architecture:
//
//   {.arch = {9, 0}, .most_blocks = 4096, .evidence = "NVIDIA H200, 2026-08-02: ..."},
//
// oldest architecture first; a row that nobody has measured says so. sweep_kernels (bench/sweep, docs/kernels.md) times
// the candidates and writes the row of the GPU that it runs on; tables that it writes are not touched by clang-format.
//
// What decides the order of sums has one row for all machines where a header says so: results should not depend on
// where they were computed. The sweep proposes such a change and leaves it to a person.

#include <cstddef>

#include "kernels/base/arch.h"

namespace cudacards {

inline constexpr const char* kNotMeasured = "not measured";

/// The row of the newest architecture that is not newer than `arch`; the oldest's where all are.
template <class Row, std::size_t kRows>
constexpr const Row& row_for(const Row (&rows)[kRows], Arch arch) {
  const Row* best = &rows[0];
  for (const Row& row : rows) {
    if (row.arch <= arch) best = &row;
  }
  return *best;
}

}  // namespace cudacards
