// What is written is read back, bit for bit, by this program and by the format's reference implementation, and the
// other way round.

#include "weights/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "tests/support/error_text.h"
#include "tests/support/temporary_folder.h"
#include "tests/weights/raw_file.h"

namespace cudacards {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::error_text;
using testing_support::raw_safetensors;
using testing_support::read_bytes;
using testing_support::TemporaryFolder;
using testing_support::write_bytes;
using Metadata = std::map<std::string, std::string>;

template <class T>
TensorView view(std::string name, SafetensorsType type, std::vector<std::int64_t> shape, const std::vector<T>& values) {
  return {std::move(name), type, std::move(shape), std::as_bytes(std::span(values))};
}

template <class T>
std::vector<T> values_of(const TensorView& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

class Safetensors : public testing::Test {
 protected:
  SafetensorsFile written(const std::vector<TensorView>& tensors, const Metadata& metadata = {}) {
    write_safetensors(path_, tensors, metadata);
    return SafetensorsFile::open(path_);
  }

  TemporaryFolder folder_;
  const std::string path_ = folder_ / "file.safetensors";
};

TEST_F(Safetensors, KeepsEveryTypeBitForBit) {
  const std::vector<float> f32 = {0.0f, -0.0f, 1.0f / 3, std::numeric_limits<float>::denorm_min(), INFINITY, NAN};
  const std::vector<double> f64 = {1.0 / 3, -1e308};
  const std::vector<std::uint16_t> halves = {0x3c00, 0xfbff, 0x0001};
  const std::vector<std::int32_t> i32 = {INT32_MIN, -1, INT32_MAX};
  const std::vector<std::int64_t> i64 = {INT64_MIN, INT64_MAX};
  const std::vector<std::uint8_t> u8 = {0, 127, 255, 3, 4};
  const auto file =
      written({view("u8", SafetensorsType::kU8, {5}, u8), view("f32", SafetensorsType::kF32, {2, 3}, f32),
               view("f64", SafetensorsType::kF64, {2, 1}, f64), view("bf16", SafetensorsType::kBf16, {3}, halves),
               view("f16", SafetensorsType::kF16, {1, 3, 1}, halves), view("i32", SafetensorsType::kI32, {3}, i32),
               view("i64", SafetensorsType::kI64, {2}, i64)});
  ASSERT_EQ(file.tensors().size(), 7u);
  EXPECT_THAT(file.find("f32")->shape, ElementsAre(2, 3));
  EXPECT_EQ(file.find("f32")->type, SafetensorsType::kF32);
  EXPECT_EQ(std::memcmp(file.find("f32")->bytes.data(), f32.data(), 24), 0);  // NaN and -0 too
  EXPECT_EQ(values_of<double>(*file.find("f64")), f64);
  EXPECT_EQ(values_of<std::uint16_t>(*file.find("bf16")), halves);
  EXPECT_EQ(values_of<std::uint16_t>(*file.find("f16")), halves);
  EXPECT_EQ(values_of<std::int32_t>(*file.find("i32")), i32);
  EXPECT_EQ(values_of<std::int64_t>(*file.find("i64")), i64);
  EXPECT_EQ(values_of<std::uint8_t>(*file.find("u8")), u8);
  EXPECT_EQ(file.find("f3"), nullptr);
  EXPECT_EQ(file.find("f32 "), nullptr);
}

TEST_F(Safetensors, AlignsEveryTensorToItsType) {
  const std::vector<std::uint8_t> u8 = {1, 2, 3};
  const std::vector<float> f32 = {1, 2};
  const std::vector<double> f64 = {3};
  const auto file = written({view("odd", SafetensorsType::kU8, {3}, u8), view("f32", SafetensorsType::kF32, {2}, f32),
                             view("f64", SafetensorsType::kF64, {1}, f64)},
                            {{"k", "any length"}});
  for (const TensorView& tensor : file.tensors()) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.bytes.data()) % size_of(tensor.type), 0u) << tensor.name;
  }
}

