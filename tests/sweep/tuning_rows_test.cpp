// Every tuning row says where its numbers come from.

#include <gtest/gtest.h>

#include <regex>
#include <string>

#include "kernels/augment/tuning.h"
#include "kernels/batch_norm/tuning.h"
#include "kernels/cast/tuning.h"
#include "kernels/conv2d/tuning.h"
#include "kernels/conv_pool/tuning.h"
#include "kernels/depthwise/tuning.h"
#include "kernels/elementwise/tuning.h"
#include "kernels/matmul/tuning.h"
#include "kernels/optimizer/tuning.h"
#include "kernels/pool/tuning.h"
#include "kernels/softmax/tuning.h"

namespace cudacards {
namespace {

bool is_evidence(const std::string& text) {
  static const std::regex measured(R"(.+, \d{4}-\d{2}-\d{2}, \d+ problems: .+)");
  return text == kNotMeasured || std::regex_match(text, measured);
}

template <class Rows>
void expect_ordered_rows(const Rows& rows, const char* table) {
  Arch last;
  for (const auto& row : rows) {
    EXPECT_LT(last, row.arch) << table << ": rows are ordered, an architecture once";
    EXPECT_TRUE(is_evidence(row.evidence)) << table << ": " << row.evidence;
    last = row.arch;
  }
}

TEST(TuningRows, AreOrderedAndHaveEvidenceOrSayThatThereIsNone) {
  expect_ordered_rows(kConv2dTileTuning, "kConv2dTileTuning");
  expect_ordered_rows(kMatmulTuning, "kMatmulTuning");
  expect_ordered_rows(kDepthwiseTuning, "kDepthwiseTuning");
  expect_ordered_rows(kPoolTuning, "kPoolTuning");
  expect_ordered_rows(kElementwiseTuning, "kElementwiseTuning");
  for (const char* evidence :
       {kConv2dSliceTuning.evidence, kConvPoolTuning.evidence, kBatchNormTuning.evidence, kCastTuning.evidence,
        kOptimizerTuning.evidence, kPieceTuning.evidence, kBlurTuning.evidence, kSoftmaxTuning.evidence})
    EXPECT_TRUE(is_evidence(evidence)) << evidence;
}

TEST(TuningRows, AreFoundByTheNewestArchitectureThatIsNotNewer) {
  struct Row {
    Arch arch;
    int x;
  };
  constexpr Row kRows[] = {{{8, 0}, 1}, {{9, 0}, 2}};
  EXPECT_EQ(row_for(kRows, {9, 0}).x, 2);
  EXPECT_EQ(row_for(kRows, {10, 3}).x, 2);
  EXPECT_EQ(row_for(kRows, {8, 9}).x, 1);
  EXPECT_EQ(row_for(kRows, {8, 0}).x, 1);
  EXPECT_EQ(row_for(kRows, {7, 5}).x, 1) << "older than all";
}

}  // namespace
}  // namespace cudacards
