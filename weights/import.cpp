#include "weights/import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "host/ops/ops.h"
#include "host/runtime/error.h"
#include "host/runtime/listed.h"
#include "weights/json_string.h"
#include "weights/metadata_number.h"

namespace cudacards {
namespace {

constexpr const char* kFirstConvolution = "stem/conv";
constexpr std::string_view kFirstNorm = "stem/bn";

using Axes = std::vector<std::size_t>;  // for each axis of theirs, which of ours it is

Axes axes_of(std::size_t rank, bool depthwise, WeightLayout layout) {
  if (rank == 4 && layout == WeightLayout::kTensorflow) return depthwise ? Axes{1, 2, 0, 3} : Axes{1, 2, 3, 0};
  if (rank == 4 && layout == WeightLayout::kPytorch) return {0, 3, 1, 2};
  if (rank == 2 && layout == WeightLayout::kTensorflow) return {1, 0};
  Axes same(rank);
  std::iota(same.begin(), same.end(), std::size_t{0});
  return same;
}

Axes axes_of(const ParameterSpec& spec, const std::string& parameter, WeightLayout layout) {
  return axes_of(static_cast<std::size_t>(spec.shape.rank()), parameter.ends_with("/depthwise/weights"), layout);
}

/// Theirs, in the order of our axes.
std::vector<float> as_ours(const std::vector<float>& theirs, const std::vector<std::int64_t>& shape, const Axes& axes) {
  const std::size_t rank = shape.size();
  std::vector<std::int64_t> our_shape(rank), stride(rank, 1);  // of ours, one an axis of ours
  for (std::size_t i = 0; i < rank; ++i) our_shape[axes[i]] = shape[i];
  for (std::size_t i = rank; i-- > 1;) stride[i - 1] = stride[i] * our_shape[i];
  std::vector<float> ours(theirs.size());
  std::vector<std::int64_t> at(rank, 0);
  std::int64_t to = 0;
  for (const float value : theirs) {
    ours[static_cast<std::size_t>(to)] = value;
    for (std::size_t i = rank; i-- > 0;) {  // the next element of theirs
      to += stride[axes[i]];
      if (++at[i] < shape[i]) break;
      to -= stride[axes[i]] * shape[i];
      at[i] = 0;
    }
  }
  return ours;
}

/// A dense layer as a 1x1 convolution is the same numbers: (1,1,in,out) or (out,in,1,1) without its ones.
std::vector<std::int64_t> without_ones(const SourceTensor& tensor, const ParameterSpec& spec) {
  std::vector<std::int64_t> shape = tensor.shape;
  if (spec.shape.rank() == 2 && shape.size() == 4) {
    if (shape[0] == 1 && shape[1] == 1) return {shape[2], shape[3]};
    if (shape[2] == 1 && shape[3] == 1) return {shape[0], shape[1]};
  }
  return shape;
}

/// One of our parameters and where its values come from.
struct Assignment {
  const Parameter* parameter = nullptr;
  const SourceTensor* tensor = nullptr;  // null: of a batch norm that is folded into `convolution`'s bias
};

std::string layer_of(const std::string& parameter) { return parameter.substr(0, parameter.rfind('/')); }
std::string leaf_of(const std::string& parameter) { return parameter.substr(parameter.rfind('/') + 1); }

/// The family with what the file says of itself (`cudacards export` does) instead of what is usual among them.
NameFamily as_stated(NameFamily family, const TensorSource& source) {
  const auto stated = [&](const char* key, bool must_be_positive, const std::function<void(float)>& use) {
    if (!source.metadata().contains(key)) return;
    const auto value = metadata_number<float>(source.metadata(), key, source.path());
    if (!std::isfinite(value) || (must_be_positive && value <= 0))
      throw Error(fmt::format("{}: the metadata {} = {} cannot be", source.path(), key, value));
    use(value);
  };
  stated("batch_norm.epsilon", true, [&](float value) { family.epsilon = value; });
  stated("input.mean", false, [&](float value) { family.mean.fill(value); });
  stated("input.deviation", true, [&](float value) { family.deviation.fill(value); });
  const auto padding = source.metadata().find("padding");
  if (padding != source.metadata().end() && padding->second == "same") family.symmetric_padding = false;
  return family;
}

class Import {
 public:
  Import(const TensorSource& source, const Naming& naming, const Graph& graph, Parameters& parameters)
      : source_(source),
        naming_(naming),
        family_(as_stated(*naming.family, source)),
        graph_(graph),
        parameters_(parameters) {
    report_.family = naming.family->name;
    report_.folded = naming_.find(source_, std::string(kFirstConvolution) + "/bias") != nullptr;
  }

