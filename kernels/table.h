#pragma once
// Every launcher of one kernel library, as values. The same .cu files are compiled twice, for GPUs and for the
// emulator, under the same names: a program that holds both tells them apart by asking the one or the other for its
// table.
//
// Default arguments are lost on the way: a call through the table names its tuning or choice.

#include "kernels/augment/augment.h"
#include "kernels/augment/rescale.h"
#include "kernels/batch_norm/batch_norm.h"
#include "kernels/cast/cast.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/direct.h"
#include "kernels/conv2d/plain.h"
#include "kernels/conv_pool/conv_pool.h"
#include "kernels/dense/dense.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/dropout/dropout.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/metrics/metrics.h"
#include "kernels/optimizer/optimizer.h"
#include "kernels/pool/pool.h"
#include "kernels/softmax/softmax.h"
#include "kernels/softmax_loss/softmax_loss.h"

namespace cudacards {

// A line for each function that a library defines. What says yes or no or counts bytes is here too where it is compiled
// with the kernels: it runs on the host and needs no device.
#define CUDACARDS_KERNELS(X)              \
  X(rescale_supports)                     \
  X(rescale)                              \
  X(augment_supports)                     \
  X(augment)                              \
  X(cast_supports)                        \
  X(cast)                                 \
  X(fill_supports)                        \
  X(fill)                                 \
  X(conv2d_is_valid)                      \
  X(conv2d_forward_supports)              \
  X(conv2d_forward)                       \
  X(conv2d_backward_data_supports)        \
  X(conv2d_backward_data)                 \
  X(conv2d_backward_weights_supports)     \
  X(conv2d_backward_weights_workspace)    \
  X(conv2d_backward_weights)              \
  X(conv2d_direct_supports)               \
  X(conv2d_direct)                        \
  X(conv2d_plain_supports)                \
  X(conv2d_plain_forward)                 \
  X(conv2d_plain_backward_data)           \
  X(conv2d_plain_backward_weights)        \
  X(conv_pool_supports)                   \
  X(conv_pool_forward_path)               \
  X(conv_pool_forward)                    \
  X(conv_pool_backward_data_supports)     \
  X(conv_pool_backward_data_path)         \
  X(conv_pool_backward_data)              \
  X(conv_pool_backward_weights_supports)  \
  X(conv_pool_backward_weights_path)      \
  X(conv_pool_workspace_bytes)            \
  X(conv_pool_backward_weights)           \
  X(depthwise_supports)                   \
  X(depthwise_forward)                    \
  X(depthwise_backward_data)              \
  X(depthwise_backward_weights_workspace) \
  X(depthwise_backward_weights)           \
  X(dense_supports)                       \
  X(dense_forward_supports)               \
  X(dense_forward_workspace_bytes)        \
  X(dense_forward)                        \
  X(dense_dgrad)                          \
  X(dense_wgrad_workspace_bytes)          \
  X(dense_wgrad)                          \
  X(dense_wgrad_adam)                     \
  X(max_pool_supports)                    \
  X(max_pool_forward)                     \
  X(max_pool_backward)                    \
  X(average_pool_supports)                \
  X(average_pool_forward)                 \
  X(average_pool_backward)                \
  X(global_average_pool_supports)         \
  X(global_average_pool_forward)          \
  X(global_average_pool_backward)         \
  X(elementwise_supports)                 \
  X(activation_forward)                   \
  X(activation_backward)                  \
  X(add)                                  \
  X(add_backward)                         \
  X(dropout_supports)                     \
  X(dropout)                              \
  X(softmax_supports)                     \
  X(softmax)                              \
  X(softmax_backward)                     \
  X(batch_norm_supports)                  \
  X(batch_norm_workspace)                 \
  X(batch_norm_training)                  \
  X(batch_norm_inference)                 \
  X(batch_norm_backward)                  \
  X(batch_norm_average)                   \
  X(fold_batch_norm_supports)             \
  X(fold_batch_norm)                      \
  X(softmax_loss_supports)                \
  X(softmax_loss)                         \
  X(accumulate_metrics_supports)          \
  X(accumulate_metrics)                   \
  X(optimizer_supports)                   \
  X(optimizer_update)                     \
  X(check_gradients)

#define CUDACARDS_MEMBER(name) decltype(&cudacards::name) name;
struct KernelTable {
  CUDACARDS_KERNELS(CUDACARDS_MEMBER)
};
#undef CUDACARDS_MEMBER

/// The table of the kernels that were compiled for GPUs; only where CUDACARDS_HAS_CUDA is defined. The emulator's comes
/// with its machine (kernels/simt/emulator/exported.h).
const KernelTable& cuda_kernels();

}  // namespace cudacards
