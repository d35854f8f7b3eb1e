// Whatever a file or a class is called, it stays text.

#include "host/report/markup.h"

#include <gtest/gtest.h>

namespace cudacards {
namespace {

TEST(Markup, EscapesWhatMarkupTakesForItself) {
  EXPECT_EQ(escape_markup("<a href=\"x\" title='y'>&</a>"),
            "&lt;a href=&quot;x&quot; title=&#39;y&#39;&gt;&amp;&lt;/a&gt;");
}

TEST(Markup, KeepsUtf8AndReplacesWhatIsNone) {
  EXPECT_EQ(escape_markup("K\xC3\xB6nig \xE2\x99\xA0"), "K\xC3\xB6nig \xE2\x99\xA0");
  EXPECT_EQ(escape_markup("a\xFF\x62"), "a\xEF\xBF\xBD\x62");
  EXPECT_EQ(escape_markup("cut \xE2\x99"), "cut \xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(escape_markup(std::string("a\0\n\x7F", 4)), "a   ");
}

TEST(Markup, CountsCharactersNotBytes) { EXPECT_EQ(character_count("K\xC3\xB6nig"), 5u); }

// RFC 4648, section 10.
TEST(Markup, EncodesBase64) {
  const auto encoded = [](std::string_view text) {
    return base64({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  };
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("foobar"), "Zm9vYmFy");
}

TEST(Markup, DividesAnAxisInFourToTen) {
  for (double largest = 1e-5; largest < 1e6; largest *= 1.07) {
    const double parts = largest / grid_step(largest);
    EXPECT_GE(parts, 4 - 1e-9) << largest;
    EXPECT_LE(parts, 10 + 1e-9) << largest;
  }
}

}  // namespace
}  // namespace cudacards
