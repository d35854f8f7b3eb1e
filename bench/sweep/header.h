#pragma once
// A row of a tuning table in its header: the text of a file in, the text of the file out.

#include <string>
#include <string_view>

#include "kernels/base/arch.h"

namespace cudacards::sweep {

/// `{.arch = {9, 0}, <numbers>,\n .evidence = "..."},` indented as the tables are, lines of at most 120 columns.
std::string row_text(Arch arch, std::string_view numbers, std::string_view evidence);

/// The header with the row of `arch` in `table` replaced, or put in its place among the others. All else stays as it
/// is, byte by byte. Throws Error where there is no such table.
std::string with_row(const std::string& header, std::string_view table, Arch arch, std::string_view row);

}  // namespace cudacards::sweep
