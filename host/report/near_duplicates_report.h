#pragma once
// Near duplicates for people: both pictures of each pair beside one another, as a page or as one picture.

#include <string>
#include <vector>

#include "host/data/near_duplicates.h"
#include "host/report/contact_sheet.h"

namespace cudacards {

/// "in two splits", "under two classes and in two splits", ...
const char* meaning_of(const NearDuplicate& pair);

/// The first `top` pairs. `root` is the folder that was searched: paths are told from there.
std::string near_duplicates_html(const NearDuplicates& found, const std::string& root, std::size_t top);

/// A row a pair. Pairs of which a file has gone meanwhile are left out.
ContactSheet near_duplicates_sheet(const NearDuplicates& found, const std::string& root, std::size_t top);

}  // namespace cudacards
