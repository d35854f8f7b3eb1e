#include "host/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cudacards {

float rate_at(const RunConfig& config, std::uint64_t step, std::int64_t steps_per_epoch) {
  const double warmup = static_cast<double>(config.warmup_epochs) * static_cast<double>(steps_per_epoch);
  const auto now = static_cast<double>(step);
  if (now < warmup) return static_cast<float>(config.rate * std::min(1.0, (now + 1) / warmup));
  if (config.schedule == ScheduleKind::kConstant) return config.rate;
  const double total = static_cast<double>(config.epochs) * static_cast<double>(steps_per_epoch);
  const double progress = std::clamp((now - warmup) / std::max(1.0, total - warmup), 0.0, 1.0);
  const double low = config.final_rate;
  return static_cast<float>(config.rate * (low + (1 - low) * 0.5 * (1 + std::cos(std::numbers::pi * progress))));
}

}  // namespace cudacards
