// Damaged JPEG files: whatever happens to the bytes, decoding gives a whole picture or a reason, never a crash and
// never a hang. Run under AddressSanitizer and UBSan in CI.

#include <gtest/gtest.h>

#include <chrono>

#include "host/data/image_decode.h"
#include "host/data/picture.h"
#include "host/runtime/error.h"
#include "kernels/base/philox.h"
#include "tests/support/case_scope.h"
#include "tests/support/pictures.h"

namespace cudacards {
namespace {

using testing_support::ByteOrder;
using testing_support::Bytes;
using testing_support::CaseScope;
using testing_support::numbered_cases;
using testing_support::wanted_case;
using Kind = testing_support::JpegOptions::Kind;

std::vector<Bytes> seeds() {
  std::vector<Bytes> files;
  for (const Kind kind : {Kind::kColour, Kind::kGrey, Kind::kCmyk, Kind::kProgressive}) {
    const Bytes plain = testing_support::jpeg(testing_support::picture(40, 33, 9), {.kind = kind, .quality = 75});
    files.push_back(testing_support::with_segment(plain, 0xE1, testing_support::exif(6, ByteOrder::kMotorola)));
  }
  return files;
}

/// One of: flipped bits, other bytes, a cut tail, a piece taken out, a piece repeated, marker bytes put anywhere.
Bytes damaged(Bytes file, std::uint32_t number) {
  const Random4 what = philox4x32_10(number, 1, 0, 0, 0, 0);
  const auto place = [&](std::uint32_t word) { return static_cast<std::ptrdiff_t>(word % file.size()); };
  const std::ptrdiff_t a = place(what.v[1]);
  const std::ptrdiff_t length =
      std::min<std::ptrdiff_t>(what.v[2] % 64 + 1, static_cast<std::ptrdiff_t>(file.size()) - a);
  switch (what.v[0] % 6) {
    case 0:
      for (int i = 0; i < 4; ++i)
        file[static_cast<std::size_t>(place(what.v[i]))] ^= static_cast<std::uint8_t>(1u << (what.v[3] >> 8 * i & 7));
      break;
    case 1:
      file[static_cast<std::size_t>(a)] = static_cast<std::uint8_t>(what.v[3]);
      break;
    case 2:
      file.resize(static_cast<std::size_t>(a));
      break;
    case 3:
      file.erase(file.begin() + a, file.begin() + a + length);
      break;
    case 4: {
      const Bytes piece(file.begin() + a, file.begin() + a + length);
      file.insert(file.begin() + place(what.v[3]), piece.begin(), piece.end());
      break;
    }
    default: {
      const Bytes marker = {0xFF, static_cast<std::uint8_t>(0xC0 | (what.v[3] & 0x3F))};
      file.insert(file.begin() + a, marker.begin(), marker.end());
    }
  }
  return file;
}

void survive(int count) {
  const std::vector<Bytes> files = seeds();
  int refused = 0;
  std::vector<std::uint8_t> dst(24 * 24 * 3);
  for (const int i : numbered_cases(count)) {
    const CaseScope scope(i);
    const Bytes file = damaged(files[static_cast<std::size_t>(i) % files.size()], static_cast<std::uint32_t>(i));
    const auto start = std::chrono::steady_clock::now();
    try {
      decode_picture(file, 24, 24, dst.data());
    } catch (const Error& error) {
      ++refused;
      ASSERT_STRNE(error.what(), "");
    }
    ASSERT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  }
  if (!wanted_case().empty()) return;
  // Some damage leaves a valid file (a byte of EXIF, a table that is not used); most must be noticed.
  EXPECT_GT(refused, count / 3);
}

TEST(JpegFuzz, FiveHundredDamagedFilesGivePicturesOrReasons) { survive(500); }
TEST(JpegFuzzLong, TwentyThousandDamagedFilesGivePicturesOrReasons) { survive(20'000); }

}  // namespace
}  // namespace cudacards
