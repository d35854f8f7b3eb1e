// A streaming parse, because a hostile model.json must not cost more memory than what is kept of it: a document tree of
// the topology would be many times the file.
#include "weights/tfjs_manifest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cmath>
#include <nlohmann/json.hpp>

#include "host/runtime/error.h"
#include "host/runtime/utf8.h"
#include "weights/json_string.h"
#include "weights/safetensors_header.h"

namespace cudacards {
namespace {

struct TypeName {
  TfjsType type;
  const char* name;
  std::size_t bytes;
};
constexpr std::array kTypes = {TypeName{TfjsType::kFloat32, "float32", 4}, TypeName{TfjsType::kFloat16, "float16", 2},
                               TypeName{TfjsType::kInt32, "int32", 4},     TypeName{TfjsType::kUint8, "uint8", 1},
                               TypeName{TfjsType::kUint16, "uint16", 2},   TypeName{TfjsType::kBool, "bool", 1}};

const TypeName& row_of(TfjsType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(), [type](const TypeName& row) { return row.type == type; });
}

/// Where a value stands. What is in none of these places is skipped.
enum class Place : std::uint8_t { kRoot, kManifest, kGroup, kPaths, kWeights, kWeight, kShape, kQuantization };

class ManifestReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<TfjsGroup> groups;
  bool has_manifest = false;

  bool start_object(std::size_t) override {
    enter();
    if (skipped_ > 0) return ++skipped_, true;
    if (places_.empty()) return push(Place::kRoot);
    if (at() == Place::kManifest) {
      groups.emplace_back();
      return push(Place::kGroup);
    }
    if (at() == Place::kWeights) {
      if (++tensors_ > TfjsLimits::kTensors)
        throw Error(fmt::format("more than {} tensors are listed", TfjsLimits::kTensors));
      weights().emplace_back();
      return push(Place::kWeight);
    }
    if (at() == Place::kWeight && key_ == "quantization") {
      weight().quantization.emplace();
      return push(Place::kQuantization);
    }
    return skip_or_refuse("an object");
  }
  bool end_object() override { return leave(); }

  bool start_array(std::size_t) override {
    enter();
    if (skipped_ > 0) return ++skipped_, true;
    if (places_.empty()) throw Error("it is a JSON list, a model is an object");
    if (at() == Place::kRoot && key_ == "weightsManifest") {
      has_manifest = true;
      return push(Place::kManifest);
    }
    if (at() == Place::kGroup && key_ == "paths") return push(Place::kPaths);
    if (at() == Place::kGroup && key_ == "weights") return push(Place::kWeights);
    if (at() == Place::kWeight && key_ == "shape") return push(Place::kShape);
    return skip_or_refuse("a list");
  }
  bool end_array() override { return leave(); }

  bool key(string_t& key) override {
    if (skipped_ > 0) return true;
    key_ = key;
    if (at() == Place::kRoot) {
      if (key == "weightsManifest" && has_manifest) throw Error("weightsManifest comes twice");
      return true;
    }
    const auto known = std::find(kKeys.begin(), kKeys.end(), key);
    if (known == kKeys.end()) {
      if (at() == Place::kGroup) return true;
      throw Error(fmt::format("{} has the unknown key {}", described(), in_quotes(key)));
    }
    auto& seen = seen_.back();
    const auto bit = static_cast<std::size_t>(known - kKeys.begin());
    if (seen[bit]) throw Error(fmt::format("{} has {} twice", described(), in_quotes(key)));
    seen[bit] = true;
    return true;
  }

