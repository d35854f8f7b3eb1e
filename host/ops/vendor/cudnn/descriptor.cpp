#include "host/ops/vendor/cudnn/descriptor.h"

#include <fmt/format.h>

#include <utility>

namespace cudacards::cudnn {

void check(const Functions& cudnn, cudnnStatus_t status, const char* what) {
  if (status == CUDNN_STATUS_SUCCESS) return;
  char message[512] = "";
  cudnn.GetLastErrorString(message, sizeof message);
  // cuDNN's messages are whole tracebacks: the first line is the nearest to the cause.
  std::string cause(message);
  cause.resize(std::min(cause.find('\n'), cause.size()));
  throw Refused(fmt::format("{}: {}{}{}", what, cudnn.GetErrorString(status), cause.empty() ? "" : ": ", cause));
}

Descriptor::Descriptor(const Functions& cudnn, cudnnBackendDescriptorType_t type) : cudnn_(&cudnn) {
  check(cudnn, cudnn.BackendCreateDescriptor(type, &descriptor_), "making a descriptor");
}

Descriptor::~Descriptor() {
  if (descriptor_ != nullptr) (void)cudnn_->BackendDestroyDescriptor(descriptor_);
}

Descriptor::Descriptor(Descriptor&& other) noexcept
    : cudnn_(other.cudnn_), descriptor_(std::exchange(other.descriptor_, nullptr)) {}

void Descriptor::set_bytes(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
                           const void* values) {
  const cudnnStatus_t status = cudnn_->BackendSetAttribute(descriptor_, name, type, count, values);
  if (status != CUDNN_STATUS_SUCCESS) check(*cudnn_, status, fmt::format("attribute {}", int{name}).c_str());
}

void Descriptor::get_bytes(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t limit,
                           std::int64_t* count, void* values) const {
  const cudnnStatus_t status = cudnn_->BackendGetAttribute(descriptor_, name, type, limit, count, values);
  if (status != CUDNN_STATUS_SUCCESS) check(*cudnn_, status, fmt::format("attribute {}", int{name}).c_str());
}

void Descriptor::set(cudnnBackendAttributeName_t name, const Descriptor& value) {
  set_bytes(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value.descriptor_);
}

void Descriptor::set(cudnnBackendAttributeName_t name, const std::vector<const Descriptor*>& values) {
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const Descriptor* value : values) raw.push_back(value->descriptor_);
  set_bytes(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(raw.size()), raw.data());
}

void Descriptor::finalize(const char* what) { check(*cudnn_, cudnn_->BackendFinalize(descriptor_), what); }

std::int64_t Descriptor::fill(cudnnBackendAttributeName_t name, std::vector<Descriptor>& made) const {
  std::vector<cudnnBackendDescriptor_t> raw;
  for (const Descriptor& descriptor : made) raw.push_back(descriptor.descriptor_);
  std::int64_t count = 0;
  get_bytes(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, static_cast<std::int64_t>(raw.size()), &count,
            raw.empty() ? nullptr : raw.data());
  return count;
}

}  // namespace cudacards::cudnn
