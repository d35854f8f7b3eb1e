#include "host/graph/plan.h"
