// Hand-made hostile files: each breaks one rule, each is refused, each with its own words (QUALITY: malicious weight
// files).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <set>

#include "tests/support/error_text.h"
#include "tests/support/temporary_folder.h"
#include "tests/weights/raw_file.h"
#include "weights/safetensors.h"

namespace cudacards {
namespace {

using testing::HasSubstr;
using testing_support::error_text;
using testing_support::raw_safetensors;
using testing_support::TemporaryFolder;
using testing_support::write_bytes;

struct Attack {
  const char* name;
  std::string file;
  const char* error;  // what the message must contain
  friend void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }
};

const std::string kFour = R"({"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
const std::string kEmptyA = R"("a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]})";

std::string data(std::size_t bytes) { return std::string(bytes, '\0'); }

/// One F32 tensor of four bytes whose description is `fields`.
std::string tensor_with(const std::string& fields) { return raw_safetensors(R"({"a":{)" + fields + "}}", data(4)); }

/// A whole header before four bytes of data.
std::string header(const std::string& json) { return raw_safetensors(json, data(4)); }

/// A correct tensor of four bytes named by JSON text.
std::string named(const std::string& name_json) { return header("{" + name_json + ":" + kFour + "}"); }

/// Correct but for the metadata.
std::string metadata(const std::string& json) {
  return header(R"({"__metadata__":)" + json + R"(,"a":)" + kFour + "}");
}

std::string two_tensors(const char* first_offsets, const char* second_offsets, std::size_t data_bytes) {
  return raw_safetensors(std::string(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)") + first_offsets +
                             R"(},"b":{"dtype":"F32","shape":[1],"data_offsets":)" + second_offsets + "}}",
                         data(data_bytes));
}

std::string many_tensors(std::size_t count) {
  std::string json = "{";
  for (std::size_t i = 0; i < count; ++i) {
    json += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  }
  return raw_safetensors(json + "}", "");
}

std::string many_metadata(std::size_t count) {
  std::string json = R"({"__metadata__":{)";
  for (std::size_t i = 0; i < count; ++i) json += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":"")";
  return raw_safetensors(json + "}}", "");
}

