// TensorFlow.js layers models: what is read, and that hostile ones are refused, each in its own words.

#include "weights/tfjs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <ostream>
#include <set>

#include "tests/support/error_text.h"
#include "tests/weights/tfjs_files.h"

namespace cudacards {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::bytes_of;
using testing_support::error_text;
using testing_support::TemporaryFolder;
using testing_support::tfjs_json;
using testing_support::write_tfjs;

const std::string kOne = R"({"name":"a","shape":[1],"dtype":"float32"})";

std::vector<float> values(const TensorSource& source, const std::string& name) {
  return source.read_finite(*source.find(name));
}

TEST(Tfjs, ReadsTensorsThatGoOverTheEndOfAFile) {
  const TemporaryFolder folder;
  const std::string bytes = bytes_of({1.0f, 2.0f, 3.0f, 4.0f, 5.0f});
  const std::string path = write_tfjs(
      folder,
      tfjs_json(R"({"name":"a","shape":[2],"dtype":"float32"},{"name":"b/c","shape":[3,1],"dtype":"float32"})",
                R"(["1.bin","2.bin","3.bin"])"),
      {{"1.bin", bytes.substr(0, 7)}, {"2.bin", bytes.substr(7, 6)}, {"3.bin", bytes.substr(13)}});
  for (const std::string& named : {path, folder.path().string()}) {
    const auto source = open_tensor_source(named);
    EXPECT_EQ(source->tensors().size(), 2u);
    EXPECT_THAT(values(*source, "a"), ElementsAre(1, 2));
    EXPECT_THAT(values(*source, "b/c"), ElementsAre(3, 4, 5));
    EXPECT_THAT(source->find("b/c")->shape, ElementsAre(3, 1));
    EXPECT_EQ(source->find("c"), nullptr);
  }
}

TEST(Tfjs, ReadsWhatIsQuantised) {
  const TemporaryFolder folder;
  const auto quantised = [](const char* name, const char* fields) {
    return std::string(R"({"name":")") + name + R"(","shape":[2],"dtype":"float32","quantization":{)" + fields + "}}";
  };
  const std::string path = write_tfjs(
      folder,
      tfjs_json(quantised("u8", R"("dtype":"uint8","scale":0.5,"min":-1)") + "," +
                quantised("u16", R"("dtype":"uint16","min":0.25,"scale":2,"original_dtype":"float32")") + "," +
                quantised("f16", R"("dtype":"float16")") + R"(,{"name":"n","shape":[],"dtype":"int32"})"),
      {{"w.bin", bytes_of<std::uint8_t>({0, 255}) + bytes_of<std::uint16_t>({1, 65535}) +
                     bytes_of<std::uint16_t>({0x3c00, 0xc000}) + bytes_of<std::int32_t>({7})}});
  const auto source = open_tfjs(path);
  EXPECT_THAT(values(*source, "u8"), ElementsAre(-1.0f, 126.5f));
  EXPECT_THAT(values(*source, "u16"), ElementsAre(2.25f, 131070.25f));
  EXPECT_THAT(values(*source, "f16"), ElementsAre(1.0f, -2.0f));
  EXPECT_EQ(source->find("u8")->type, "float32 stored as uint8");
  EXPECT_EQ(error_text([&] { (void)values(*source, "n"); }),
            path + ": tensor \"n\" is int32, floating-point values are expected");
}

TEST(Tfjs, NamesAValueThatIsNotFinite) {
  const TemporaryFolder folder;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const auto source = open_tfjs(write_tfjs(folder, tfjs_json(R"({"name":"a","shape":[3],"dtype":"float32"})"),
                                           {{"w.bin", bytes_of({1.0f, nan, 2.0f})}}));
  EXPECT_THAT(error_text([&] { (void)values(*source, "a"); }), HasSubstr("element 1 of tensor \"a\" is nan"));
}

TEST(Tfjs, NamesTheFileThatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_THAT(error_text([&] { open_tfjs(write_tfjs(folder, tfjs_json(kOne), {})); }),
              HasSubstr("cannot open " + folder / "w.bin"));
  EXPECT_THAT(error_text([&] { open_tensor_source(folder / "none.json"); }),
              testing::StartsWith("cannot open " + folder / "none.json"));
  const TemporaryFolder empty;
  EXPECT_THAT(error_text([&] { open_tensor_source(empty.path().string()); }), HasSubstr("without the model.json"));
}

struct Attack {
  const char* name;
  std::string json;
  const char* error;
  std::size_t bytes = 4;  // in w.bin
  friend void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }
};

std::string with(const std::string& fields) { return tfjs_json("{" + fields + "}"); }
std::string quantization(const std::string& fields) {
  return with(R"("name":"a","shape":[4],"dtype":"float32","quantization":)" + fields);
}
std::string in_file(const std::string& name) { return tfjs_json(kOne, R"([")" + name + R"("])"); }
std::string manifest(const std::string& json) { return R"({"weightsManifest":)" + json + "}"; }

std::string many(std::size_t count) {
  std::string weights;
  for (std::size_t i = 0; i < count; ++i)
    weights += (i == 0 ? "" : ",") + (R"({"name":")" + std::to_string(i)) + R"(","shape":[0],"dtype":"bool"})";
  return tfjs_json(weights);
}

std::vector<Attack> attacks() {
  return {
      // The text.
      {"NoBytes", "", "not JSON at byte"},
      {"NotJson", "weights", "not JSON at byte"},
      {"Cut", tfjs_json(kOne).substr(0, 120), "not JSON at byte"},
      {"TextBehind", tfjs_json(kOne) + "{}", "not JSON at byte"},
      {"AList", "[]", "it is a JSON list"},
      {"AString", "\"a\"", "it is a JSON string"},
      {"ANumber", "3", "it is a JSON number"},
      {"ANull", "null", "the file has null where"},
      {"NumberTooLarge", R"({"x":1e999})", "not JSON at byte"},
      {"NotUtf8", "{\"\xff\":1}", "not JSON at byte"},
      {"DeepLists", R"({"modelTopology":)" + std::string(300, '[') + std::string(300, ']') + "}",
       "nested more than 256 deep"},
      {"TooLong", std::string((8 << 20) + 1, ' '), "bytes of JSON are more than"},
      // The manifest.
      {"NoManifest", R"({"modelTopology":{}})", "has no weightsManifest"},
      {"ManifestTwice", R"({"weightsManifest":[],"weightsManifest":[]})", "weightsManifest comes twice"},
      {"ManifestAnObject", manifest("{}"), "weightsManifest has an object where"},
      {"ManifestNull", manifest("null"), "weightsManifest has null where"},
      {"ManifestOfNumbers", manifest("[1]"), "weightsManifest has a number where"},
      {"GroupWithoutPaths", manifest(R"([{"weights":[]}])"), "group 0 of weightsManifest has no \"paths\""},
      {"GroupWithoutWeights", manifest(R"([{"paths":[]}])"), "group 0 of weightsManifest has no \"weights\""},
      {"PathsTwice", manifest(R"([{"paths":[],"paths":[],"weights":[]}])"), "has \"paths\" twice"},
      {"PathsAString", manifest(R"([{"paths":"w.bin","weights":[]}])"), "has text where"},
      {"PathsOfNumbers", manifest(R"([{"paths":[7],"weights":[]}])"), "has a number where"},
      {"WeightsOfStrings", manifest(R"([{"paths":[],"weights":["a"]}])"), "has text where"},
      {"WeightsOfLists", manifest(R"([{"paths":[],"weights":[[]]}])"), "has a list where"},
      // The files.
      {"PathUp", in_file("../w.bin"), "\"../w.bin\" leaves the folder"},
      {"PathAbsolute", in_file("/etc/passwd"), "\"/etc/passwd\" leaves the folder"},
      {"PathBelow", in_file("x/w.bin"), "\"x/w.bin\" leaves the folder"},
      {"PathBackslash", in_file(R"(..\\w.bin)"), "leaves the folder"},
      {"PathUrl", in_file("https://x/w.bin"), "leaves the folder"},
      {"PathTheFolder", in_file("."), "\".\" is a folder"},
      {"PathTheFolderAbove", in_file(".."), "\"..\" is a folder"},
      {"PathEmpty", in_file(""), "a file name is empty"},
      {"PathWithZero", in_file(R"(w\u0000.bin)"), "has control characters"},
      {"FileTwice", tfjs_json(kOne, R"(["w.bin","w.bin"])"), "\"w.bin\" is listed twice"},
      {"FileOfTwoGroups",
       manifest(R"([{"paths":["w.bin"],"weights":[)" + kOne + R"(]},{"paths":["w.bin"],"weights":[)" +
                R"({"name":"b","shape":[1],"dtype":"float32"})" + "]}]"),
       "\"w.bin\" is listed twice"},
      {"FileTooLong", tfjs_json(kOne), "has 5 bytes in its files, its tensors need 4", 5},
      {"FileTooShort", tfjs_json(kOne), "has 3 bytes in its files, its tensors need 4", 3},
      {"NoFiles", tfjs_json(kOne, "[]"), "has 0 bytes in its files, its tensors need 4"},
      {"TooManyFiles",
       [] {
         std::string paths = "[\"0\"";
         for (int i = 1; i <= 4096; ++i) paths += ",\"" + std::to_string(i) + "\"";
         return tfjs_json(kOne, paths + "]");
       }(),
       "more than 4096 files are listed"},
      // Tensors.
      {"NoName", with(R"("shape":[1],"dtype":"float32")"), "tensor 0 of group 0 has no \"name\""},
      {"NoShape", with(R"("name":"a","dtype":"float32")"), "tensor \"a\" has no \"shape\""},
      {"NoDtype", with(R"("name":"a","shape":[1])"), "tensor \"a\" has no \"dtype\""},
      {"NameTwice", with(R"("name":"a","name":"b","shape":[1],"dtype":"float32")"), "has \"name\" twice"},
      {"NameEmpty", with(R"("name":"","shape":[1],"dtype":"float32")"), "a tensor has an empty name"},
      {"NameUp", with(R"("name":"../a","shape":[1],"dtype":"float32")"), "has a '..' in it"},
      {"NameAbsolute", with(R"("name":"/a","shape":[1],"dtype":"float32")"), "looks like an absolute path"},
      {"NameWithNewline", with(R"("name":"a\nb","shape":[1],"dtype":"float32")"), "has control characters"},
      {"SameName", tfjs_json(kOne + "," + kOne), "tensor \"a\" comes twice", 8},
      {"UnknownKey", with(R"("name":"a","shape":[1],"dtype":"float32","offset":0)"), "has the unknown key \"offset\""},
      {"UnknownDtype", with(R"("name":"a","shape":[1],"dtype":"string")"), "has the unknown dtype \"string\""},
      {"DtypeANumber", with(R"("name":"a","shape":[1],"dtype":4)"), "tensor \"a\" has a number where"},
      {"BareUint16", with(R"("name":"a","shape":[2],"dtype":"uint16")"), "has the dtype uint16 without quantization"},
      {"BareFloat16", with(R"("name":"a","shape":[2],"dtype":"float16")"), "has the dtype float16 without"},
      {"NegativeSize", with(R"("name":"a","shape":[-1],"dtype":"float32")"), "has a negative size"},
      {"FractionalSize", with(R"("name":"a","shape":[1.5],"dtype":"float32")"), "has a size that is no whole number"},
      {"SizeOf64Bits", with(R"("name":"a","shape":[9223372036854775808],"dtype":"float32")"), "does not fit 63 bits"},
      {"SizeAString", with(R"("name":"a","shape":["1"],"dtype":"float32")"), "has text where"},
      {"ShapeANumber", with(R"("name":"a","shape":1,"dtype":"float32")"), "has a number where"},
      {"TooManyDimensions", with(R"("name":"a","shape":[1,1,1,1,1,1,1,1,1],"dtype":"float32")"),
       "has more than 8 dimensions"},
      {"ShapeBomb", with(R"("name":"a","shape":[4294967296,4294967296,4294967296],"dtype":"float32")"),
       "needs more than 64 bits of bytes"},
      {"ShapeWrapsToFourBytes", with(R"("name":"a","shape":[4611686018427387905],"dtype":"float32")"),
       "the shape of tensor \"a\" needs more than 64 bits"},
      {"TensorsWrap",
       tfjs_json(R"({"name":"a","shape":[4611686018427387904],"dtype":"float16","quantization":{"dtype":"float16"}},)"
                 R"({"name":"b","shape":[4611686018427387904],"dtype":"float16","quantization":{"dtype":"float16"}},)"
                 R"({"name":"c","shape":[2],"dtype":"float16","quantization":{"dtype":"float16"}})"),
       "the tensors up to \"b\" need more than 64 bits of bytes"},
      {"LargerThanTheFile", with(R"("name":"a","shape":[1000000000000],"dtype":"float32")"),
       "its tensors need 4000000000000"},
      {"TooManyTensors", many(65'537), "more than 65536 tensors are listed", 0},
      {"TooMuchText", with(R"("name":")" + std::string(5 << 20, 'n') + R"(","shape":[1],"dtype":"float32")"),
       "the names have more than 4194304 bytes"},
      // Quantization.
      {"QuantizationAList", quantization("[]"), "has a list where"},
      {"QuantizationWithoutDtype", quantization(R"({"scale":1,"min":0})"), "a quantization without dtype"},
      {"QuantizationWithoutScale", quantization(R"({"dtype":"uint8","min":0})"), "without scale and min"},
      {"QuantizationWithoutMin", quantization(R"({"dtype":"uint8","scale":1})"), "without scale and min"},
      {"QuantizedAsFloat32", quantization(R"({"dtype":"float32","scale":1,"min":0})"), "which is none of uint8"},
      {"ScaleZero", quantization(R"({"dtype":"uint8","scale":0,"min":0})"), "whose scale is not positive"},
      {"ScaleAString", quantization(R"({"dtype":"uint8","scale":"1","min":0})"), "has text where"},
      {"OriginalOfAnotherType", quantization(R"({"dtype":"uint8","scale":1,"min":0,"original_dtype":"int32"})"),
       "is not float32"},
      {"QuantizationUnknownKey", quantization(R"({"dtype":"uint8","scale":1,"min":0,"zero":1})"),
       "has the unknown key \"zero\""},
  };
}

class TfjsAttack : public testing::TestWithParam<Attack> {};

TEST_P(TfjsAttack, IsRefusedWithItsOwnError) {
  const TemporaryFolder folder;
  const std::string path = write_tfjs(folder, GetParam().json, {{"w.bin", std::string(GetParam().bytes, '\0')}});
  const std::string error = error_text([&] { open_tfjs(path); });
  EXPECT_THAT(error, HasSubstr(path + " is not a valid TensorFlow.js layers model: "));
  EXPECT_THAT(error, HasSubstr(GetParam().error));
  EXPECT_TRUE(std::none_of(error.begin(), error.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
  EXPECT_LT(error.size(), 500u);
}

INSTANTIATE_TEST_SUITE_P(All, TfjsAttack, testing::ValuesIn(attacks()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(TfjsAttacks, AreManyAndNotOneTwice) {
  std::set<std::pair<std::string, std::size_t>> files;
  for (const Attack& attack : attacks()) files.emplace(attack.json, attack.bytes);
  EXPECT_GE(files.size(), 40u);
  EXPECT_EQ(files.size(), attacks().size());
}

// The attacks differ from these by one rule each; were these refused, they would prove nothing.
TEST(TfjsAttacks, StartFromFilesThatAreRead) {
  const TemporaryFolder folder;
  for (const std::string& json :
       {tfjs_json(kOne), quantization(R"({"dtype":"uint8","scale":1,"min":0})"), in_file("w.bin"),
        std::string(R"({"x":{"weightsManifest":[[]]},"weightsManifest":[{"paths":["w.bin"],"notes":[1],"weights":[)") +
            kOne + "]}]}"}) {
    EXPECT_EQ(error_text([&] {
                open_tfjs(write_tfjs(folder, json, {{"w.bin", std::string(4, '\0')}}));
              }),
              "(no error)")
        << json;
  }
  EXPECT_EQ(error_text([&] { open_tfjs(write_tfjs(folder, manifest("[]"), {})); }), "(no error)");
}

}  // namespace
}  // namespace cudacards
