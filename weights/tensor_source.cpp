#include "weights/tensor_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "host/runtime/error.h"
#include "weights/json_string.h"
#include "weights/safetensors.h"
#include "weights/tfjs.h"

namespace cudacards {
namespace {

constexpr std::size_t kPiece = 65'536;  // elements that are looked at together

class SafetensorsSource final : public TensorSource {
 public:
  explicit SafetensorsSource(const std::string& path) : file_(SafetensorsFile::open(path)) {
    for (const TensorView& view : file_.tensors()) {
      tensors_.push_back({.name = view.name,
                          .shape = view.shape,
                          .type = name_of(view.type),
                          .is_float = is_float(view.type),
                          .elements = view.bytes.size() / size_of(view.type)});
    }
  }

  const std::string& path() const override { return file_.path(); }
  const char* format() const override { return "safetensors"; }
  const std::vector<SourceTensor>& tensors() const override { return tensors_; }
  const std::map<std::string, std::string>& metadata() const override { return file_.metadata(); }
  void read(std::size_t index, std::size_t first, std::span<float> dst) const override {
    read_elements(file_.tensors()[index], first, dst);
  }

 private:
  const SafetensorsFile file_;
  std::vector<SourceTensor> tensors_;
};

}  // namespace

const SourceTensor* TensorSource::find(std::string_view name) const {
  const auto& all = tensors();
  const auto place = std::find_if(all.begin(), all.end(), [name](const SourceTensor& t) { return t.name == name; });
  return place == all.end() ? nullptr : &*place;
}

void TensorSource::check_finite(const SourceTensor& tensor) const {
  if (!tensor.is_float) {
    throw Error(fmt::format("{}: tensor {} is {}, floating-point values are expected", path(), in_quotes(tensor.name),
                            tensor.type));
  }
  std::vector<float> values;
  for (std::size_t first = 0; first < tensor.elements; first += kPiece) {
    values.resize(std::min(kPiece, tensor.elements - first));
    read(index_of(tensor), first, values);
    const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
    if (bad == values.end()) continue;
    throw Error(fmt::format("{}: element {} of tensor {} is {} in fp32", path(),
                            first + static_cast<std::size_t>(bad - values.begin()), in_quotes(tensor.name), *bad));
  }
}

std::vector<float> TensorSource::read_finite(const SourceTensor& tensor) const {
  check_finite(tensor);
  std::vector<float> values(tensor.elements);
  read(index_of(tensor), 0, values);
  return values;
}

std::unique_ptr<TensorSource> open_tensor_source(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    const fs::path inside = fs::path(path) / "model.json";
    if (!fs::exists(inside, ignored))
      throw Error(fmt::format("{} is a folder without the model.json of a TensorFlow.js layers model", path));
    return open_tfjs(inside.string());
  }
  if (fs::path(path).extension() == ".json") return open_tfjs(path);
  return std::make_unique<SafetensorsSource>(path);
}

}  // namespace cudacards
