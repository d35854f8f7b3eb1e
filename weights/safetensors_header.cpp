// The scanner below is written for this one schema instead of using a JSON library, because a hostile header of 100 MB
// must not cost more memory than its own size: strings are copied once, values are checked where they stand, nothing
// recurses, and every message names the byte.
#include "weights/safetensors_header.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <tuple>

#include "host/runtime/error.h"
#include "weights/json_string.h"

namespace cudacards {
namespace {

constexpr std::string_view kMetadataKey = "__metadata__";
constexpr std::uint64_t kDataAlignment = 8;

struct TypeName {
  SafetensorsType type;
  const char* name;
  std::size_t bytes;
};
constexpr std::array kTypes = {
    TypeName{SafetensorsType::kF32, "F32", 4},   TypeName{SafetensorsType::kF64, "F64", 8},
    TypeName{SafetensorsType::kBf16, "BF16", 2}, TypeName{SafetensorsType::kF16, "F16", 2},
    TypeName{SafetensorsType::kI32, "I32", 4},   TypeName{SafetensorsType::kI64, "I64", 8},
    TypeName{SafetensorsType::kU8, "U8", 1},
};

const TypeName& row_of(SafetensorsType type) {
  return *std::find_if(kTypes.begin(), kTypes.end(), [type](const TypeName& row) { return row.type == type; });
}

class HeaderParser {
 public:
  explicit HeaderParser(std::string_view json) : json_(json) {}

  SafetensorsHeader parse() {
    if (json_.empty() || json_.front() != '{') fail("the header does not begin with '{'");
    for_each_key([this](std::string key) {
      if (key == kMetadataKey) {
        parse_metadata();
      } else {
        parse_tensor(std::move(key));
      }
    });
    skip_spaces();
    if (at_ != json_.size()) fail("text behind the end of the JSON object");
    return std::move(header_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(fmt::format("{} (byte {} of the header)", what, at_));
  }

  void skip_spaces() {
    while (at_ < json_.size() && (json_[at_] == ' ' || json_[at_] == '\n' || json_[at_] == '\r' || json_[at_] == '\t'))
      ++at_;
  }

  bool take(char c) {
    skip_spaces();
    if (at_ == json_.size() || json_[at_] != c) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!take(c))
      fail(at_ == json_.size() ? fmt::format("the JSON ends where '{}' is expected", c)
                               : fmt::format("'{}' is expected", c));
  }

  template <class Body>
  void for_each_key(Body&& body) {
    expect('{');
    if (take('}')) return;
    do {
      std::string key = parse_string();
      expect(':');
      body(std::move(key));
    } while (take(','));
    expect('}');
  }

  template <class Body>
  void for_each_element(Body&& body) {
    expect('[');
    if (take(']')) return;
    do {
      body();
    } while (take(','));
    expect(']');
  }

  std::string parse_string() {
    skip_spaces();
    if (at_ == json_.size() || json_[at_] != '"') fail("a string is expected");
    std::size_t end = at_ + 1;
    while (end < json_.size() && json_[end] != '"') end += json_[end] == '\\' ? 2 : 1;
    if (end >= json_.size()) fail("a string without an end");
    text_bytes_ += end - at_;
    if (text_bytes_ > SafetensorsLimits::kTextBytes) {
      fail(fmt::format("more than {} bytes of names and metadata", SafetensorsLimits::kTextBytes));
    }
    auto text = unescape_json(json_.substr(at_ + 1, end - at_ - 1));
    if (!text) fail("a string that is not valid JSON text in UTF-8");
    at_ = end + 1;
    return std::move(*text);
  }

  std::uint64_t parse_integer(const char* what) {
    skip_spaces();
    const std::size_t start = at_;
    std::uint64_t value = 0;
    for (; at_ < json_.size() && json_[at_] >= '0' && json_[at_] <= '9'; ++at_) {
      if (__builtin_mul_overflow(value, std::uint64_t{10}, &value) ||
          __builtin_add_overflow(value, static_cast<std::uint64_t>(json_[at_] - '0'), &value)) {
        fail(fmt::format("{} does not fit 64 bits", what));
      }
    }
    const bool leading_zero = at_ - start > 1 && json_[start] == '0';
    const bool goes_on = at_ < json_.size() && std::string_view(".eE").find(json_[at_]) != std::string_view::npos;
    if (at_ == start || leading_zero || goes_on) fail(fmt::format("{} is not a whole number of zero or more", what));
    return value;
  }

