#include "host/ops/vendor/cublaslt/matmul.h"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "host/ops/vendor/gpu.h"
#include "host/runtime/error.h"

namespace cudacards::cublaslt {
namespace {

void check(const Functions& cublaslt, cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Refused(fmt::format("cuBLASLt: {}: {}", what, cublaslt.GetStatusString(status)));
}

// One for the program, as there is one GPU at work. Never destroyed: the CUDA runtime may have ended before.
cublasLtHandle_t handle() {
  static cublasLtHandle_t made = [] {
    cublasLtHandle_t result = nullptr;
    check(library().functions, library().functions.Create(&result), "cuBLASLt on this GPU");
    return result;
  }();
  return made;
}

bool has_bias(cublasLtEpilogue_t epilogue) {
  return (epilogue & (CUBLASLT_EPILOGUE_BIAS | CUBLASLT_EPILOGUE_BGRADB)) != 0;
}

/// What the heuristics are told besides the product.
class Preference {
 public:
  Preference(const Functions& cublaslt, std::size_t workspace_limit) : cublaslt_(cublaslt) {
    check(cublaslt, cublaslt.MatmulPreferenceCreate(&preference_), "making a preference");
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, std::uint64_t{workspace_limit});
    // Parameters lie side by side in one buffer.
    constexpr std::uint32_t kAlignment = 16;
    for (const auto name : {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
                            CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES})
      set(name, kAlignment);
  }
  ~Preference() { (void)cublaslt_.MatmulPreferenceDestroy(preference_); }
  Preference(const Preference&) = delete;
  Preference& operator=(const Preference&) = delete;
  cublasLtMatmulPreference_t get() const { return preference_; }

 private:
  template <class T>
  void set(cublasLtMatmulPreferenceAttributes_t name, const T& value) {
    check(cublaslt_, cublaslt_.MatmulPreferenceSetAttribute(preference_, name, &value, sizeof value), "a preference");
  }
  const Functions& cublaslt_;
  cublasLtMatmulPreference_t preference_ = nullptr;
};

template <class T>
T configuration(const Functions& cublaslt, const cublasLtMatmulAlgo_t& algorithm,
                cublasLtMatmulAlgoConfigAttributes_t name) {
  T value{};
  std::size_t written = 0;
  check(cublaslt, cublaslt.MatmulAlgoConfigGetAttribute(&algorithm, name, &value, sizeof value, &written),
        "asking an algorithm");
  return value;
}

}  // namespace

void require_gpu(const Problem& problem) { vendor::require_gpu(problem, "cuBLASLt", library().missing, "algorithms"); }

template <class T>
void Descriptors::set(cublasLtMatmulDescAttributes_t name, const T& value) const {
  check(cublaslt_, cublaslt_.MatmulDescSetAttribute(operation_.get(), name, &value, sizeof value),
        "describing a product");
}

Descriptors::Descriptors(const Functions& cublaslt, const Product& product)
    : cublaslt_(cublaslt), a_(layout(product.a)), b_(layout(product.b)), d_(layout(product.d)) {
  cublasLtMatmulDesc_t operation = nullptr;
  check(cublaslt, cublaslt.MatmulDescCreate(&operation, product.compute, CUDA_R_32F), "describing a product");
  operation_ = Operation(operation, {&cublaslt});
  set(CUBLASLT_MATMUL_DESC_TRANSA, std::int32_t{product.op_a});
  set(CUBLASLT_MATMUL_DESC_TRANSB, std::int32_t{product.op_b});
  set(CUBLASLT_MATMUL_DESC_EPILOGUE, std::uint32_t{product.epilogue});
}

Descriptors::Layout Descriptors::layout(const Matrix& matrix) const {
  cublasLtMatrixLayout_t layout = nullptr;
  check(cublaslt_, cublaslt_.MatrixLayoutCreate(&layout, matrix.type, matrix.rows, matrix.columns, matrix.leading),
        "describing a matrix");
  return Layout(layout, {&cublaslt_});
}

void Descriptors::set_bias(const void* bias) const { set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias); }

Matmul::Matmul(const Product& product)
    : descriptors_(library().functions, product), has_bias_(has_bias(product.epilogue)) {
  const Functions& cublaslt = library().functions;
  const AlgorithmRules rules = {.writes_fp32 = product.d.type == CUDA_R_32F};
  const Preference preference(cublaslt, rules.workspace_limit);
  constexpr int kAsked = 32;
  std::array<cublasLtMatmulHeuristicResult_t, kAsked> results{};
  int count = 0;
  // C is not read (beta is 0), and of d's layout.
  check(cublaslt,
        cublaslt.MatmulAlgoGetHeuristic(handle(), descriptors_.operation(), descriptors_.a(), descriptors_.b(),
                                        descriptors_.d(), descriptors_.d(), preference.get(), kAsked, results.data(),
                                        &count),
        "asking for algorithms");
  std::vector<Algorithm> algorithms;
  std::vector<std::size_t> valid;  // results that are algorithms
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    if (results[i].state != CUBLAS_STATUS_SUCCESS) continue;
    const cublasLtMatmulAlgo_t& algorithm = results[i].algo;
    algorithms.push_back(
        {.reduction = configuration<std::uint32_t>(cublaslt, algorithm, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME),
         .splits = configuration<std::int32_t>(cublaslt, algorithm, CUBLASLT_ALGO_CONFIG_SPLITK_NUM),
         .workspace = results[i].workspaceSize});
    valid.push_back(i);
  }
  const AlgorithmChoice choice = choose_algorithm(algorithms, rules);
  if (!choice.chosen) throw Refused("cuBLASLt: " + choice.reason);
  algorithm_ = results[valid[*choice.chosen]].algo;
  workspace_ = algorithms[*choice.chosen].workspace;
}

void Matmul::run(const void* a, const void* b, void* d, const void* bias, void* workspace, Stream stream) const {
  const Functions& cublaslt = library().functions;
  constexpr float kAlpha = 1, kBeta = 0;
  try {
    if (has_bias_) descriptors_.set_bias(bias);
    check(cublaslt,
          cublaslt.Matmul(handle(), descriptors_.operation(), &kAlpha, a, descriptors_.a(), b, descriptors_.b(), &kBeta,
                          d, descriptors_.d(), d, descriptors_.d(), &algorithm_,
                          workspace_ == 0 ? nullptr : vendor::workspace_in(workspace), workspace_, stream),
          "a product");
  } catch (const Refused& refused) {
    throw Error(refused.what());
  }
}

}  // namespace cudacards::cublaslt
