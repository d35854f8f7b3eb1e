#include "host/train/run_config.h"
