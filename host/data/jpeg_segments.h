#pragma once
// What the decoder does not tell about a JPEG file, from its marker segments: ITU-T T.81 annex B, and the TIFF
// structure that EXIF (CIPA DC-008) keeps in APP1. Reads hostile files safely: every length is checked against what is
// there.

#include "host/data/files.h"
#include "host/data/orientation.h"

namespace cudacards {

struct JpegSegments {
  Orientation orientation = Orientation::kUpright;
  bool has_adobe = false;  // an APP14 segment: its writer stores CMYK inverted
  int scans = 0;
};

JpegSegments jpeg_segments(ByteSpan file);

}  // namespace cudacards