TEST_F(Safetensors, KeepsScalarsEmptyTensorsAndEmptyFiles) {
  const std::vector<float> one = {7.0f}, none;
  const auto file =
      written({view("empty", SafetensorsType::kF32, {3, 0, 2}, none), view("scalar", SafetensorsType::kF32, {}, one),
               view("empty too", SafetensorsType::kF32, {0}, none)});
  EXPECT_THAT(file.find("empty")->shape, ElementsAre(3, 0, 2));
  EXPECT_THAT(file.read_floats("scalar", {}), ElementsAre(7.0f));
  EXPECT_TRUE(file.read_floats("empty too", {0}).empty());
  EXPECT_TRUE(written({}).tensors().empty());
  EXPECT_EQ(written({}, {{"only", "metadata"}}).metadata().at("only"), "metadata");
}

TEST_F(Safetensors, KeepsNamesAndMetadataInAnyScript) {
  const std::vector<float> one = {1.0f};
  const std::string control = "tab\t newline\n quote\" backslash\\ bell\a nul" + std::string(1, '\0') + " end";
  const Metadata metadata = {
      {"Ключ", "значение"}, {"🂡", "ace of spades \xF0\x9F\x82\xA1"}, {"control", control}, {"", "empty key"}};
  const auto file =
      written({view("слой/веса", SafetensorsType::kF32, {1}, one), view("层/\"权重\"", SafetensorsType::kF32, {1}, one),
               view(std::string(5000, 'n'), SafetensorsType::kF32, {1}, one)},
              metadata);
  EXPECT_EQ(file.metadata(), metadata);
  EXPECT_NE(file.find("слой/веса"), nullptr);
  EXPECT_NE(file.find("层/\"权重\""), nullptr);
  EXPECT_NE(file.find(std::string(5000, 'n')), nullptr);
}

TEST_F(Safetensors, ReadsEscapesAndAnyOrderOfKeys) {
  write_bytes(path_, raw_safetensors(R"({ "\u0431\ud83c\udca1\/" :{"data_offsets":[ 0 ,4],)"
                                     "\n\t"
                                     R"("shape":[1],"dtype":"F32"},"__metadata__":{"\"":"\b\f\n\r\t\\"} }   )",
                                     std::string("\0\0\x80?", 4)));
  const auto file = SafetensorsFile::open(path_);
  EXPECT_THAT(file.read_floats("\u0431\U0001F0A1/", {1}), ElementsAre(1.0f));
  EXPECT_EQ(file.metadata().at("\""), "\b\f\n\r\t\\");
}

TEST_F(Safetensors, WritesTheSameBytesForTheSameTensors) {
  const std::vector<float> values = {1, 2, 3, 4};
  const std::vector<TensorView> tensors = {view("b", SafetensorsType::kF32, {4}, values),
                                           view("a", SafetensorsType::kF32, {2, 2}, values)};
  write_safetensors(path_, tensors, {{"x", "1"}, {"y", "2"}});
  write_safetensors(folder_ / "again", tensors, {{"y", "2"}, {"x", "1"}});
  EXPECT_EQ(read_bytes(path_), read_bytes(folder_ / "again"));
}

TEST_F(Safetensors, ReadsEveryFloatingPointTypeAsFp32) {
  const std::vector<double> f64 = {1.0 / 3, -2.5};
  const std::vector<std::uint16_t> bf16 = {0x3f80, 0xc020};
  const std::vector<std::uint16_t> f16 = {0x3c00, 0xc100, 0x0001, 0x83ff, 0x7bff, 0x8000};
  const auto file =
      written({view("f64", SafetensorsType::kF64, {2}, f64), view("bf16", SafetensorsType::kBf16, {2}, bf16),
               view("f16", SafetensorsType::kF16, {6}, f16)});
  EXPECT_THAT(file.read_floats("f64", {2}), ElementsAre(static_cast<float>(1.0 / 3), -2.5f));
  EXPECT_THAT(file.read_floats("bf16", {2}), ElementsAre(1.0f, -2.5f));
  const auto halves = file.read_floats("f16", {6});
  EXPECT_THAT(halves, ElementsAre(1.0f, -2.5f, 0x1p-24f, -1023 * 0x1p-24f, 65504.0f, -0.0f));
  EXPECT_TRUE(std::signbit(halves[5]));
}

