#include "kernels/simt/launch.h"
