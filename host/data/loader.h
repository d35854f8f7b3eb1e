#pragma once
// Batches of a decoded split, in an order and with an augmentation that depend only on (seed, epoch, position): any
// batch can be asked for at any time, so that a run resumes in the middle of an epoch.

#include <cstdint>
#include <memory>
#include <vector>

#include "host/data/augment.h"
#include "host/data/dataset.h"
#include "host/ops/image_batch.h"

namespace cudacards {

struct LoaderOptions {
  int batch = 32;
  std::uint64_t seed = 0;
  bool shuffle = false;
  AugmentOptions augment = {};  // default: none
};

/// Belongs to the loader; valid until the batch after next is asked for.
struct Batch {
  ImageBatch images;                  // exactly `batch` pictures: a short one is filled up by repeating its own
  std::vector<std::int32_t> labels;   // `batch` of them
  std::vector<std::int64_t> indices;  // in the Pictures
  std::int64_t rows = 0;              // that count

  std::vector<const std::uint8_t*> image_pointers;  // what `images` points to
  std::vector<ImageTransform> transforms;
};

class Loader {
 public:
  Loader(const Pictures& pictures, const LoaderOptions& options);
  ~Loader();
  std::int64_t batches() const;  // an epoch
  /// Batch `index` of epoch `epoch`. The one after it is prepared in the background meanwhile.
  const Batch& batch(std::int64_t epoch, std::int64_t index);
  /// Seconds that batch() has waited for the background so far.
  double seconds_waited() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cudacards
