#pragma once
// Runs that take a second: 32 x 32 pictures of three classes that differ in colour.

#include <string>

#include "host/train/run_config.h"
#include "tests/support/temporary_folder.h"

namespace cudacards::testing_support {

/// A data set with 10 training pictures and 4 validation pictures a class, and room for runs beside it.
class SmallRun {
 public:
  SmallRun();
  std::string data() const { return folder_ / "data"; }
  std::string run(const std::string& name) const { return folder_ / name; }

  /// Two epochs of batch 8 (four steps each, the last short), with augmentation, dropout, AdamW and an average.
  RunConfig config(const std::string& arch, const std::string& run_name) const;

 private:
  TemporaryFolder folder_;
};

}  // namespace cudacards::testing_support
