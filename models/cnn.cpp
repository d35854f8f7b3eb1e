#include "models/builders.h"
#include "models/pixels.h"

namespace cudacards {

// The notebook's convolutional network: 12,945,269 parameters at 224 x 224 x 3 and 53 classes.
Graph cnn(const ModelSpec& spec) {
  Graph g;
  Node x = g.image(spec.height, spec.width);  // (N,H,W,3) uint8
  x = rescaled(g, x, spec.input_range);
  for (const int filters : {32, 64, 128}) {
    x = g.conv2d(x, {.filters = filters, .kernel = 3, .padding = Padding::kSame, .activation = Activation::kRelu});
    x = g.max_pool(x, {.window = 2});  // fused with the convolution by the plan, not by the model
  }
  x = g.dropout(g.flatten(x), spec.dropout);
  x = g.dense(x, 128, Activation::kRelu);
  return std::move(g).logits(g.dense(x, spec.classes));  // the softmax belongs to the loss and to predict
}

}  // namespace cudacards
