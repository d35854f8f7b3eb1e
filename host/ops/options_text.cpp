// Every operation's options in words.

#include <fmt/format.h>

#include "host/ops/folded_conv2d.h"
#include "host/ops/ops.h"

namespace cudacards {
namespace {

std::string text_of(const Pool2dOptions& o) {
  return fmt::format("{}x{} step {}x{}", o.window.h, o.window.w, o.step().h, o.step().w);
}

}  // namespace

std::string Rescale::options_text() const { return fmt::format("times {} plus {}", scale, offset); }

std::string Conv2d::options_text() const {
  return fmt::format("{} of {}x{} step {}x{} {} groups {}{} {}{}", options.filters, options.kernel.h, options.kernel.w,
                     options.stride.h, options.stride.w, options.padding == Padding::kSame ? "same" : "valid",
                     options.groups, options.bias ? "" : " no bias", name_of(options.activation),
                     pool ? " pool " + text_of(*pool) : "");
}

std::string FoldedConv2d::options_text() const {
  return fmt::format("{} folded from {} and a batch norm, epsilon {}", whole.options_text(),
                     conv.options.bias ? "a bias" : "no bias", epsilon);
}

std::string MaxPool2d::options_text() const { return text_of(options); }

std::string Dense::options_text() const {
  return fmt::format("{} {}{}", units, name_of(activation), bias ? "" : " no bias");
}

std::string ActivationLayer::options_text() const { return name_of(activation); }
std::string Dropout::options_text() const { return fmt::format("{}", rate); }

std::string BatchNorm::options_text() const {
  return fmt::format("{} momentum {} epsilon {}", name_of(activation), momentum, epsilon);
}

}  // namespace cudacards
