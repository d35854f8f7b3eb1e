#include "host/data/jpeg_decode.h"

#include <memory>

#include <fmt/format.h>
#include <turbojpeg.h>

#include "host/data/image_decode.h"
#include "host/data/jpeg_segments.h"
#include "host/data/orientation.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

// Encoders write 10 to 20 scans. A progressive file can hold thousands of nearly empty ones, each of which costs a pass
// over the whole picture.
constexpr int kMaxScans = 64;

struct Destroy {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Decompressor = std::unique_ptr<void, Destroy>;

struct Header {
  int width = 0, height = 0, subsampling = 0, colourspace = 0;
};

[[noreturn]] void refuse(const Decompressor& handle) {
  throw Error(fmt::format("truncated or corrupt JPEG: {}", tjGetErrorStr2(handle.get())));
}

Decompressor make_decompressor() {
  Decompressor handle(tjInitDecompress());
  if (handle == nullptr) throw Error("out of memory: libjpeg-turbo could not start");
  return handle;
}

Header read_header(const Decompressor& handle, ByteSpan file) {
  Header header;
  if (tjDecompressHeader3(handle.get(), file.data(), file.size(), &header.width, &header.height, &header.subsampling,
                          &header.colourspace) != 0) {
    refuse(handle);
  }
  if (header.width < 1 || header.height < 1) throw Error("truncated or corrupt JPEG: no picture in it");
  check_image_size(header.height, header.width);
  return header;
}

void decompress(const Decompressor& handle, ByteSpan file, const Header& header, TJPF format, std::uint8_t* dst) {
  constexpr int kFlags = TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS | TJFLAG_ACCURATEDCT;
  if (tjDecompress2(handle.get(), file.data(), file.size(), dst, header.width, 0, header.height, format, kFlags) != 0) {
    refuse(handle);
  }
}

enum class Ink { kAsIs, kInverted };

/// Naive conversion without a colour profile: rgb = (1 - cmy) * (1 - k).
void cmyk_to_rgb(const std::uint8_t* cmyk, std::size_t pixels, Ink ink, std::uint8_t* rgb) {
  const unsigned flip = ink == Ink::kInverted ? 0u : 255u;
  for (std::size_t i = 0; i < pixels; ++i) {
    const unsigned light = cmyk[4 * i + 3] ^ flip;
    for (std::size_t c = 0; c < 3; ++c)
      rgb[3 * i + c] = static_cast<std::uint8_t>(((cmyk[4 * i + c] ^ flip) * light + 127) / 255);
  }
}

}  // namespace

Image decode_jpeg(ByteSpan file) {
  const Decompressor handle = make_decompressor();
  const Header header = read_header(handle, file);
  const JpegSegments segments = jpeg_segments(file);
  if (segments.scans > kMaxScans) {
    throw Error(fmt::format("JPEG with {} scans: more than the limit of {}", segments.scans, kMaxScans));
  }

  Image image(header.height, header.width);
  if (header.colourspace == TJCS_CMYK || header.colourspace == TJCS_YCCK) {
    const std::size_t pixels = image.bytes() / 3;
    const auto cmyk = std::make_unique_for_overwrite<std::uint8_t[]>(pixels * 4);
    decompress(handle, file, header, TJPF_CMYK, cmyk.get());
    cmyk_to_rgb(cmyk.get(), pixels, segments.has_adobe ? Ink::kInverted : Ink::kAsIs, image.pixels.get());
  } else {
    decompress(handle, file, header, TJPF_RGB, image.pixels.get());
  }
  return upright(std::move(image), segments.orientation);
}

ImageSize jpeg_size(ByteSpan file) {
  const Header header = read_header(make_decompressor(), file);
  const ImageSize stored{header.height, header.width};
  return swaps_sides(jpeg_segments(file).orientation) ? ImageSize{stored.width, stored.height} : stored;
}

}  // namespace cudacards
