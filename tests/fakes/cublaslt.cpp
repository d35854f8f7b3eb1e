// The names that the program wants of cuBLASLt, as in cudnn.cpp.

#include <cstddef>

extern "C" {

std::size_t cublasLtGetVersion() { return FAKE_VERSION; }
void cublasLtGetStatusString() {}
void cublasLtCreate() {}
void cublasLtMatmulDescCreate() {}
void cublasLtMatmulDescDestroy() {}
void cublasLtMatmulDescSetAttribute() {}
void cublasLtMatrixLayoutCreate() {}
void cublasLtMatrixLayoutDestroy() {}
void cublasLtMatmulPreferenceCreate() {}
void cublasLtMatmulPreferenceDestroy() {}
void cublasLtMatmulPreferenceSetAttribute() {}
void cublasLtMatmulAlgoGetHeuristic() {}
void cublasLtMatmulAlgoConfigGetAttribute() {}
#ifndef FAKE_INCOMPLETE
void cublasLtMatmul() {}
#endif
}
