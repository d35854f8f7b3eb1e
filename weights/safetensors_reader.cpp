#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "host/runtime/error.h"
#include "weights/float_conversion.h"
#include "weights/json_string.h"
#include "weights/safetensors.h"
#include "weights/safetensors_header.h"

namespace cudacards {
namespace {

constexpr std::size_t kLengthBytes = 8;

SafetensorsHeader read_header(std::span<const std::byte> file) {
  if (file.size() < kLengthBytes) throw Error(fmt::format("{} bytes are too few for a header", file.size()));
  const auto length = load_unaligned<std::uint64_t>(file.data());
  if (length > SafetensorsLimits::kHeaderBytes) {
    throw Error(fmt::format("a header of {} bytes is more than {}", length, SafetensorsLimits::kHeaderBytes));
  }
  if (length > file.size() - kLengthBytes) {
    throw Error(
        fmt::format("the header should have {} bytes, {} are left in the file", length, file.size() - kLengthBytes));
  }
  auto header =
      parse_header({reinterpret_cast<const char*>(file.data()) + kLengthBytes, static_cast<std::size_t>(length)});
  check_layout(header, file.size() - kLengthBytes - length);
  return header;
}

/// Calls use(value, index) with every element as fp32. A double that fp32 cannot hold becomes an infinity.
template <class Use>
void for_each_float(const TensorView& tensor, Use&& use) {
  const std::byte* bytes = tensor.bytes.data();
  const std::size_t count = tensor.bytes.size() / size_of(tensor.type);
  switch (tensor.type) {
    case SafetensorsType::kF32:
      for (std::size_t i = 0; i < count; ++i) use(load_unaligned<float>(bytes + 4 * i), i);
      break;
    case SafetensorsType::kF64:
      for (std::size_t i = 0; i < count; ++i) use(static_cast<float>(load_unaligned<double>(bytes + 8 * i)), i);
      break;
    case SafetensorsType::kF16:
      for (std::size_t i = 0; i < count; ++i) use(float_from_half(load_unaligned<std::uint16_t>(bytes + 2 * i)), i);
      break;
    case SafetensorsType::kBf16:
      for (std::size_t i = 0; i < count; ++i) use(float_from_bf16(load_unaligned<std::uint16_t>(bytes + 2 * i)), i);
      break;
    case SafetensorsType::kI32:
    case SafetensorsType::kI64:
    case SafetensorsType::kU8:
      CUDACARDS_CHECK(false, "floats() lets no integers through");
  }
}

}  // namespace

bool is_float(SafetensorsType type) {
  return type == SafetensorsType::kF32 || type == SafetensorsType::kF64 || type == SafetensorsType::kF16 ||
         type == SafetensorsType::kBf16;
}

void read_elements(const TensorView& tensor, std::size_t first, std::span<float> dst) {
  const std::size_t element = size_of(tensor.type);
  const TensorView part{.name = {},
                        .type = tensor.type,
                        .shape = {},
                        .bytes = tensor.bytes.subspan(first * element, dst.size() * element)};
  for_each_float(part, [dst](float value, std::size_t i) { dst[i] = value; });
}

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  SafetensorsFile file(MappedFile::open(path));
  SafetensorsHeader header;
  try {
    header = read_header(file.file_.bytes());
  } catch (const Error& error) {
    throw Error(fmt::format("{} is not a valid safetensors file: {}", path, error.what()));
  }
  file.metadata_ = std::move(header.metadata);

  const auto bytes = file.file_.bytes();
  const std::size_t data_bytes = header.tensors.empty() ? 0 : static_cast<std::size_t>(header.tensors.back().end);
  const auto data = bytes.last(data_bytes);
  file.tensors_.reserve(header.tensors.size());
  for (TensorEntry& entry : header.tensors) {
    file.tensors_.push_back(
        {std::move(entry.name), entry.type, std::move(entry.shape),
         data.subspan(static_cast<std::size_t>(entry.begin), static_cast<std::size_t>(entry.end - entry.begin))});
  }
  file.by_name_.resize(file.tensors_.size());
  std::iota(file.by_name_.begin(), file.by_name_.end(), 0u);
  std::sort(file.by_name_.begin(), file.by_name_.end(),
            [&](std::uint32_t a, std::uint32_t b) { return file.tensors_[a].name < file.tensors_[b].name; });
  return file;
}

const TensorView* SafetensorsFile::find(std::string_view name) const {
  const auto place =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [this](std::uint32_t index, std::string_view wanted) { return tensors_[index].name < wanted; });
  return place != by_name_.end() && tensors_[*place].name == name ? &tensors_[*place] : nullptr;
}

const TensorView& SafetensorsFile::floats(std::string_view name, const std::vector<std::int64_t>& shape) const {
  const TensorView* tensor = find(name);
  if (tensor == nullptr) throw Error(fmt::format("{} has no tensor {}", path(), in_quotes(name)));
  if (!is_float(tensor->type)) {
    throw Error(fmt::format("{}: tensor {} is {}, floating-point values are expected", path(), in_quotes(name),
                            name_of(tensor->type)));
  }
  if (tensor->shape != shape) {
    throw Error(fmt::format("{}: tensor {} has the shape ({}), ({}) is expected", path(), in_quotes(name),
                            fmt::join(tensor->shape, ", "), fmt::join(shape, ", ")));
  }
  return *tensor;
}

void SafetensorsFile::check_floats(std::string_view name, const std::vector<std::int64_t>& shape) const {
  for_each_float(floats(name, shape), [&](float value, std::size_t i) {
    if (!std::isfinite(value))
      throw Error(fmt::format("{}: element {} of tensor {} is {} in fp32", path(), i, in_quotes(name), value));
  });
}

std::vector<float> SafetensorsFile::read_floats(std::string_view name, const std::vector<std::int64_t>& shape) const {
  const TensorView& tensor = floats(name, shape);
  std::vector<float> values(tensor.bytes.size() / size_of(tensor.type));
  read_floats(name, shape, values);
  return values;
}

void SafetensorsFile::read_floats(std::string_view name, const std::vector<std::int64_t>& shape,
                                  std::span<float> dst) const {
  check_floats(name, shape);
  const TensorView& tensor = floats(name, shape);
  CUDACARDS_CHECK(dst.size() == tensor.bytes.size() / size_of(tensor.type));
  for_each_float(tensor, [dst](float value, std::size_t i) { dst[i] = value; });
}

}  // namespace cudacards
