#pragma once
// Pictures for pages: small JPEGs.

#include <cstdint>
#include <string>

#include "host/report/run_report.h"

namespace cudacards {

/// Of RGB pixels, height rows of width x 3 bytes; made smaller where they are larger than a page needs.
ReportPicture report_picture(std::string caption, const std::uint8_t* pixels, int height, int width);

/// Of a picture file, as it is. Throws Error with the reason alone: the caller knows the path.
ReportPicture report_picture(std::string caption, const std::string& path);

/// A picture file with words (markup) below it; only the words where it has gone since it was listed.
std::string html_file_figure(const std::string& caption, const std::string& path, const std::string& words);

}  // namespace cudacards
