#pragma once
// Starts a matrix product: which core, tile and kind of access; the second kernel where k is split. For .cu files.

#include <cstdint>
#include <type_traits>

#include "kernels/base/stream.h"
#include "kernels/matmul/cuda_cores.cuh"
#include "kernels/matmul/kernel.cuh"
#include "kernels/matmul/reduce.cuh"
#include "kernels/matmul/tensor_cores.cuh"
#include "kernels/simt/launch.h"

namespace cudacards {

/// A core's factors that are fp32 in memory and rounded to tf32 on their way to the tensor cores.
struct Tf32 {};
template <class Factor>
using StoredOf = std::conditional_t<std::is_same_v<Factor, Tf32>, float, Factor>;

/// The core of each tile. bf16 and tf32: 4 stages of 16, 20, 20 KB; fp32: 3 of 16 KB, 4 of 10, 10 KB. Not measured.
template <class Factor, TileShape kShape, class D>
struct CoreOf;
template <class D>
struct CoreOf<__nv_bfloat16, TileShape::kLarge, D> {
  using type = TensorCores<__nv_bfloat16, 128, 128, 32, 2, 4, 4, D>;
};
template <class D>
struct CoreOf<__nv_bfloat16, TileShape::kFlat, D> {
  using type = TensorCores<__nv_bfloat16, 32, 128, 64, 1, 4, 4, D>;
};
template <class D>
struct CoreOf<__nv_bfloat16, TileShape::kNarrow, D> {
  using type = TensorCores<__nv_bfloat16, 128, 32, 64, 4, 1, 4, D>;
};
template <class D>
struct CoreOf<Tf32, TileShape::kLarge, D> {
  using type = TensorCores<float, 128, 128, 16, 2, 4, 4, D>;
};
template <class D>
struct CoreOf<Tf32, TileShape::kFlat, D> {
  using type = TensorCores<float, 32, 128, 32, 1, 4, 4, D>;
};
template <class D>
struct CoreOf<Tf32, TileShape::kNarrow, D> {
  using type = TensorCores<float, 128, 32, 32, 4, 1, 4, D>;
};
template <class D>
struct CoreOf<float, TileShape::kLarge, D> {
  using type = CudaCores<128, 128, 16, 16, 3, D>;
};
template <class D>
struct CoreOf<float, TileShape::kFlat, D> {
  using type = CudaCores<32, 128, 8, 32, 4, D>;
};
template <class D>
struct CoreOf<float, TileShape::kNarrow, D> {
  using type = CudaCores<128, 32, 32, 8, 4, D>;
};

template <class Core, Access kAccess, class Epilogue>
Status launch_tiles(const MatmulOperands<typename Core::Element>& p, int slices, const Epilogue& epilogue,
                    Stream stream) {
  const std::int64_t tiles =
      ((std::int64_t{p.size.m} + Core::kM - 1) / Core::kM) * ((std::int64_t{p.size.n} + Core::kN - 1) / Core::kN);
  const std::size_t results = p.a_results != nullptr ? sizeof(typename Core::ATile) : 0;
  return launch(matmul_kernel<Core, kAccess, Epilogue>,
                {.grid = dim3(static_cast<unsigned>(tiles), 1, static_cast<unsigned>(slices)),
                 .block = dim3(Core::kThreads),
                 .shared_bytes = Core::kStages * (sizeof(Stage<Core>) + results),
                 .stream = stream},
                p, epilogue);
}

template <class Core, Access kAccess, class D, class Epilogue>
Status launch_split(MatmulOperands<typename Core::Element> p, int wanted, const Epilogue& epilogue, float* workspace,
                    Stream stream) {
  if constexpr (D::kSplit == SplitK::kYes) {
    const Slices slices = slices_of(p.size.k, wanted);
    if (slices.count > 1) {
      p.slice_length = slices.length;
      const PartialLayout layout = partial_layout(p.size);
      const PartialEpilogue<D::kSums> partial{workspace, layout};
      if (Status status = launch_tiles<Core, kAccess>(p, slices.count, partial, stream); !status) return status;
      const std::int64_t blocks = slice_blocks(reduce_items<Epilogue>(layout), slices.count);
      return launch(reduce_kernel<Epilogue>,
                    {.grid = dim3(static_cast<unsigned>(blocks)),
                     .block = dim3(kSliceBlock),
                     .shared_bytes = 0,
                     .stream = stream},
                    p.size, layout, slices.count, workspace, epilogue);
    }
  }
  p.slice_length = p.size.k;
  return launch_tiles<Core, kAccess>(p, 1, epilogue, stream);
}

/// Sizes that are no multiples of a vector take the flat tile, element by element.
template <class Factor, class D, class Epilogue>
Status launch_matmul(const MatmulOperands<StoredOf<Factor>>& p, const MatmulPlan& plan, const Epilogue& epilogue,
                     float* workspace, Stream stream) {
  constexpr std::int64_t kElements = 16 / sizeof(StoredOf<Factor>);
  using Flat = typename CoreOf<Factor, TileShape::kFlat, D>::type;
  if (p.a_stride % kElements != 0 || p.b_stride % kElements != 0)
    return launch_split<Flat, Access::kElement, D>(p, plan.slices, epilogue, workspace, stream);
  switch (plan.shape) {
    case TileShape::kFlat:
      return launch_split<Flat, Access::kVector, D>(p, plan.slices, epilogue, workspace, stream);
    case TileShape::kLarge:
      return launch_split<typename CoreOf<Factor, TileShape::kLarge, D>::type, Access::kVector, D>(
          p, plan.slices, epilogue, workspace, stream);
    case TileShape::kNarrow:
      return launch_split<typename CoreOf<Factor, TileShape::kNarrow, D>::type, Access::kVector, D>(
          p, plan.slices, epilogue, workspace, stream);
  }
  return Status::failed("matmul: no such tile");
}

}  // namespace cudacards