  ImportReport run(const Wanted& wanted) {
    for (const Parameter& p : parameters_.list()) {
      if (wanted(p)) assign(p);
    }
    throw_if_anything_differs();
    find_extra();
    // Everything is read, and found finite, before the first value is written.
    std::map<std::string, std::vector<float>> values;
    for (const Assignment& a : assignments_) values.emplace(a.parameter->name, values_of(a));
    if (!report_.folded) adapt_epsilon(values);
    adapt_input(values);
    for (const Assignment& a : assignments_)
      std::ranges::copy(values.at(a.parameter->name), parameters_.values(*a.parameter).begin());
    parameters_.touch();
    report_.taken = used_.size();
    return std::move(report_);
  }

 private:
  const BatchNorm* norm_of(const Parameter& p) const {
    return dynamic_cast<const BatchNorm*>(graph_.layers()[static_cast<std::size_t>(p.layer)].operation.get());
  }
  /// The layer whose result a batch norm normalises.
  std::string convolution_before(const Parameter& p) const {
    const Layer& norm = graph_.layers()[static_cast<std::size_t>(p.layer)];
    return graph_.layers()[static_cast<std::size_t>(norm.inputs.front())].name;
  }

  void assign(const Parameter& p) {
    const bool from_bias = report_.folded && norm_of(p) != nullptr;
    const std::string name = from_bias ? convolution_before(p) + "/bias" : p.name;
    const SourceTensor* tensor = naming_.find(source_, name);
    if (tensor == nullptr) {
      const auto theirs = naming_.family->names_of(name);
      missing_.push_back(fmt::format("{}{}", naming_.prefix, theirs.empty() ? name : theirs.front()));
      return;
    }
    compare(p, *tensor);
    used_.insert(tensor);
    assignments_.push_back({&p, tensor});
  }

  void compare(const Parameter& p, const SourceTensor& tensor) {
    const std::vector<std::int64_t> wanted = foreign_shape(p.spec, p.name, naming_.family->layout);
    const std::vector<std::int64_t> found = without_ones(tensor, p.spec);
    if (found == wanted) return;
    const std::string text =
        fmt::format("{} ({}) instead of ({})", in_quotes(tensor.name), fmt::join(found, ", "), fmt::join(wanted, ", "));
    auto sorted_found = found, sorted_wanted = wanted;
    std::sort(sorted_found.begin(), sorted_found.end());
    std::sort(sorted_wanted.begin(), sorted_wanted.end());
    (sorted_found == sorted_wanted ? transposed_ : shapes_).push_back(text);
  }

  void throw_if_anything_differs() const {
    std::vector<std::string> parts;
    if (!missing_.empty()) parts.push_back("missing are " + listed(missing_));
    if (!transposed_.empty()) parts.push_back("transposed are " + listed(transposed_));
    if (!shapes_.empty()) parts.push_back("of another shape are " + listed(shapes_));
    if (!parts.empty()) {
      throw Error(fmt::format("{} ({} names) does not fit this model: {}", source_.path(), report_.family,
                              fmt::join(parts, "; ")));
    }
  }

  void find_extra() {
    for (const SourceTensor& tensor : source_.tensors()) {
      if (!used_.contains(&tensor)) report_.extra.push_back(tensor.name);
    }
  }

  std::vector<float> values_of(const Assignment& a) const {
    const Parameter& p = *a.parameter;
    std::vector<float> theirs = source_.read_finite(*a.tensor);
    if (leaf_of(p.name) == "variance" && !report_.folded) {
      const auto negative = std::find_if(theirs.begin(), theirs.end(), [](float v) { return v < 0; });
      if (negative != theirs.end()) {
        throw Error(fmt::format("{}: element {} of tensor {} is {}, a variance is never negative", source_.path(),
                                negative - theirs.begin(), in_quotes(a.tensor->name), *negative));
      }
    }
    if (report_.folded && norm_of(p) != nullptr) return of_folded_norm(p, std::move(theirs));
    return as_ours(theirs, without_ones(*a.tensor, p.spec), axes_of(p.spec, p.name, naming_.family->layout));
  }

  /// The identity with a shift: outputs are the folded network's.
  std::vector<float> of_folded_norm(const Parameter& p, std::vector<float> bias) const {
    const std::string leaf = leaf_of(p.name);
    if (leaf == "beta") return bias;
    const float value = leaf == "gamma" ? std::sqrt(1.0f + norm_of(p)->epsilon) : leaf == "variance" ? 1.0f : 0.0f;
    return std::vector<float>(bias.size(), value);
  }