  void parse_metadata() {
    if (seen_metadata_) fail("__metadata__ comes twice");
    seen_metadata_ = true;
    for_each_key([this](std::string key) {
      std::string value = parse_string();
      if (header_.metadata.size() == SafetensorsLimits::kMetadataEntries) {
        fail(fmt::format("more than {} metadata entries", SafetensorsLimits::kMetadataEntries));
      }
      const auto [place, is_new] = header_.metadata.emplace(std::move(key), std::move(value));
      if (!is_new) fail(fmt::format("metadata key {} comes twice", in_quotes(place->first)));
    });
  }

  void parse_tensor(std::string name) {
    if (header_.tensors.size() == SafetensorsLimits::kTensors)
      fail(fmt::format("more than {} tensors", SafetensorsLimits::kTensors));
    TensorEntry& tensor = header_.tensors.emplace_back();
    tensor.name = std::move(name);
    check_tensor_name(tensor.name);

    constexpr std::array<std::string_view, 3> kKeys = {"dtype", "shape", "data_offsets"};
    std::bitset<kKeys.size()> seen;
    for_each_key([&](const std::string& key) {
      const auto index = static_cast<std::size_t>(std::find(kKeys.begin(), kKeys.end(), key) - kKeys.begin());
      if (index == kKeys.size())
        fail(fmt::format("tensor {} has the unknown key {}", in_quotes(tensor.name), in_quotes(key)));
      if (seen[index]) fail(fmt::format("tensor {} has {} twice", in_quotes(tensor.name), key));
      seen.set(index);
      switch (index) {
        case 0:
          tensor.type = parse_type(tensor.name);
          break;
        case 1:
          tensor.shape = parse_shape(tensor.name);
          break;
        default:
          parse_offsets(tensor);
      }
    });
    for (std::size_t i = 0; i < kKeys.size(); ++i) {
      if (!seen[i]) fail(fmt::format("tensor {} has no {}", in_quotes(tensor.name), kKeys[i]));
    }
  }

  SafetensorsType parse_type(const std::string& tensor) {
    const std::string name = parse_string();
    for (const TypeName& row : kTypes) {
      if (name == row.name) return row.type;
    }
    std::vector<const char*> known;
    for (const TypeName& row : kTypes) known.push_back(row.name);
    fail(fmt::format("tensor {} has the dtype {}; readable are {}", in_quotes(tensor), in_quotes(name),
                     fmt::join(known, ", ")));
  }

  std::vector<std::int64_t> parse_shape(const std::string& tensor) {
    std::vector<std::int64_t> shape;
    for_each_element([&] {
      const std::uint64_t size = parse_integer("a size in a shape");
      if (size > INT64_MAX) fail("a size in a shape does not fit 63 bits");
      if (shape.size() == SafetensorsLimits::kRank) {
        fail(fmt::format("tensor {} has more than {} dimensions", in_quotes(tensor), SafetensorsLimits::kRank));
      }
      shape.push_back(static_cast<std::int64_t>(size));
    });
    return shape;
  }

  void parse_offsets(TensorEntry& tensor) {
    int count = 0;
    for_each_element([&] {
      const std::uint64_t offset = parse_integer("a data offset");
      if (count == 0) tensor.begin = offset;
      if (count == 1) tensor.end = offset;
      if (++count > 2) fail(fmt::format("tensor {} has more than two data offsets", in_quotes(tensor.name)));
    });
    if (count < 2) fail(fmt::format("tensor {} has {} data offsets instead of two", in_quotes(tensor.name), count));
  }