#if defined(__FLT16_MANT_DIG__)
TEST_F(Safetensors, ReadsAllHalvesAsTheCompilerDoes) {
  std::vector<std::uint16_t> all;
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7c00u) != 0x7c00u) all.push_back(static_cast<std::uint16_t>(bits));
  }
  const auto count = static_cast<std::int64_t>(all.size());
  const auto values = written({view("f16", SafetensorsType::kF16, {count}, all)}).read_floats("f16", {count});
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]),
              std::bit_cast<std::uint32_t>(static_cast<float>(std::bit_cast<_Float16>(all[i]))))
        << "half " << all[i];
  }
}
#endif

TEST_F(Safetensors, RefusesFloatsThatAreNotWhatTheModelNeeds) {
  const std::vector<float> f32 = {1, NAN, 3}, infinite = {-INFINITY};
  const std::vector<double> f64 = {1e39};
  const std::vector<std::uint16_t> f16 = {0x7c00}, bf16 = {0x7fc0};
  const std::vector<std::int64_t> i64 = {1};
  const auto file =
      written({view("nan", SafetensorsType::kF32, {3}, f32), view("inf", SafetensorsType::kF32, {1}, infinite),
               view("large", SafetensorsType::kF64, {1}, f64), view("f16", SafetensorsType::kF16, {1}, f16),
               view("bf16", SafetensorsType::kBf16, {1}, bf16), view("i64", SafetensorsType::kI64, {1}, i64)});
  const auto refusal = [&](const char* name, std::vector<std::int64_t> shape) {
    return error_text([&] { file.read_floats(name, shape); });
  };
  EXPECT_EQ(refusal("nan", {3}), path_ + ": element 1 of tensor \"nan\" is nan in fp32");
  EXPECT_EQ(refusal("inf", {1}), path_ + ": element 0 of tensor \"inf\" is -inf in fp32");
  EXPECT_EQ(refusal("large", {1}), path_ + ": element 0 of tensor \"large\" is inf in fp32");
  EXPECT_THAT(refusal("f16", {1}), HasSubstr("\"f16\" is inf"));
  EXPECT_THAT(refusal("bf16", {1}), HasSubstr("\"bf16\" is nan"));
  EXPECT_EQ(refusal("i64", {1}), path_ + ": tensor \"i64\" is I64, floating-point values are expected");
  EXPECT_EQ(refusal("nan", {1, 3}), path_ + ": tensor \"nan\" has the shape (3), (1, 3) is expected");
  EXPECT_EQ(refusal("other", {3}), path_ + " has no tensor \"other\"");
}

TEST_F(Safetensors, IsRefusedByTheWriterWhereTheReaderWouldRefuse) {
  const std::vector<float> two = {1, 2};
  const auto refusal = [&](const std::vector<TensorView>& tensors, const Metadata& metadata = {}) {
    return error_text([&] { write_safetensors(path_, tensors, metadata); });
  };
  const auto tensor = [&](std::string name, std::vector<std::int64_t> shape = {2}) {
    return view(std::move(name), SafetensorsType::kF32, std::move(shape), two);
  };
  EXPECT_THAT(refusal({tensor("a"), tensor("a")}),
              AllOf(HasSubstr("cannot write " + path_), HasSubstr("\"a\" comes twice")));
  EXPECT_THAT(refusal({tensor("")}), HasSubstr("empty name"));
  EXPECT_THAT(refusal({tensor("__metadata__")}), HasSubstr("reserved"));
  EXPECT_THAT(refusal({tensor("\xff")}), HasSubstr("not UTF-8"));
  EXPECT_THAT(refusal({tensor("a", {3})}), HasSubstr("has 8 bytes, its shape (3) of F32 needs 12"));
  EXPECT_THAT(refusal({tensor("a", {-2})}), HasSubstr("negative"));
  EXPECT_THAT(refusal({tensor("a", {1, 1, 1, 1, 1, 1, 1, 1, 2})}), HasSubstr("more than 8 dimensions"));
  EXPECT_THAT(refusal({tensor("a")}, {{"\xff", ""}}), HasSubstr("metadata key is not UTF-8"));
  EXPECT_THAT(refusal({tensor("a")}, {{"k", "\xc0\x80"}}), HasSubstr("\"k\" is not UTF-8"));
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(Safetensors, SaysWhatIsNotAFile) {
  const auto refusal = [](const std::string& path) { return error_text([&] { SafetensorsFile::open(path); }); };
  EXPECT_EQ(refusal(folder_ / "none"), "cannot open " + (folder_ / "none") + ": No such file or directory");
  EXPECT_EQ(refusal(folder_.path().native()), "cannot open " + folder_.path().native() + ": it is not a file");
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal(folder_ / "pipe"), HasSubstr("it is not a file"));  // and does not wait for a writer
  EXPECT_THAT(refusal("/dev/zero"), HasSubstr("it is not a file"));
}