std::vector<Attack> attacks() {
  const std::string good = R"({"a":)" + kFour + "}";
  return {
      // The length in front.
      {"NoBytes", "", "0 bytes are too few"},
      {"SevenBytes", "1234567", "7 bytes are too few"},
      {"LengthWithoutHeader", raw_safetensors(1, "", ""), "should have 1 bytes, 0 are left"},
      {"LengthZero", raw_safetensors(0, "", data(4)), "does not begin with '{'"},
      {"LengthBehindTheEnd", raw_safetensors(good.size() + 5, good, data(4)), "should have 59 bytes, 58 are left"},
      {"LengthHuge", raw_safetensors(100'000'001, good, data(4)), "header of 100000001 bytes is more than"},
      {"LengthOfAllBits", raw_safetensors(UINT64_MAX, good, data(4)), "header of 18446744073709551615 bytes"},
      {"LengthCutsTheJson", raw_safetensors(good.size() - 1, good, data(4)), "the JSON ends where '}' is expected"},
      // The JSON.
      {"NotJson", header("\x80\x02}q"), "does not begin with '{'"},  // a Python pickle
      {"SpaceInFront", header(" {}"), "does not begin with '{'"},
      {"AnArray", header("[]"), "does not begin with '{'"},
      {"TextBehindTheObject", header(good + "{}"), "text behind the end of the JSON object"},
      {"CommaAtTheEnd", header(good.substr(0, good.size() - 1) + ",}"), "a string is expected"},
      {"KeyWithoutColon", header(R"({"a" {}})"), "':' is expected"},
      {"KeyNotAString", header("{1:2}"), "a string is expected"},
      {"StringWithoutEnd", header(R"({"a)"), "a string without an end"},
      {"StringEndsInAnEscape", header("{\"a\\"), "a string without an end"},
      {"TensorIsAString", header(R"({"a":"F32"})"), "'{' is expected"},
      {"TensorIsNull", header(R"({"a":null})"), "'{' is expected"},
      {"DeepNesting", header(R"({"a":)" + std::string(100'000, '[')), "'{' is expected"},
      {"NestedShape", tensor_with(R"("dtype":"F32","shape":[[1]],"data_offsets":[0,4])"),
       "a size in a shape is not a whole number"},
      // Names.
      {"EmptyName", named(R"("")"), "a tensor has an empty name"},
      {"NameTwice", header("{" + kEmptyA + R"(,"a":)" + kFour + "}"), "tensor \"a\" comes twice"},
      {"NameTwiceByAnEscape", header("{" + kEmptyA + R"(,"\u0061":)" + kFour + "}"), "tensor \"a\" comes twice"},
      {"NameClimbsUp", named(R"("../../etc/passwd")"), "has a '..' in it"},
      {"NameClimbsUpInside", named(R"("layer/..")"), "has a '..' in it"},
      {"NameClimbsUpByBackslash", named(R"("a\\..\\b")"), "has a '..' in it"},
      {"NameIsAbsolute", named(R"("/etc/passwd")"), "looks like an absolute path"},
      {"NameWithEscapeSequence", named(R"("\u001b[2J")"), "has control characters"},
      {"NameWithNul", named(R"("a\u0000b")"), "has control characters"},
      {"NameWithRawNewline", named("\"a\nb\""), "not valid JSON text in UTF-8"},
      {"NameNotUtf8", named("\"\xff\""), "not valid JSON text in UTF-8"},
      {"NameOverlongUtf8", named("\"\xc0\xaf\""), "not valid JSON text in UTF-8"},
      {"NameCutUtf8", named("\"\xe2\x82\""), "not valid JSON text in UTF-8"},
      {"NameAboveUnicode", named("\"\xf4\x90\x80\x80\""), "not valid JSON text in UTF-8"},
      {"NameRawSurrogate", named("\"\xed\xa0\x80\""), "not valid JSON text in UTF-8"},
      {"NameHalfASurrogatePair", named(R"("\ud83c")"), "not valid JSON text in UTF-8"},
      {"NameSurrogatesReversed", named(R"("\udca1\ud83c")"), "not valid JSON text in UTF-8"},
      {"NameBadEscape", named(R"("\x41")"), "not valid JSON text in UTF-8"},
      {"NameBadHex", named(R"("\u00g0")"), "not valid JSON text in UTF-8"},
      {"NameSignedHex", named(R"("\u-001")"), "not valid JSON text in UTF-8"},
      // A tensor's keys.
      {"NoDtype", tensor_with(R"("shape":[1],"data_offsets":[0,4])"), "has no dtype"},
      {"NoShape", tensor_with(R"("dtype":"F32","data_offsets":[0,4])"), "has no shape"},
      {"NoOffsets", tensor_with(R"("dtype":"F32","shape":[1])"), "has no data_offsets"},
      {"DtypeTwice", tensor_with(R"("dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4])"), "has dtype twice"},
      {"OffsetsTwice", tensor_with(R"("dtype":"F32","shape":[1],"data_offsets":[0,0],"data_offsets":[0,4])"),
       "has data_offsets twice"},
      {"UnknownKey", tensor_with(R"("dtype":"F32","shape":[1],"data_offsets":[0,4],"strides":[1])"),
       "has the unknown key \"strides\""},
      {"UnknownDtype", tensor_with(R"("dtype":"C64","shape":[1],"data_offsets":[0,4])"),
       "has the dtype \"C64\"; readable are F32,"},
      {"DtypeInLowerCase", tensor_with(R"("dtype":"f32","shape":[1],"data_offsets":[0,4])"), "has the dtype \"f32\""},
      {"DtypeANumber", tensor_with(R"("dtype":4,"shape":[1],"data_offsets":[0,4])"), "a string is expected"},
      // Numbers.
      {"NegativeSize", tensor_with(R"("dtype":"F32","shape":[-1],"data_offsets":[0,4])"),
       "a size in a shape is not a whole number"},
      {"FractionalSize", tensor_with(R"("dtype":"F32","shape":[1.0],"data_offsets":[0,4])"),
       "a size in a shape is not a whole number"},
      {"ExponentSize", tensor_with(R"("dtype":"F32","shape":[1e0],"data_offsets":[0,4])"),
       "a size in a shape is not a whole number"},
      {"LeadingZero", tensor_with(R"("dtype":"F32","shape":[01],"data_offsets":[0,4])"),
       "a size in a shape is not a whole number"},
      {"SizeOf65Bits", tensor_with(R"("dtype":"F32","shape":[18446744073709551617],"data_offsets":[0,4])"),
       "a size in a shape does not fit 64 bits"},
      {"SizeOf64Bits", tensor_with(R"("dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4])"),
       "a size in a shape does not fit 63 bits"},
      {"OffsetOf65Bits", tensor_with(R"("dtype":"F32","shape":[1],"data_offsets":[0,99999999999999999999])"),
       "a data offset does not fit 64 bits"},
      {"NegativeOffset", tensor_with(R"("dtype":"F32","shape":[1],"data_offsets":[-4,0])"),
       "a data offset is not a whole number"},
      {"OneOffset", tensor_with(R"("dtype":"F32","shape":[1],"data_offsets":[0])"),
       "has 1 data offsets instead of two"},
      {"ThreeOffsets", tensor_with(R"("dtype":"F32","shape":[1],"data_offsets":[0,4,4])"),
       "has more than two data offsets"},
      {"TooManyDimensions", tensor_with(R"("dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4])"),
       "has more than 8 dimensions"},
      // Shapes against bytes.
      {"ShapeWrapsToFourBytes", tensor_with(R"("dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4])"),
       "more than 64 bits of bytes"},
      {"ShapeBomb", tensor_with(R"("dtype":"F32","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,4])"),
       "more than 64 bits of bytes"},
      {"ShapeOverflowsBeforeAZero",
       tensor_with(R"("dtype":"F32","shape":[9223372036854775807,9223372036854775807,0],"data_offsets":[0,0])"),
       "more than 64 bits of bytes"},
      {"ShapeLargerThanBytes", tensor_with(R"("dtype":"F32","shape":[2],"data_offsets":[0,4])"),
       "has 4 bytes, its shape (2) of F32 needs 8"},
      {"ShapeSmallerThanBytes", tensor_with(R"("dtype":"U8","shape":[3],"data_offsets":[0,4])"),
       "has 4 bytes, its shape (3) of U8 needs 3"},
      {"HalfAnElement", tensor_with(R"("dtype":"F64","shape":[1],"data_offsets":[0,4])"),
       "its shape (1) of F64 needs 8"},
      // Places.
      {"EndsBeforeItBegins", tensor_with(R"("dtype":"F32","shape":[1],"data_offsets":[4,0])"), "ends before it begins"},
      {"EndsBehindTheFile", tensor_with(R"("dtype":"F32","shape":[2],"data_offsets":[0,8])"),
       "ends at byte 8 of the data, which has 4"},
      {"OffsetsOfAllBits",
       tensor_with(R"("dtype":"F32","shape":[1],"data_offsets":[18446744073709551611,18446744073709551615])"),
       "ends at byte 18446744073709551615 of the data"},
      {"SameBytesTwice", two_tensors("[0,4]", "[0,4]", 4), "tensor \"b\" overlaps the one before it"},
      {"PartlyTheSameBytes", two_tensors("[0,4]", "[2,6]", 6), "tensor \"b\" overlaps the one before it"},
      {"HoleInTheMiddle", two_tensors("[0,4]", "[8,12]", 12), "4 bytes before tensor \"b\" belong to no tensor"},
      {"HoleInFront", two_tensors("[1,5]", "[5,9]", 9), "1 bytes before tensor \"a\" belong to no tensor"},
      {"BytesAtTheEnd", two_tensors("[0,4]", "[4,8]", 11), "3 bytes at the end belong to no tensor"},
      {"DataWithoutTensors", header("{}"), "4 bytes at the end belong to no tensor"},
      {"EmptyTensorOutside", raw_safetensors(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}})", ""),
       "ends at byte 4 of the data, which has 0"},
      {"DataCut", raw_safetensors(good, data(3)), "ends at byte 4 of the data, which has 3"},
      // Metadata.
      {"MetadataTwice", header(R"({"__metadata__":{},"__metadata__":{}})"), "__metadata__ comes twice"},
      {"MetadataKeyTwice", metadata(R"({"k":"1","k":"2"})"), "metadata key \"k\" comes twice"},
      {"MetadataANumber", metadata(R"({"k":1})"), "a string is expected"},
      {"MetadataNested", metadata(R"({"k":{"l":"m"}})"), "a string is expected"},
      {"MetadataAnArray", metadata(R"(["k"])"), "'{' is expected"},
      // Numbers of things.
      {"TooManyTensors", many_tensors(65'537), "more than 65536 tensors"},
      {"TooMuchText", raw_safetensors("{\"" + std::string(33 << 20, 'n') + "\":{}}", ""),
       "more than 33554432 bytes of names and metadata"},
      {"TooManyMetadataEntries", many_metadata(65'537), "more than 65536 metadata entries"},
  };
}

class SafetensorsAttack : public testing::TestWithParam<Attack> {};

TEST_P(SafetensorsAttack, IsRefusedWithItsOwnError) {
  const TemporaryFolder folder;
  const std::string path = folder / "hostile.safetensors";
  write_bytes(path, GetParam().file);
  const std::string error = error_text([&] { SafetensorsFile::open(path); });
  EXPECT_THAT(error, HasSubstr(path + " is not a valid safetensors file: "));
  EXPECT_THAT(error, HasSubstr(GetParam().error));
  EXPECT_TRUE(std::none_of(error.begin(), error.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
      << "one line, printable";
  EXPECT_LT(error.size(), 400u);
}

INSTANTIATE_TEST_SUITE_P(All, SafetensorsAttack, testing::ValuesIn(attacks()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SafetensorsAttacks, AreManyAndNotOneTwice) {
  std::set<std::string> files, names;
  for (const Attack& attack : attacks()) {
    files.insert(attack.file);
    names.insert(attack.name);
  }
  EXPECT_GE(attacks().size(), 40u);
  EXPECT_EQ(files.size(), attacks().size());
  EXPECT_EQ(names.size(), attacks().size());
}

// The files above differ from these by one rule each; were these refused, the attacks would prove nothing.
TEST(SafetensorsAttacks, StartFromFilesThatAreRead) {
  const TemporaryFolder folder;
  const std::string path = folder / "good.safetensors";
  for (const std::string& good : {tensor_with(R"("dtype":"F32","shape":[1],"data_offsets":[0,4])"),
                                  named(R"("a..b/...")"), metadata(R"({"k":"1"})"), two_tensors("[0,4]", "[4,8]", 8),
                                  two_tensors("[4,8]", "[0,4]", 8), many_tensors(65'536), many_metadata(65'536)}) {
    write_bytes(path, good);
    EXPECT_EQ(error_text([&] { SafetensorsFile::open(path); }), "(no error)") << good.substr(0, 200);
  }
}

}  // namespace
}  // namespace cudacards