  bool string(string_t& text) override {
    if (skipped_ > 0) return true;
    if (places_.empty()) throw Error("it is a JSON string, a model is an object");
    if (at() == Place::kPaths) {
      take_text(text);
      if (groups.back().paths.size() == TfjsLimits::kShards)
        throw Error(fmt::format("more than {} files are listed", TfjsLimits::kShards));
      groups.back().paths.push_back(text);
    } else if (at() == Place::kWeight && key_ == "name") {
      take_text(text);
      check_tensor_name(text);
      weight().name = text;
    } else if (at() == Place::kWeight && key_ == "dtype") {
      weight().type = type_named(text);
    } else if (at() == Place::kQuantization && key_ == "dtype") {
      weight().quantization->stored = type_named(text);
    } else if (at() == Place::kQuantization && key_ == "original_dtype") {
      if (text != "float32") refuse_value("is not float32");
    } else {
      return skip_or_refuse("text", Skip::kValue);
    }
    return true;
  }

  bool number_unsigned(std::uint64_t value) override {
    if (skipped_ > 0) return true;
    if (!places_.empty() && at() == Place::kShape) {
      if (value > INT64_MAX) refuse_value("does not fit 63 bits");
      auto& shape = weight().shape;
      if (shape.size() == TfjsLimits::kRank)
        throw Error(fmt::format("{} has more than {} dimensions", described(), TfjsLimits::kRank));
      shape.push_back(static_cast<std::int64_t>(value));
      return true;
    }
    return number(static_cast<double>(value));
  }
  bool number_integer(std::int64_t value) override {
    if (skipped_ == 0 && !places_.empty() && at() == Place::kShape) refuse_value("has a negative size");
    return skipped_ > 0 || number(static_cast<double>(value));
  }
  bool number_float(double value, const string_t&) override {
    if (skipped_ == 0 && !places_.empty() && at() == Place::kShape) refuse_value("has a size that is no whole number");
    return skipped_ > 0 || number(value);
  }
  bool null() override { return skipped_ > 0 || skip_or_refuse("null", Skip::kValue); }
  bool boolean(bool) override { return skipped_ > 0 || skip_or_refuse("true or false", Skip::kValue); }
  bool binary(nlohmann::json::binary_t&) override { return true; }  // not in JSON text

  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) override {
    throw Error(fmt::format("it is not JSON at byte {}", at));
  }

 private:
  enum class Skip : std::uint8_t { kContainer, kValue };
  static constexpr std::array<std::string_view, 9> kKeys = {"paths",        "weights", "name", "shape",         "dtype",
                                                            "quantization", "scale",   "min",  "original_dtype"};

  Place at() const { return places_.back(); }
  std::vector<TfjsWeight>& weights() { return groups.back().weights; }
  TfjsWeight& weight() { return weights().back(); }

  bool push(Place place) {
    places_.push_back(place);
    seen_.emplace_back();
    return true;
  }

  void enter() {
    if (++depth_ > TfjsLimits::kDepth)
      throw Error(fmt::format("lists and objects are nested more than {} deep", TfjsLimits::kDepth));
  }

  bool leave() {
    --depth_;
    if (skipped_ > 0) return --skipped_, true;
    const auto has = [this](std::string_view key) {
      return seen_.back()[static_cast<std::size_t>(std::find(kKeys.begin(), kKeys.end(), key) - kKeys.begin())];
    };
    const auto require = [&](std::string_view key) {
      if (!has(key)) throw Error(fmt::format("{} has no {}", described(), in_quotes(key)));
    };
    if (at() == Place::kGroup) require("paths"), require("weights");
    if (at() == Place::kWeight) require("name"), require("shape"), require("dtype"), check_weight();
    if (at() == Place::kQuantization) check_quantization(has("dtype"), has("scale"), has("min"));
    places_.pop_back();
    seen_.pop_back();
    return true;
  }

  void check_weight() {
    if (weight().type == TfjsType::kUint16 || (weight().type == TfjsType::kFloat16 && !weight().quantization))
      refuse_value(fmt::format("has the dtype {} without quantization", name_of(weight().type)));
    (void)byte_count(weight());
  }

  void check_quantization(bool has_type, bool has_scale, bool has_min) {
    const TfjsQuantization& q = *weight().quantization;
    if (!has_type) refuse_value("has a quantization without dtype");
    if (q.stored == TfjsType::kFloat16) return;
    if (q.stored != TfjsType::kUint8 && q.stored != TfjsType::kUint16)
      refuse_value(fmt::format("is quantised as {}, which is none of uint8, uint16, float16", name_of(q.stored)));
    if (!has_scale || !has_min) refuse_value("has a quantization without scale and min");
    if (!(q.scale > 0)) refuse_value("has a quantization whose scale is not positive");
  }

  bool number(double value) {
    if (places_.empty()) throw Error("it is a JSON number, a model is an object");
    if (at() == Place::kQuantization && key_ == "scale") {
      weight().quantization->scale = value;
    } else if (at() == Place::kQuantization && key_ == "min") {
      weight().quantization->min = value;
    } else {
      return skip_or_refuse("a number", Skip::kValue);
    }
    return true;
  }

  /// Outside the manifest, and under a group's unknown keys, anything may stand.
  bool skip_or_refuse(const char* what, Skip skip = Skip::kContainer) {
    const bool free = !places_.empty() && ((at() == Place::kRoot && key_ != "weightsManifest") ||
                                           (at() == Place::kGroup && key_ != "paths" && key_ != "weights"));
    if (!free) throw Error(fmt::format("{} has {} where something else belongs", described(), what));
    if (skip == Skip::kContainer) skipped_ = 1;
    return true;
  }

  void take_text(const std::string& text) {
    if (text.size() > TfjsLimits::kTextBytes - text_bytes_)
      throw Error(fmt::format("the names have more than {} bytes", TfjsLimits::kTextBytes));
    text_bytes_ += text.size();
  }

  TfjsType type_named(const std::string& text) const {
    const auto row = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeName& t) { return text == t.name; });
    if (row == kTypes.end()) throw Error(fmt::format("{} has the unknown dtype {}", described(), in_quotes(text)));
    return row->type;
  }

  [[noreturn]] void refuse_value(const std::string& why) const { throw Error(fmt::format("{} {}", described(), why)); }

  std::string described() const {
    if (places_.empty()) return "the file";
    switch (at()) {
      case Place::kRoot:
      case Place::kManifest:
        return "weightsManifest";
      case Place::kGroup:
      case Place::kPaths:
      case Place::kWeights:
        return fmt::format("group {} of weightsManifest", groups.size() - 1);
      case Place::kWeight:
      case Place::kShape:
      case Place::kQuantization:
        break;
    }
    const TfjsWeight& last = groups.back().weights.back();
    return last.name.empty() ? fmt::format("tensor {} of group {}", groups.back().weights.size() - 1, groups.size() - 1)
                             : fmt::format("tensor {}", in_quotes(last.name));
  }

  std::vector<Place> places_;
  std::vector<std::bitset<kKeys.size()>> seen_;  // keys of the object at each place
  std::string key_;                              // the last one at the innermost place
  std::size_t skipped_ = 0;                      // depth inside a value that is passed over
  std::size_t depth_ = 0, tensors_ = 0, text_bytes_ = 0;
};

}  // namespace

std::size_t size_of(TfjsType type) { return row_of(type).bytes; }
const char* name_of(TfjsType type) { return row_of(type).name; }

std::uint64_t byte_count(const TfjsWeight& weight) {
  std::uint64_t bytes = size_of(weight.stored());
  for (const std::int64_t size : weight.shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes))
      throw Error(fmt::format("the shape of tensor {} needs more than 64 bits of bytes", in_quotes(weight.name)));
  }
  return bytes;
}

std::vector<TfjsGroup> parse_tfjs_manifest(std::string_view json) {
  if (json.size() > TfjsLimits::kJsonBytes)
    throw Error(fmt::format("{} bytes of JSON are more than {}", json.size(), TfjsLimits::kJsonBytes));
  ManifestReader reader;
  nlohmann::json::sax_parse(json.begin(), json.end(), &reader);
  if (!reader.has_manifest) throw Error("it has no weightsManifest");
  return std::move(reader.groups);
}

}  // namespace cudacards
