#pragma once
// Somebody else's tensors as the parameters of one of our models: recognised by their names, checked one by one, laid
// out as ours.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/graph/graph.h"
#include "host/graph/parameters.h"
#include "weights/name_map.h"
#include "weights/tensor_source.h"

namespace cudacards {

/// In whose names a file is written, and what stands in front of every one of them ("module.", "mobilenetv2/").
struct Naming {
  const NameFamily* family = nullptr;
  std::string prefix;

  /// The file's tensor for our parameter, or null.
  const SourceTensor* find(const TensorSource& source, const std::string& parameter) const;
};

/// Decided by the first convolution's name. Throws Error that lists the families and the file's first names when none
/// fits.
Naming recognise_names(const TensorSource& source, const std::vector<NameFamily>& families);

/// The shape in which a family stores a parameter of ours.
std::vector<std::int64_t> foreign_shape(const ParameterSpec& spec, const std::string& parameter, WeightLayout layout);

struct ImportReport {
  std::string family;
  std::size_t taken = 0;           // tensors of the file that are now parameters
  std::vector<std::string> extra;  // tensors of the file that the model has no place for
  bool folded = false;             // the file's batch norms are folded into its convolutions
  std::vector<std::string> notes;  // what a person should know, a line each
};

/// Which of the model's parameters a file must have; the others keep their values.
using Wanted = std::function<bool(const Parameter&)>;

/// Fills `parameters`, made from `graph`. What the file says of itself (metadata batch_norm.epsilon, input.mean,
/// input.deviation, padding) goes before what is usual in the family. Batch norms that are folded into the file's
/// convolutions (which then have a bias) become the identity: mean 0, variance 1, beta the bias. The difference between
/// their epsilon and the graph's goes into gamma, that between their input and [-1,1] into the first convolution and
/// batch norm, so that outputs stay what they were. Throws one Error that lists what is missing, transposed or of
/// another shape, and one that names the first value that is not finite; nothing is written then.
ImportReport import_tensors(const TensorSource& source, const Naming& naming, const Graph& graph,
                            Parameters& parameters, const Wanted& wanted);

}  // namespace cudacards
