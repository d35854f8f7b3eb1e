// Of every test program.

#include <gmock/gmock.h>

#include "tests/support/case_scope.h"
#include "tests/support/log_watch.h"

int main(int argc, char** argv) {
  testing::InitGoogleMock(&argc, argv);  // and GoogleTest
  cudacards::testing_support::watch_the_log();
  cudacards::testing_support::print_reproducers();
  return RUN_ALL_TESTS();
}
