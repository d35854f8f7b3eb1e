#include "host/data/jpeg_encode.h"

#include <memory>

#include <turbojpeg.h>

#include "host/runtime/error.h"

namespace cudacards {

std::vector<std::uint8_t> encode_jpeg(const std::uint8_t* pixels, int height, int width, std::size_t row_bytes,
                                      int quality, ChromaSampling sampling) {
  const TJSAMP subsampling = sampling == ChromaSampling::k444 ? TJSAMP_444 : TJSAMP_420;
  const std::unique_ptr<void, int (*)(tjhandle)> encoder(tjInitCompress(), tjDestroy);
  CUDACARDS_CHECK(encoder != nullptr, "no JPEG encoder");
  std::vector<std::uint8_t> bytes(tjBufSize(width, height, subsampling));
  unsigned char* data = bytes.data();
  unsigned long size = bytes.size();
  const int failed = tjCompress2(encoder.get(), pixels, width, static_cast<int>(row_bytes), height, TJPF_RGB, &data,
                                 &size, subsampling, quality, TJFLAG_NOREALLOC);
  CUDACARDS_CHECK(failed == 0, tjGetErrorStr2(encoder.get()));
  bytes.resize(size);
  return bytes;
}

}  // namespace cudacards
