#include "tests/support/pictures.h"

#include <cmath>
#include <fstream>
#include <string_view>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <turbojpeg.h>

#include "kernels/base/philox.h"

namespace cudacards::testing_support {

Image picture(int height, int width, std::uint32_t seed) {
  const Random4 random = philox4x32_10(seed, 0, 0, 0, 0, 0);
  const auto phase = [&](int i) { return 6.28f * uniform01(random.v[i]); };
  Image image(height, width);
  std::uint8_t* pixel = image.pixels.get();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const float u = static_cast<float>(x) / static_cast<float>(width),
                  v = static_cast<float>(y) / static_cast<float>(height);
      const float edge = u + v > 0.5f + uniform01(random.v[3]) ? 60.0f : 0.0f;
      for (int c = 0; c < 3; ++c)
        *pixel++ = static_cast<std::uint8_t>(90 + edge + 80 * std::sin(5 * u - 4 * v + phase(c)));
    }
  }
  return image;
}

/// A loop, because GCC 12 raises false alarms over vector::insert of a list.
static void append(Bytes& bytes, std::initializer_list<std::uint8_t> values) {
  for (const std::uint8_t value : values) bytes.push_back(value);
}

Bytes jpeg(const Image& image, const JpegOptions& options, std::uint8_t black) {
  using Kind = JpegOptions::Kind;
  Bytes cmyk;
  if (options.kind == Kind::kCmyk) {
    for (std::size_t i = 0; i < image.bytes(); i += 3) {
      append(cmyk, {image.pixels[i], image.pixels[i + 1], image.pixels[i + 2], black});
    }
  }
  const tjhandle handle = tjInitCompress();
  unsigned char* encoded = nullptr;
  unsigned long size = 0;
  const int result = tjCompress2(handle, cmyk.empty() ? image.pixels.get() : cmyk.data(), image.width, 0, image.height,
                                 cmyk.empty() ? TJPF_RGB : TJPF_CMYK, &encoded, &size,
                                 options.kind == Kind::kGrey ? TJSAMP_GRAY : TJSAMP_444, options.quality,
                                 options.kind == Kind::kProgressive ? TJFLAG_PROGRESSIVE : 0);
  EXPECT_EQ(result, 0) << tjGetErrorStr2(handle);
  Bytes bytes(encoded, encoded + size);
  tjFree(encoded);
  tjDestroy(handle);
  return bytes;
}

Bytes exif(std::uint32_t orientation, ByteOrder order) {
  Bytes bytes;
  append(bytes, {'E', 'x', 'i', 'f', 0, 0});
  const auto put = [&](std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) {
      const int shift = order == ByteOrder::kIntel ? 8 * i : 8 * (count - 1 - i);
      bytes.push_back(static_cast<std::uint8_t>(value >> shift));
    }
  };
  const std::uint8_t mark = order == ByteOrder::kIntel ? 'I' : 'M';
  append(bytes, {mark, mark});
  put(42, 2);
  put(8, 4);       // offset of the directory
  put(1, 2);       // entries
  put(0x0112, 2);  // Orientation
  put(3, 2);       // SHORT
  put(1, 4);       // one value
  put(orientation, 2);
  put(0, 2);
  put(0, 4);  // no next directory
  return bytes;
}

Bytes with_segment(const Bytes& jpeg, std::uint8_t marker, const Bytes& body) {
  Bytes bytes(jpeg.begin(), jpeg.begin() + 2);
  const std::size_t length = body.size() + 2;
  append(bytes, {0xFF, marker, static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)});
  bytes.insert(bytes.end(), body.begin(), body.end());
  bytes.insert(bytes.end(), jpeg.begin() + 2, jpeg.end());
  return bytes;
}

void write(const std::filesystem::path& path, const Bytes& bytes) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  EXPECT_TRUE(file.good()) << path;
}

void write_class(const std::filesystem::path& folder, int count, std::uint32_t seed, int size) {
  std::filesystem::create_directories(folder);
  for (int i = 0; i < count; ++i) {
    write(folder / fmt::format("{:03}.jpg", i), jpeg(picture(size, size, seed * 1000 + static_cast<std::uint32_t>(i))));
  }
}

}  // namespace cudacards::testing_support
