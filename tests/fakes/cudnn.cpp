// The names that the program wants of cuDNN. Without cuDNN's header, which declares them otherwise: only the version is
// ever called.

#include <cstddef>

extern "C" {

std::size_t cudnnGetVersion() { return FAKE_VERSION; }
void cudnnGetErrorString() {}
void cudnnGetLastErrorString() {}
void cudnnCreate() {}
void cudnnDestroy() {}
void cudnnSetStream() {}
void cudnnBackendCreateDescriptor() {}
void cudnnBackendDestroyDescriptor() {}
void cudnnBackendSetAttribute() {}
void cudnnBackendGetAttribute() {}
void cudnnBackendFinalize() {}
void cudnnCreateTensorDescriptor() {}
void cudnnDestroyTensorDescriptor() {}
void cudnnSetTensor4dDescriptor() {}
void cudnnSoftmaxForward() {}
void cudnnSoftmaxBackward() {}
#ifndef FAKE_INCOMPLETE
void cudnnBackendExecute() {}
#endif
}