  const std::string_view json_;
  std::size_t at_ = 0;
  std::size_t text_bytes_ = 0;
  bool seen_metadata_ = false;
  SafetensorsHeader header_;
};

void check_names_are_unique(const std::vector<TensorEntry>& tensors) {
  std::vector<std::string_view> names;
  names.reserve(tensors.size());
  for (const TensorEntry& tensor : tensors) names.emplace_back(tensor.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) throw Error(fmt::format("tensor {} comes twice", in_quotes(*twice)));
}

}  // namespace

std::size_t size_of(SafetensorsType type) { return row_of(type).bytes; }
const char* name_of(SafetensorsType type) { return row_of(type).name; }

SafetensorsHeader parse_header(std::string_view json) { return HeaderParser(json).parse(); }

void check_tensor_name(std::string_view name) {
  const auto refuse = [name](const char* why) { throw Error(fmt::format("tensor name {} {}", in_quotes(name), why)); };
  if (name.empty()) throw Error("a tensor has an empty name");
  if (!is_utf8(name)) throw Error("a tensor name is not UTF-8");
  if (name == kMetadataKey) refuse("is reserved by the format");
  if (std::any_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    refuse("has control characters");
  }
  if (name.front() == '/') refuse("looks like an absolute path");
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find_first_of("/\\", begin), name.size());
    if (name.substr(begin, end - begin) == "..") refuse("has a '..' in it, like a path that leaves its folder");
    begin = end + 1;
  }
}

std::uint64_t byte_count(const TensorEntry& tensor) {
  std::uint64_t bytes = size_of(tensor.type);
  for (const std::int64_t size : tensor.shape) {
    if (size < 0) throw Error(fmt::format("tensor {} has a negative size in its shape", in_quotes(tensor.name)));
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes)) {
      throw Error(fmt::format("the shape of tensor {} needs more than 64 bits of bytes", in_quotes(tensor.name)));
    }
  }
  return bytes;
}

void check_layout(SafetensorsHeader& header, std::uint64_t data_bytes) {
  auto& tensors = header.tensors;
  for (const TensorEntry& tensor : tensors) {
    if (tensor.begin > tensor.end) throw Error(fmt::format("tensor {} ends before it begins", in_quotes(tensor.name)));
    if (tensor.end > data_bytes) {
      throw Error(fmt::format("tensor {} ends at byte {} of the data, which has {}", in_quotes(tensor.name), tensor.end,
                              data_bytes));
    }
    const std::uint64_t needed = byte_count(tensor);
    if (tensor.end - tensor.begin != needed) {
      throw Error(fmt::format("tensor {} has {} bytes, its shape ({}) of {} needs {}", in_quotes(tensor.name),
                              tensor.end - tensor.begin, fmt::join(tensor.shape, ", "), name_of(tensor.type), needed));
    }
  }
  std::sort(tensors.begin(), tensors.end(), [](const TensorEntry& a, const TensorEntry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::uint64_t covered = 0;
  for (const TensorEntry& tensor : tensors) {
    if (tensor.begin < covered)
      throw Error(fmt::format("tensor {} overlaps the one before it", in_quotes(tensor.name)));
    if (tensor.begin > covered)
      throw Error(
          fmt::format("{} bytes before tensor {} belong to no tensor", tensor.begin - covered, in_quotes(tensor.name)));
    covered = tensor.end;
  }
  if (covered != data_bytes) throw Error(fmt::format("{} bytes at the end belong to no tensor", data_bytes - covered));
  check_names_are_unique(tensors);
}

std::string format_header(const SafetensorsHeader& header) {
  std::string json = "{";
  const auto separate = [&json] {
    if (json.back() != '{') json += ',';
  };
  if (!header.metadata.empty()) {
    append_json_string(json, kMetadataKey);
    json += ":{";
    for (const auto& [key, value] : header.metadata) {
      separate();
      append_json_string(json, key);
      json += ':';
      append_json_string(json, value);
    }
    json += '}';
  }
  for (const TensorEntry& tensor : header.tensors) {
    separate();
    append_json_string(json, tensor.name);
    json += fmt::format(R"(:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", name_of(tensor.type),
                        fmt::join(tensor.shape, ","), tensor.begin, tensor.end);
  }
  json += '}';
  json.append((kDataAlignment - json.size() % kDataAlignment) % kDataAlignment, ' ');
  return json;
}

}  // namespace cudacards
