#include "weights/tfjs.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "host/runtime/error.h"
#include "weights/float_conversion.h"
#include "weights/json_string.h"
#include "weights/mapped_file.h"
#include "weights/tfjs_manifest.h"

namespace cudacards {
namespace {

namespace fs = std::filesystem;

/// Only a file's name: whatever leaves the folder of the model.json was not put there by a converter.
void check_shard_name(const std::string& name) {
  const auto refuse = [&](const char* why) { throw Error(fmt::format("the file name {} {}", in_quotes(name), why)); };
  if (name.empty()) throw Error("a file name is empty");
  if (name.find_first_of("/\\") != std::string::npos) refuse("leaves the folder of the model.json");
  if (name == "." || name == "..") refuse("is a folder");
  if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    refuse("has control characters");
}

/// The files of one group as one run of bytes.
class Shards {
 public:
  explicit Shards(std::vector<MappedFile> files) : files_(std::move(files)) {
    for (const MappedFile& file : files_) size_ += file.bytes().size();
  }
  std::uint64_t size() const { return size_; }

  void copy(std::uint64_t from, std::span<std::byte> dst) const {
    for (const MappedFile& file : files_) {
      const auto bytes = file.bytes();
      if (from >= bytes.size()) {
        from -= bytes.size();
        continue;
      }
      const std::size_t count = std::min(dst.size(), bytes.size() - static_cast<std::size_t>(from));
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(from), count, dst.begin());
      dst = dst.subspan(count);
      from = 0;
      if (dst.empty()) return;
    }
    CUDACARDS_CHECK(dst.empty(), "sizes were compared when the file was opened");
  }

 private:
  std::vector<MappedFile> files_;
  std::uint64_t size_ = 0;
};

class TfjsSource final : public TensorSource {
 public:
  explicit TfjsSource(const std::string& path) : json_(MappedFile::open(path)) {
    const auto bytes = json_.bytes();
    const auto groups = parse_tfjs_manifest({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    std::set<std::string> files;
    for (const TfjsGroup& group : groups) add(group, files);
    check_names();
  }

  const std::string& path() const override { return json_.path(); }
  const char* format() const override { return "TensorFlow.js layers"; }
  const std::vector<SourceTensor>& tensors() const override { return tensors_; }
  const std::map<std::string, std::string>& metadata() const override { return metadata_; }

  void read(std::size_t index, std::size_t first, std::span<float> dst) const override {
    const Place& place = places_[index];
    const std::size_t element = size_of(place.weight.stored());
    std::vector<std::byte> block(std::min<std::size_t>(dst.size(), kBlockElements) * element);
    while (!dst.empty()) {
      const std::size_t count = std::min<std::size_t>(dst.size(), kBlockElements);
      const auto bytes = std::span(block).first(count * element);
      groups_[place.group].copy(place.begin + first * element, bytes);
      decode(place.weight, bytes.data(), dst.first(count));
      dst = dst.subspan(count);
      first += count;
    }
  }

 private:
  static constexpr std::size_t kBlockElements = 16'384;

  struct Place {
    std::size_t group;
    std::uint64_t begin;  // bytes in the group
    TfjsWeight weight;
  };

  void add(const TfjsGroup& group, std::set<std::string>& files) {
    std::vector<MappedFile> opened;
    for (const std::string& name : group.paths) {
      check_shard_name(name);
      if (!files.insert(name).second) throw Error(fmt::format("the file {} is listed twice", in_quotes(name)));
      opened.push_back(MappedFile::open((fs::path(path()).parent_path() / name).string()));
    }
    groups_.emplace_back(std::move(opened));
    std::uint64_t at = 0;
    for (const TfjsWeight& weight : group.weights) {
      const std::uint64_t bytes = byte_count(weight);
      const bool is_float = weight.type == TfjsType::kFloat32 || weight.type == TfjsType::kFloat16;
      tensors_.push_back({.name = weight.name,
                          .shape = weight.shape,
                          .type = weight.quantization
                                      ? fmt::format("{} stored as {}", name_of(weight.type), name_of(weight.stored()))
                                      : name_of(weight.type),
                          .is_float = is_float,
                          .elements = static_cast<std::size_t>(bytes / size_of(weight.stored()))});
      places_.push_back({groups_.size() - 1, at, weight});
      if (__builtin_add_overflow(at, bytes, &at))
        throw Error(fmt::format("the tensors up to {} need more than 64 bits of bytes", in_quotes(weight.name)));
    }
    if (at != groups_.back().size()) {
      throw Error(fmt::format("group {} has {} bytes in its files, its tensors need {}", groups_.size() - 1,
                              groups_.back().size(), at));
    }
  }

  void check_names() const {
    std::set<std::string_view> names;
    for (const SourceTensor& tensor : tensors_) {
      if (!names.insert(tensor.name).second) throw Error(fmt::format("tensor {} comes twice", in_quotes(tensor.name)));
    }
  }

  static void decode(const TfjsWeight& weight, const std::byte* bytes, std::span<float> dst) {
    const TfjsQuantization linear = weight.quantization.value_or(TfjsQuantization{});
    for (std::size_t i = 0; i < dst.size(); ++i) {
      switch (weight.stored()) {
        case TfjsType::kFloat32:
          dst[i] = load_unaligned<float>(bytes + 4 * i);
          break;
        case TfjsType::kFloat16:
          dst[i] = float_from_half(load_unaligned<std::uint16_t>(bytes + 2 * i));
          break;
        case TfjsType::kUint16:
          dst[i] = static_cast<float>(load_unaligned<std::uint16_t>(bytes + 2 * i) * linear.scale + linear.min);
          break;
        case TfjsType::kUint8:
          dst[i] = static_cast<float>(load_unaligned<std::uint8_t>(bytes + i) * linear.scale + linear.min);
          break;
        case TfjsType::kInt32:
        case TfjsType::kBool:
          CUDACARDS_CHECK(false, "only floats are read");
      }
    }
  }

  const MappedFile json_;
  const std::map<std::string, std::string> metadata_;  // the format has none
  std::vector<Shards> groups_;
  std::vector<SourceTensor> tensors_;
  std::vector<Place> places_;
};

}  // namespace

std::unique_ptr<TensorSource> open_tfjs(const std::string& model_json) {
  try {
    return std::make_unique<TfjsSource>(model_json);
  } catch (const Error& error) {
    const std::string reason = error.what();
    if (reason.starts_with("cannot open " + model_json)) throw;
    throw Error(fmt::format("{} is not a valid TensorFlow.js layers model: {}", model_json, reason));
  }
}

}  // namespace cudacards