  /// gamma / sqrt(variance + theirs) = gamma' / sqrt(variance + ours).
  void adapt_epsilon(std::map<std::string, std::vector<float>>& values) {
    for (const Assignment& a : assignments_) {
      const BatchNorm* norm = norm_of(*a.parameter);
      if (norm == nullptr || leaf_of(a.parameter->name) != "variance" || norm->epsilon == family_.epsilon) continue;
      const std::string layer = layer_of(a.parameter->name);
      const std::vector<float>& variance = values.at(a.parameter->name);
      std::vector<float>& gamma = values.at(layer + "/gamma");
      for (std::size_t i = 0; i < gamma.size(); ++i) {
        gamma[i] *= std::sqrt((variance[i] + norm->epsilon) / (variance[i] + family_.epsilon));
      }
      note_once(fmt::format("its batch norms add {} to the variance, ours {}: the difference went into gamma",
                            family_.epsilon, norm->epsilon));
    }
  }

  /// w * (pixel - m) / d = w' * (pixel / 127.5 - 1) + shift; the shift is taken off the mean behind it.
  void adapt_input(std::map<std::string, std::vector<float>>& values) {
    if (family_.symmetric_padding)
      note_once("it was trained with zeros on both sides where we pad only behind: results are close, not equal");
    if (family_.mean == NameFamily{}.mean && family_.deviation == NameFamily{}.deviation) return;
    std::vector<float>& weights = values.at(std::string(kFirstConvolution) + "/weights");  // (K,R,S,3)
    std::vector<float>& mean = values.at(std::string(kFirstNorm) + "/mean");               // (K)
    const std::size_t per_filter = weights.size() / mean.size();
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const std::size_t c = i % 3;
      mean[i / per_filter] -= weights[i] * (127.5f - family_.mean[c]) / family_.deviation[c];
      weights[i] *= 127.5f / family_.deviation[c];
    }
    note_once("it was trained on pictures normalised otherwise: that went into the first layer");
  }

  void note_once(const std::string& note) {
    if (std::find(report_.notes.begin(), report_.notes.end(), note) == report_.notes.end())
      report_.notes.push_back(note);
  }

  const TensorSource& source_;
  const Naming& naming_;
  const NameFamily family_;  // of the naming, as the file states it
  const Graph& graph_;
  Parameters& parameters_;
  ImportReport report_;
  std::vector<Assignment> assignments_;
  std::set<const SourceTensor*> used_;
  std::vector<std::string> missing_, transposed_, shapes_;
};

}  // namespace

const SourceTensor* Naming::find(const TensorSource& source, const std::string& parameter) const {
  for (const std::string& name : family->names_of(parameter)) {
    if (const SourceTensor* tensor = source.find(prefix + name)) return tensor;
  }
  return nullptr;
}

Naming recognise_names(const TensorSource& source, const std::vector<NameFamily>& families) {
  const std::string first_weights = std::string(kFirstConvolution) + "/weights";
  for (const NameFamily& family : families) {
    if (const Naming plain{&family, ""}; plain.find(source, first_weights) != nullptr) return plain;
  }
  for (const NameFamily& family : families) {
    for (const std::string& name : family.names_of(first_weights)) {
      for (const SourceTensor& tensor : source.tensors()) {
        if (tensor.name.ends_with(family.separator + name))
          return {&family, tensor.name.substr(0, tensor.name.size() - name.size())};
      }
    }
  }
  std::vector<std::string> known, first;
  for (const NameFamily& family : families) known.push_back(family.name);
  for (const SourceTensor& tensor : source.tensors()) {
    if (first.size() < 3) first.push_back(in_quotes(tensor.name));
  }
  throw Error(fmt::format("{} has no first convolution of MobileNetV2 in the names of {}; its tensors are {}",
                          source.path(), fmt::join(known, ", "),
                          first.empty() ? "none" : fmt::format("{}, ...", fmt::join(first, ", "))));
}

std::vector<std::int64_t> foreign_shape(const ParameterSpec& spec, const std::string& parameter, WeightLayout layout) {
  std::vector<std::int64_t> shape;
  for (const std::size_t ours : axes_of(spec, parameter, layout)) shape.push_back(spec.shape[static_cast<int>(ours)]);
  return shape;
}

ImportReport import_tensors(const TensorSource& source, const Naming& naming, const Graph& graph,
                            Parameters& parameters, const Wanted& wanted) {
  return Import(source, naming, graph, parameters).run(wanted);
}

}  // namespace cudacards
