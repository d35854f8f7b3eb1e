#include "host/runtime/upload_queue.h"

#include <vector>

#include "host/runtime/cuda_device.h"
#include "host/runtime/host_events.h"

namespace cudacards {
namespace {

class LateUploads final : public UploadQueue {
 public:
  explicit LateUploads(Device& device) : device_(device) {}

  void wait_for(const Event&) override {}  // the device's work is done when it is asked for
  void upload(void* device, const void* host, std::size_t bytes) override { pending_.push_back({device, host, bytes}); }
  void join() override {
    for (const Upload& upload : pending_) device_.upload(upload.device, upload.host, upload.bytes);
    pending_.clear();
  }
  std::unique_ptr<Event> make_event() override { return std::make_unique<Arrival>(*this); }

 private:
  struct Upload {
    void* device;
    const void* host;
    std::size_t bytes;
  };
  /// Who waits for it has the uploads done.
  class Arrival final : public Event {
   public:
    explicit Arrival(LateUploads& uploads) : uploads_(uploads) {}
    void record() override { time_.record(); }
    void wait() override { uploads_.join(); }
    double seconds_since(const Event& earlier) override {
      return time_.seconds_since(static_cast<const Arrival&>(earlier).time_);
    }

   private:
    LateUploads& uploads_;
    HostEvent time_;
  };

  Device& device_;
  std::vector<Upload> pending_;
};

}  // namespace

std::unique_ptr<UploadQueue> make_upload_queue(Device& device) {
  if (device.kind() == DeviceKind::kCuda) return make_cuda_upload_queue(device);
  return std::make_unique<LateUploads>(device);
}

}  // namespace cudacards
