#pragma once
// Descriptors of cuDNN's backend interface with one owner each, and attributes whose type follows from the C++ type.

#include <cudnn.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "host/ops/vendor/cudnn/library.h"
#include "host/ops/vendor/making.h"

namespace cudacards::cudnn {

using vendor::Refused;  // with cuDNN's own words

/// Throws Refused with `what`, the status and cuDNN's last message.
void check(const Functions& cudnn, cudnnStatus_t status, const char* what);

// The attribute type of a C++ type. Descriptors are attributes too, see Descriptor::set.
template <class T>
struct AttributeType;
#define CUDACARDS_CUDNN_ATTRIBUTE(type, name)                  \
  template <>                                                  \
  struct AttributeType<type> {                                 \
    static constexpr cudnnBackendAttributeType_t value = name; \
  }
CUDACARDS_CUDNN_ATTRIBUTE(bool, CUDNN_TYPE_BOOLEAN);
CUDACARDS_CUDNN_ATTRIBUTE(char, CUDNN_TYPE_CHAR);
CUDACARDS_CUDNN_ATTRIBUTE(std::int64_t, CUDNN_TYPE_INT64);
CUDACARDS_CUDNN_ATTRIBUTE(float, CUDNN_TYPE_FLOAT);
CUDACARDS_CUDNN_ATTRIBUTE(double, CUDNN_TYPE_DOUBLE);
CUDACARDS_CUDNN_ATTRIBUTE(void*, CUDNN_TYPE_VOID_PTR);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnHandle_t, CUDNN_TYPE_HANDLE);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnDataType_t, CUDNN_TYPE_DATA_TYPE);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnConvolutionMode_t, CUDNN_TYPE_CONVOLUTION_MODE);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnBackendHeurMode_t, CUDNN_TYPE_HEUR_MODE);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnPointwiseMode_t, CUDNN_TYPE_POINTWISE_MODE);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnReduceTensorOp_t, CUDNN_TYPE_REDUCTION_OPERATOR_TYPE);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnResampleMode_t, CUDNN_TYPE_RESAMPLE_MODE);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnPaddingMode_t, CUDNN_TYPE_PADDING_MODE);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnNanPropagation_t, CUDNN_TYPE_NAN_PROPOGATION);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnFraction_t, CUDNN_TYPE_FRACTION);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnBackendNumericalNote_t, CUDNN_TYPE_NUMERICAL_NOTE);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnBackendBehaviorNote_t, CUDNN_TYPE_BEHAVIOR_NOTE);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnBackendNormMode_t, CUDNN_TYPE_NORM_MODE);
CUDACARDS_CUDNN_ATTRIBUTE(cudnnBackendNormFwdPhase_t, CUDNN_TYPE_NORM_FWD_PHASE);
#undef CUDACARDS_CUDNN_ATTRIBUTE

class Descriptor {
 public:
  Descriptor(const Functions& cudnn, cudnnBackendDescriptorType_t type);
  ~Descriptor();
  Descriptor(Descriptor&& other) noexcept;
  Descriptor& operator=(Descriptor&& other) = delete;

  cudnnBackendDescriptor_t get() const { return descriptor_; }

  template <class T>
  void set(cudnnBackendAttributeName_t name, const T& value) {
    set_bytes(name, AttributeType<T>::value, 1, &value);
  }
  template <class T, std::size_t kCount>
  void set(cudnnBackendAttributeName_t name, const std::array<T, kCount>& values) {
    set_bytes(name, AttributeType<T>::value, kCount, values.data());
  }
  template <class T>
  void set(cudnnBackendAttributeName_t name, std::span<const T> values) {
    set_bytes(name, AttributeType<T>::value, static_cast<std::int64_t>(values.size()), values.data());
  }
  /// Another descriptor, which must be finalized.
  void set(cudnnBackendAttributeName_t name, const Descriptor& value);
  void set(cudnnBackendAttributeName_t name, const std::vector<const Descriptor*>& values);

  void finalize(const char* what);

  template <class T>
  T get(cudnnBackendAttributeName_t name) const {
    T value{};
    std::int64_t count = 0;
    get_bytes(name, AttributeType<T>::value, 1, &count, &value);
    return value;
  }
  /// At most `limit` values.
  template <class T>
  std::vector<T> get_all(cudnnBackendAttributeName_t name, std::int64_t limit) const {
    std::vector<T> values(static_cast<std::size_t>(limit));
    std::int64_t count = 0;
    get_bytes(name, AttributeType<T>::value, limit, &count, values.data());
    values.resize(static_cast<std::size_t>(count < limit ? count : limit));
    return values;
  }
  /// cuDNN fills descriptors that the caller has made; how many it has, whatever their number.
  std::int64_t fill(cudnnBackendAttributeName_t name, std::vector<Descriptor>& made) const;

 private:
  void set_bytes(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t count,
                 const void* values);
  void get_bytes(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type, std::int64_t limit,
                 std::int64_t* count, void* values) const;

  const Functions* cudnn_;
  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

}  // namespace cudacards::cudnn
