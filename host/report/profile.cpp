#include "host/report/profile.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/report/table.h"

namespace cudacards {
namespace {

bool takes_diff_src(const PlanNode& node) {
  return node.runs_backward && std::ranges::any_of(node.problem.diff_src_wanted, std::identity());
}

const char* mode_of(const Profile& profile) { return profile.mode == Mode::kTrain ? "training" : "inference"; }

std::string heading(const Profile& p) {
  const std::string threads = p.kind == DeviceKind::kCpu ? fmt::format(", {} threads", p.threads) : "";
  return fmt::format("{} {}, batch {}, {} x {}, {}, {}{}; {} steps\n", p.arch, mode_of(p), p.batch, p.image_size,
                     p.image_size, name_of(p.precision), p.device, threads, p.steps);
}

std::string table_of_times(const Profile& profile) {
  Table table({{"Part"},
               {"Implementation"},
               {"Forward ms", Align::kRight},
               {"Backward ms", Align::kRight},
               {"GFLOP/s", Align::kRight},
               {"GB/s", Align::kRight},
               {"Share", Align::kRight}});
  const double sum = profile.sum_of_parts();
  for (const ProfileRow& row : profile.rows) {
    table.add({row.name, row.implementation.empty() ? "-" : row.implementation, milliseconds_text(row.forward_seconds),
               milliseconds_text(row.backward_seconds), rate_text(row.flops, row.seconds()),
               rate_text(row.bytes, row.seconds()), fmt::format("{:.1f} %", sum > 0 ? 100 * row.seconds() / sum : 0)});
  }
  return table.to_string() + fmt::format("Sum of the parts:     {:.3f} ms\n", sum * 1e3) +
         fmt::format("Step, parts timed:    {:.3f} ms\n", profile.watched_seconds * 1e3) +
         fmt::format("Step, as it runs:     {:.3f} ms, {:.1f} pictures/s\n", profile.step_seconds * 1e3,
                     profile.batch / profile.step_seconds);
}

std::string table_of_counts(const Profile& profile) {
  Table table({{"Part"},
               {"Implementation"},
               {"Launches", Align::kRight},
               {"Accesses", Align::kRight},
               {"Sectors", Align::kRight},
               {"of needed", Align::kRight},
               {"Wavefronts", Align::kRight},
               {"of needed", Align::kRight}});
  const auto ratio = [](std::uint64_t made, std::uint64_t needed) {
    return needed == 0 ? "-" : fmt::format("{:.2f}", static_cast<double>(made) / static_cast<double>(needed));
  };
  for (const ProfileRow& row : profile.rows) {
    const WorkCounts& c = row.counts;
    table.add({row.name, row.implementation.empty() ? "-" : row.implementation, fmt::format("{}", c.launches),
               fmt::format("{}", c.accesses), fmt::format("{}", c.sectors), ratio(c.sectors, c.sectors_needed),
               fmt::format("{}", c.wavefronts), ratio(c.wavefronts, c.wavefronts_needed)});
  }
  return table.to_string() +
         "The emulator counts what the kernels do in a step; how long it takes says nothing about any GPU.\n";
}

}  // namespace

std::string milliseconds_text(double seconds) { return seconds > 0 ? fmt::format("{:.3f}", seconds * 1e3) : "-"; }

std::string rate_text(double amount, double seconds) {
  return amount > 0 && seconds > 0 ? fmt::format("{:.1f}", amount / seconds / 1e9) : "-";
}

double Profile::sum_of_parts() const {
  return std::accumulate(rows.begin(), rows.end(), 0.0,
                         [](double sum, const ProfileRow& row) { return sum + row.seconds(); });
}

double flops_of(const PlanNode& node) {
  const bool takes_parameters = node.runs_backward && node.problem.diff_parameters_wanted;
  return node.flops * (1 + (takes_diff_src(node) ? 1 : 0) + (takes_parameters ? 1 : 0));
}

double least_bytes_of(const PlanNode& node) {
  const Problem& problem = node.problem;
  double src = 0;
  std::vector<Shape> shapes;
  for (const TensorDesc& desc : problem.src) {
    src += static_cast<double>(desc.bytes());
    shapes.push_back(desc.shape);
  }
  const auto dst = static_cast<double>(problem.dst.bytes());
  double elements = 0;
  for (const ParameterSpec& spec : node.operation->parameters(shapes))
    elements += static_cast<double>(spec.shape.elements());
  const double parameters = elements * static_cast<double>(size_of(problem.dst.type));
  double bytes = src + parameters + dst;
  if (takes_diff_src(node)) bytes += dst + parameters + src;  // diff_dst, weights, diff_src
  if (node.runs_backward && problem.diff_parameters_wanted) bytes += dst + src + 4 * elements;  // diff_dst, src, fp32
  return bytes;
}

std::string profile_table(const Profile& profile) {
  return heading(profile) + "\n" +
         (profile.kind == DeviceKind::kEmulated ? table_of_counts(profile) : table_of_times(profile));
}

std::string profile_json(const Profile& profile) {
  using nlohmann::ordered_json;
  const bool is_emulated = profile.kind == DeviceKind::kEmulated;
  ordered_json parts = ordered_json::array();
  for (const ProfileRow& row : profile.rows) {
    ordered_json part = {{"name", row.name}, {"implementation", row.implementation}};
    if (is_emulated) {
      part["launches"] = row.counts.launches;
      part["accesses"] = row.counts.accesses;
      part["sectors"] = row.counts.sectors;
      part["sectors_needed"] = row.counts.sectors_needed;
      part["wavefronts"] = row.counts.wavefronts;
      part["wavefronts_needed"] = row.counts.wavefronts_needed;
    } else {
      part["forward_seconds"] = row.forward_seconds;
      part["backward_seconds"] = row.backward_seconds;
    }
    part["flops"] = row.flops;
    part["least_bytes"] = row.bytes;
    parts.push_back(std::move(part));
  }
  ordered_json json = {{"arch", profile.arch},
                       {"mode", mode_of(profile)},
                       {"batch", profile.batch},
                       {"image_size", profile.image_size},
                       {"precision", name_of(profile.precision)},
                       {"device", profile.device},
                       {"threads", profile.threads},
                       {"steps", profile.steps},
                       {"parts", parts}};
  if (!is_emulated) {
    json["step_seconds"] = profile.step_seconds;
    json["watched_step_seconds"] = profile.watched_seconds;
  }
  return json.dump(2);
}

}  // namespace cudacards
