// cudacards weights import|inspect|verify|list|fetch: pre-trained weights, from others' files to our own.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>

#include "host/cli/commands.h"
#include "host/cli/options.h"
#include "host/cli/output_file.h"
#include "host/cli/picture_paths.h"
#include "host/cli/stop.h"
#include "host/data/files.h"
#include "host/report/progress.h"
#include "host/report/table.h"
#include "host/runtime/error.h"
#include "host/runtime/log.h"
#include "host/runtime/memory.h"
#include "host/runtime/threads.h"
#include "host/train/import_weights.h"
#include "host/train/verify_weights.h"
#include "weights/fetch.h"
#include "weights/manifest.h"

namespace cudacards::cli {
namespace {

namespace fs = std::filesystem;

std::string shape_text(const SourceTensor& tensor) { return fmt::format("({})", fmt::join(tensor.shape, ", ")); }

// ---- import

struct ImportCommand {
  ImportOptions options;
  std::string labels;
  std::vector<std::string> calibrate;
  int threads = 0;
};

void note_report(const ImportCommand& command, const ImportResult& result) {
  const ImportReport& report = result.report;
  log_note(fmt::format("{} tensors in {} names: mobilenetv2, width {}, {}", report.taken, report.family,
                       result.info.width,
                       result.info.classes.empty() ? std::string("features only")
                                                   : fmt::format("{} classes", result.info.classes.size())));
  for (const std::string& note : report.notes) log_note(note);
  if (!report.extra.empty())
    log_note(fmt::format("left out, because the model has no place for them: {}", fmt::join(report.extra, ", ")));
  if (!report.folded) return;
  if (command.options.calibrate.empty()) {
    log_note(
        "batch norm is folded into the convolutions: mean 0 and variance 1 are assumed, which is right as long as "
        "batch norm keeps its running statistics; --calibrate PICTURES measures them");
  } else {
    log_note(fmt::format("batch norm was folded into the convolutions: its statistics are those of {} pictures",
                         command.options.calibrate.size()));
  }
}

int run_import(ImportCommand command) {
  check_output(command.options.out);
  set_threads(command.threads);
  if (!command.labels.empty()) command.options.labels = read_labels(command.labels);
  if (!command.calibrate.empty()) {
    for (const PicturePath& picture : expand(command.calibrate)) command.options.calibrate.push_back(picture.path);
  }
  Progress progress(/*quiet=*/false);
  const std::atomic<int>& stop_signal = stop_on_signals();
  const ImportResult result = import_weights(command.options, counting("measuring statistics", progress, &stop_signal));
  note_report(command, result);
  fmt::print("{}\n", command.options.out);
  return 0;
}

// ---- inspect

struct Range {
  float least = std::numeric_limits<float>::infinity(), greatest = -std::numeric_limits<float>::infinity();
  std::size_t not_finite = 0;
};

/// In pieces: a tensor may be larger than what should be in memory at once.
Range range_of(const TensorSource& source, std::size_t index) {
  constexpr std::size_t kPiece = 65'536;
  Range range;
  std::vector<float> values;
  const std::size_t elements = source.tensors()[index].elements;
  for (std::size_t first = 0; first < elements; first += kPiece) {
    values.resize(std::min(kPiece, elements - first));
    source.read(index, first, values);
    for (const float value : values) {
      if (!std::isfinite(value)) ++range.not_finite;
      range.least = std::min(range.least, value);
      range.greatest = std::max(range.greatest, value);
    }
  }
  return range;
}

std::string range_text(const TensorSource& source, std::size_t index) {
  const SourceTensor& tensor = source.tensors()[index];
  if (!tensor.is_float || tensor.elements == 0) return "";
  const Range range = range_of(source, index);
  if (range.not_finite > 0) return fmt::format("{} not finite", range.not_finite);
  return fmt::format("{:.4g} to {:.4g}", range.least, range.greatest);
}

int run_inspect(const std::string& path) {
  const auto source = open_tensor_source(path);
  Table table({{"Tensor"}, {"Shape"}, {"Type"}, {"Values"}});
  std::size_t elements = 0;
  for (std::size_t i = 0; i < source->tensors().size(); ++i) {
    const SourceTensor& tensor = source->tensors()[i];
    elements += tensor.elements;
    table.add({printable(tensor.name), shape_text(tensor), tensor.type, range_text(*source, i)});
  }
  fmt::print("{}", table.to_string());
  for (const auto& [key, value] : source->metadata()) {
    if (value.size() <= 100 && value.find('\n') == std::string::npos)
      fmt::print("{}: {}\n", printable(key), printable(value));
  }
  fmt::print("{}: {} tensors, {} values\n", source->format(), source->tensors().size(), elements);
  return 0;
}

// ---- verify

int run_verify(const std::vector<std::string>& paths, const std::string& manifest) {
  const auto entries = manifest.empty() ? builtin_manifest() : read_manifest(manifest);
  int exit_code = 0;
  for (const std::string& path : paths) {
    try {
      fmt::print("{}: {}\n", path, verify_weights(path, entries));
    } catch (const Error& error) {
      log_warning(error.what());
      exit_code = 1;
    }
  }
  return exit_code;
}

// ---- list and fetch

struct Catalogue {
  std::string manifest, folder = ".";
  std::vector<std::string> names;
  std::vector<ManifestEntry> entries() const { return manifest.empty() ? builtin_manifest() : read_manifest(manifest); }
};

int run_list(const Catalogue& catalogue) {
  Table table({{"Name"}, {"Size", Align::kRight}, {"Licence"}, {"File"}});
  std::string descriptions;
  for (const ManifestEntry& entry : catalogue.entries()) {
    const bool is_here = fs::exists(fs::path(catalogue.folder) / entry.file);
    table.add({entry.name, mebibytes(entry.size), entry.licence, is_here ? "here" : "not fetched"});
    descriptions += fmt::format("{}: {}\n  {}\n  SHA-256 {}\n", entry.name, entry.description, entry.url, entry.sha256);
  }
  fmt::print("{}{}", table.to_string(), descriptions);
  return 0;
}

int run_fetch(const Catalogue& catalogue) {
  const auto entries = catalogue.entries();
  std::vector<const ManifestEntry*> wanted;  // every name is looked up before the first download
  for (const std::string& name : catalogue.names) wanted.push_back(&find_entry(entries, name));
  for (const ManifestEntry* entry : wanted) {
    log_note(fmt::format("{}: {}, {}, licence {}", entry->name, entry->url, mebibytes(entry->size), entry->licence));
    fmt::print("{}\n", fetch_weights(*entry, catalogue.folder, nullptr));
  }
  return 0;
}

void add_import(CLI::App& weights, Action& action) {
  auto import = std::make_shared<ImportCommand>();
  CLI::App& command = *weights.add_subcommand("import", "Convert MobileNetV2 weights to a file for train --weights");
  command
      .add_option("SRC", import->options.source,
                  "A TensorFlow.js layers model (model.json, or its folder), or safetensors with the names of Keras, "
                  "torchvision, timm or TensorFlow Hub")
      ->required();
  command.add_option("--out", import->options.out, "The file to write")->type_name("F.safetensors")->required();
  command.add_option("--width", import->options.width, "Multiplier of the channels: " + widths_of_models())
      ->type_name("N")
      ->default_str("the one that fits");
  command.add_option("--image-size", import->options.image_size, "Pictures of N x N, as the weights were trained with")
      ->type_name("N")
      ->check(CLI::Range(8, 4096))
      ->capture_default_str();
  command.add_option("--labels", import->labels, "Names of the classifier's classes, one a line")
      ->type_name("FILE")
      ->default_str("class 0, class 1, ...");
  command
      .add_option("--calibrate", import->calibrate,
                  "Pictures, or folders of pictures, that give statistics to batch norms that are folded in SRC")
      ->type_name("PATH")
      ->expected(1)
      ->take_all()
      ->default_str("none: mean 0, variance 1");
  add_threads(command, import->threads);
  command.footer("For PyTorch's .pth, Keras' .h5, SavedModel and TFLite run weights/convert.py first.");
  command.callback([import, &action] { action = [import] { return run_import(*import); }; });
}

void add_inspect(CLI::App& weights, Action& action) {
  auto path = std::make_shared<std::string>();
  CLI::App& command = *weights.add_subcommand("inspect", "List a file's tensors: names, shapes, types, values");
  command.add_option("FILE", *path, "safetensors, or a TensorFlow.js layers model")->required();
  command.callback([path, &action] { action = [path] { return run_inspect(*path); }; });
}

void add_manifest(CLI::App& command, std::string& manifest) {
  command.add_option("--manifest", manifest, "Another list of the same form as weights/MANIFEST")
      ->type_name("FILE")
      ->default_str("the built-in one");
}

void add_verify(CLI::App& weights, Action& action) {
  struct VerifyCommand {
    std::vector<std::string> paths;
    std::string manifest;
  };
  auto verify = std::make_shared<VerifyCommand>();
  CLI::App& command = *weights.add_subcommand("verify", "Check files: against the list, and tensor by tensor");
  command.add_option("FILE", verify->paths, "Fetched, imported or foreign weights")->required();
  add_manifest(command, verify->manifest);
  command.callback([verify, &action] { action = [verify] { return run_verify(verify->paths, verify->manifest); }; });
}

void add_list(CLI::App& weights, Action& action) {
  auto catalogue = std::make_shared<Catalogue>();
  CLI::App& command = *weights.add_subcommand("list", "Show what can be fetched");
  add_manifest(command, catalogue->manifest);
  command.add_option("--dir", catalogue->folder, "Where fetched files are")->type_name("DIR")->capture_default_str();
  command.callback([catalogue, &action] { action = [catalogue] { return run_list(*catalogue); }; });
}

void add_fetch(CLI::App& weights, Action& action) {
  auto catalogue = std::make_shared<Catalogue>();
  CLI::App& command = *weights.add_subcommand(
      "fetch", "Download weights, the only command that uses the network; goes on where it stopped");
  command.add_option("NAME", catalogue->names, "As `cudacards weights list` shows them")->required();
  add_manifest(command, catalogue->manifest);
  command.add_option("--dir", catalogue->folder, "Where to put them")->type_name("DIR")->capture_default_str();
  command.callback([catalogue, &action] { action = [catalogue] { return run_fetch(*catalogue); }; });
}

}  // namespace

void add_weights(CLI::App& app, Action& action) {
  CLI::App& weights = *app.add_subcommand("weights", "Import, inspect and fetch pre-trained weights");
  weights.require_subcommand(1);
  add_import(weights, action);
  add_inspect(weights, action);
  add_verify(weights, action);
  add_list(weights, action);
  add_fetch(weights, action);
}

}  // namespace cudacards::cli
