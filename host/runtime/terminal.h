#pragma once
// Standard error as a person sees it: a status line that is redrawn in place on a terminal, whole lines everywhere.

#include <cstdint>
#include <string>
#include <string_view>

namespace cudacards {

enum class Colour : std::uint8_t { kGreen, kYellow, kRed };

/// `text` in a colour where standard error is a terminal and NO_COLOR is not set; as it is elsewhere.
std::string coloured(std::string_view text, Colour colour);

/// Whether standard error is a terminal on which a line can be redrawn (TERM is not "dumb").
bool can_redraw();

/// Puts `line` (ASCII) in place of the status line before, cut to the terminal's width, which is asked for each time.
/// Does nothing where nothing can be redrawn.
void draw_status(std::string_view line);
void clear_status();

/// A whole line, where the status line was. From any thread.
void print_line(std::string_view line);

}  // namespace cudacards
