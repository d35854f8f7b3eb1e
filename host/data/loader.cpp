#include "host/data/loader.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>

#include "host/data/shuffle.h"
#include "host/runtime/error.h"

namespace cudacards {
namespace {

/// Which batch: the whole of what its contents depend on besides the loader's options.
struct Ticket {
  std::int64_t epoch = 0, index = 0;
  bool operator==(const Ticket&) const = default;
};

/// Reads a byte of every cache line, so that the step finds the pixels in the cache.
unsigned touch(const std::uint8_t* pixels, std::size_t bytes) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < bytes; i += kAlignment) sum += pixels[i];
  return sum;
}

}  // namespace

// One background thread prepares one batch at a time. Three batches rotate: the one in the trainer's hands, the one
// before it (still valid by contract) and the one being prepared. The mutex guards the tickets and the flags; a batch's
// contents belong to the background from request() until `done`, and to the trainer after.
struct Loader::State {
  State(const Pictures& pictures, const LoaderOptions& options) : pictures(pictures), options(options) {
    worker = std::thread([this] { work(); });
  }

  ~State() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    worker.join();
  }

  std::int64_t batches() const { return (pictures.size() + options.batch - 1) / options.batch; }

  Ticket after(const Ticket& ticket) const {
    return ticket.index + 1 < batches() ? Ticket{ticket.epoch, ticket.index + 1} : Ticket{ticket.epoch + 1, 0};
  }

  /// Into the current slot. Call with the mutex held and nothing in progress.
  void request(const Ticket& ticket) {
    wanted = ticket;
    done = false;
    changed.notify_all();
  }

  const Batch& take(const Ticket& ticket) {
    std::unique_lock lock(mutex);
    const auto ready = [this] { return done; };
    const auto start = std::chrono::steady_clock::now();
    if (wanted) changed.wait(lock, ready);
    if (wanted != ticket) {
      request(ticket);  // takes the place of the batch that nobody asked for
      changed.wait(lock, ready);
    }
    waited += std::chrono::steady_clock::now() - start;
    if (const std::exception_ptr thrown = std::exchange(error, nullptr)) {
      wanted.reset();
      std::rethrow_exception(thrown);
    }
    const Batch& batch = slots[slot];
    slot = (slot + 1) % slots.size();
    request(after(ticket));
    return batch;
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [this] { return stopping || (wanted && !done); });
      if (stopping) return;
      const Ticket ticket = *wanted;
      Batch& batch = slots[slot];
      lock.unlock();
      std::exception_ptr thrown;
      try {
        prepare(ticket, batch);
      } catch (...) {
        thrown = std::current_exception();
      }
      lock.lock();
      error = thrown;
      done = true;
      changed.notify_all();
    }
  }

  void prepare(const Ticket& ticket, Batch& batch) {
    if (ordered_epoch != ticket.epoch) {
      ordered_epoch.reset();
      order.resize(static_cast<std::size_t>(pictures.size()));
      std::iota(order.begin(), order.end(), std::int64_t{0});
      if (options.shuffle) shuffle(order, options.seed, static_cast<std::uint64_t>(ticket.epoch));
      ordered_epoch = ticket.epoch;
    }
    const std::int64_t first = ticket.index * options.batch;
    batch.rows = std::min<std::int64_t>(options.batch, pictures.size() - first);
    batch.indices.clear();
    batch.labels.clear();
    batch.image_pointers.clear();
    batch.transforms.clear();
    for (std::int64_t row = 0; row < options.batch; ++row) {
      const std::int64_t picture = order[static_cast<std::size_t>(first + row % batch.rows)];
      batch.indices.push_back(picture);
      batch.labels.push_back(pictures.label(picture));
      batch.image_pointers.push_back(pictures.pixels(picture));
      if (options.augment.enabled()) {
        batch.transforms.push_back(
            draw_transform(options.augment, options.seed, static_cast<std::uint64_t>(ticket.epoch),
                           static_cast<std::uint64_t>(picture), pictures.height(), pictures.width()));
      }
    }
    batch.images = {batch.image_pointers, batch.transforms};
    const std::size_t bytes =
        static_cast<std::size_t>(pictures.height()) * static_cast<std::size_t>(pictures.width()) * 3;
    for (std::int64_t row = 0; row < batch.rows; ++row)
      touched = touched + touch(batch.image_pointers[static_cast<std::size_t>(row)], bytes);
  }

  const Pictures& pictures;
  const LoaderOptions options;

  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Ticket> wanted;  // asked of the background
  bool done = false;             // slots[slot] holds `wanted`, or `error` says why not
  bool stopping = false;
  std::exception_ptr error;
  std::array<Batch, 3> slots;
  std::size_t slot = 0;
  std::chrono::duration<double> waited{0};

  // The background's own.
  std::vector<std::int64_t> order;
  std::optional<std::int64_t> ordered_epoch;
  volatile unsigned touched = 0;  // keeps the compiler from dropping touch()

  std::thread worker;
};

Loader::Loader(const Pictures& pictures, const LoaderOptions& options) {
  CUDACARDS_CHECK(options.batch > 0);
  validate(options.augment);
  state_ = std::make_unique<State>(pictures, options);
}

Loader::~Loader() = default;

std::int64_t Loader::batches() const { return state_->batches(); }

const Batch& Loader::batch(std::int64_t epoch, std::int64_t index) {
  CUDACARDS_CHECK(epoch >= 0 && index >= 0 && index < batches());
  return state_->take({epoch, index});
}

double Loader::seconds_waited() const { return state_->waited.count(); }

}  // namespace cudacards
