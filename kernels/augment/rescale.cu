// dst[n] = pictures[indices[n]] * scale + offset
//
//   pictures (D,H,W,3) uint8, dst (N,H,W,3) fp32 or bf16; pieces as in piece.cuh
//   thread t, three times:  | 4 bytes at 4 t |  ->  | 16 bytes (bf16: 8) at the same four values |
//
// Moves 1 + 4 (1 + 2) bytes a value, each once: the floor. Two operations a value.

#include <string>

#include "kernels/augment/piece.cuh"
#include "kernels/augment/rescale.h"
#include "kernels/base/arrays.h"

namespace cudacards {
namespace {

template <class T, int kVector>
__global__ void __launch_bounds__(kPieceThreads) rescale_kernel(PictureBatchProblem p, RescaleArgs a) {
  const int n = static_cast<int>(blockIdx.y);
  rescale_piece<kVector>(picture_of_batch(a.pictures, a.indices, n, p), static_cast<int>(blockIdx.x) * kPieceValues, p,
                         static_cast<T*>(a.dst) + n * p.picture_values());
}

template <class T>
Status start(const PictureBatchProblem& p, const RescaleArgs& args, Stream stream) {
  return width_of(p.picture_values()) == Width::kFour
             ? launch(rescale_kernel<T, 4>, grid_of_pieces(p, stream), p, args)
             : launch(rescale_kernel<T, 1>, grid_of_pieces(p, stream), p, args);
}

}  // namespace

Verdict rescale_supports(const PictureBatchProblem& problem, DType type) {
  if (type != DType::kF32 && type != DType::kBf16)
    return Verdict::no(std::string("pictures are rescaled to fp32 or bf16, not to ") + name_of(type));
  if (problem.n < 0 || problem.h < 1 || problem.w < 1) return Verdict::no("pictures need a height and a width");
  if (problem.n > 65535) return Verdict::no("more than 65535 pictures in a batch");
  if (problem.picture_pixels() > (1 << 29)) return Verdict::no("a picture of more than 2^29 pixels");
  return Verdict::yes();
}

Status rescale(const PictureBatchProblem& problem, DType type, const RescaleArgs& args, Stream stream) {
  if (const Verdict verdict = rescale_supports(problem, type); !verdict)
    return Status::failed("rescale: " + verdict.reason());
  if (problem.n == 0) return Status::ok();
  if (Status status =
          check_arrays("rescale", {{"pictures", args.pictures}, {"dst", args.dst}}, {{"indices", args.indices, 4}});
      !status)
    return status;
  return type == DType::kF32 ? start<float>(problem, args, stream) : start<__nv_bfloat16>(problem, args, stream);
}

}  // namespace cudacards
