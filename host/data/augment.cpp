#include "host/data/augment.h"
