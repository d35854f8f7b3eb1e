#include "host/runtime/error.h"
