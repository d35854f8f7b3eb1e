#include "models/builders.h"
#include "models/pixels.h"

namespace cudacards {

// The notebook's "Sequential": 38,575,157 parameters at 224 x 224 x 3 and 53 classes.
Graph mlp(const ModelSpec& spec) {
  Graph g;
  Node x = g.image(spec.height, spec.width);  // (N,H,W,3) uint8
  x = g.flatten(rescaled(g, x, spec.input_range));
  for (const int units : {256, 128}) {
    x = g.dropout(g.dense(x, units, Activation::kRelu), spec.dropout);
  }
  return std::move(g).logits(g.dense(x, spec.classes));
}

}  // namespace cudacards