TEST_F(Safetensors, StaysReadableWhenItIsReplacedMeanwhile) {
  const std::vector<float> old_values = {1, 2}, new_values = {3};
  const auto old_file = written({view("a", SafetensorsType::kF32, {2}, old_values)});
  const auto new_file = written({view("a", SafetensorsType::kF32, {1}, new_values)});
  EXPECT_THAT(old_file.read_floats("a", {2}), ElementsAre(1.0f, 2.0f));
  EXPECT_THAT(new_file.read_floats("a", {1}), ElementsAre(3.0f));
}

TEST_F(Safetensors, SurvivesMoves) {
  const std::vector<float> values = {1, 2};
  auto first = written({view("a", SafetensorsType::kF32, {2}, values)}, {{"k", "v"}});
  auto second = std::move(first);
  auto third = written({});
  third = std::move(second);
  EXPECT_THAT(third.read_floats("a", {2}), ElementsAre(1.0f, 2.0f));
  EXPECT_EQ(third.path(), path_);
}

// tests/golden/make_safetensors_golden.py wrote this file with the Python package.
TEST(SafetensorsGolden, ReadsAFileOfTheReferenceImplementation) {
  const auto file = SafetensorsFile::open(CUDACARDS_SOURCE_DIR "/tests/golden/safetensors_python.safetensors");
  EXPECT_EQ(file.metadata(), (Metadata{{"format", "np"}, {"note", "çœ🂡 \"quoted\"\n"}}));
  ASSERT_EQ(file.tensors().size(), 7u);
  EXPECT_THAT(file.read_floats("conv2d/weights", {2, 1, 1, 3}), ElementsAre(0.0f, 0.25f, 0.5f, 0.75f, 1.0f, 1.25f));
  EXPECT_THAT(file.read_floats("double", {2}), ElementsAre(0.5f, -3.0f));
  EXPECT_THAT(file.read_floats("half", {3}), ElementsAre(1.0f, -2.0f, 65504.0f));
  EXPECT_THAT(file.read_floats("scalar", {}), ElementsAre(42.0f));
  EXPECT_TRUE(file.read_floats("пусто", {0, 4}).empty());
  EXPECT_THAT(values_of<std::int64_t>(*file.find("steps")), ElementsAre(-1, INT64_C(1) << 62));
  EXPECT_THAT(values_of<std::uint8_t>(*file.find("pixels")), ElementsAre(0, 1, 255));
}

TEST(SafetensorsGolden, WritesWhatTheReferenceImplementationReads) {
  // The same tensors as in the golden file give the same bytes but for the order of tensors in the header; see the
  // script, which also checks a file of ours: make_safetensors_golden.py --check FILE.
  TemporaryFolder folder;
  const auto golden = SafetensorsFile::open(CUDACARDS_SOURCE_DIR "/tests/golden/safetensors_python.safetensors");
  write_safetensors(folder / "ours", golden.tensors(), golden.metadata());
  const auto ours = SafetensorsFile::open(folder / "ours");
  ASSERT_EQ(ours.tensors().size(), golden.tensors().size());
  for (std::size_t i = 0; i < ours.tensors().size(); ++i) {
    EXPECT_EQ(ours.tensors()[i].name, golden.tensors()[i].name);
    EXPECT_EQ(values_of<std::uint8_t>(ours.tensors()[i]), values_of<std::uint8_t>(golden.tensors()[i]));
  }
}

}  // namespace
}  // namespace cudacards
