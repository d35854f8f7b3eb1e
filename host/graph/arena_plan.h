#pragma once
// Where every tensor of a plan lives: blocks with lifetimes, packed into one arena.

#include <cstddef>
#include <vector>

namespace cudacards {

/// A piece of memory that is needed from step `first` to step `last`, both included.
struct MemoryBlock {
  std::size_t bytes = 0;
  int first = 0, last = 0;
  std::size_t offset = 0;  // the answer
};

/// Gives each block an offset (a multiple of kAlignment) so that blocks alive at the same step never overlap; returns
/// the arena's size. Greedy by size (Pisarchyk and Lee, "Efficient memory management for deep neural net inference",
/// 2020): the largest first, each at the lowest offset that is free for its whole life. Empty blocks get offset 0.
std::size_t place_blocks(std::vector<MemoryBlock>& blocks);

}  // namespace cudacards
