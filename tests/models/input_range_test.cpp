// What pixels become is the model's description, so that no caller can feed it wrong.

#include <gtest/gtest.h>

#include "host/ops/ops.h"
#include "models/registry.h"

namespace cudacards {
namespace {

const Rescale& rescaling_of(const Graph& graph) {
  return dynamic_cast<const Rescale&>(*graph.layers().at(1).operation);
}

class InputRangeOf : public testing::TestWithParam<const char*> {};

TEST_P(InputRangeOf, IsTheNotebooksUnlessAskedFor) {
  const Graph graph = build_model(GetParam(), {});
  EXPECT_EQ(rescaling_of(graph).scale, 1.0f / 255);
  EXPECT_EQ(rescaling_of(graph).offset, 0.0f);
}

TEST_P(InputRangeOf, CanBeCentred) {
  const Graph graph = build_model(GetParam(), {.input_range = InputRange::kCentred});
  EXPECT_EQ(rescaling_of(graph).offset, -1.0f);
  EXPECT_FLOAT_EQ(255 * rescaling_of(graph).scale, 2.0f);
  EXPECT_EQ(graph.parameter_count(), build_model(GetParam(), {}).parameter_count());
}

INSTANTIATE_TEST_SUITE_P(Models, InputRangeOf, testing::Values("cnn", "mlp"));

}  // namespace
}  // namespace cudacards
