#pragma once
// A model against a split: loss, accuracy, and each class by itself.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "host/data/dataset.h"
#include "host/graph/plan.h"
#include "host/report/class_report.h"
#include "host/train/features.h"
#include "host/train/model.h"

namespace cudacards {

class InferenceFeed;  // picture_feed.h

struct EvalReport {
  std::int64_t samples = 0;
  double loss = 0, accuracy = 0, top5_accuracy = 0;
  std::vector<ClassReport> per_class;
};

/// What somebody else wants of a picture: its number in the split, its class, the winner (-1 where a logit is NaN) and
/// the logits, (classes).
using PictureVisitor =
    std::function<void(std::int64_t picture, std::int32_t label, std::int32_t winner, std::span<const float> logits)>;

struct EvaluateOptions {
  InferenceFeed* feed = nullptr;       // the same pictures on the plan's device; null: each batch is sent from the host
  const Features* features = nullptr;  // theirs, for a plan that begins behind them
  PictureVisitor visit = {};           // called for each picture, in order
};

/// Loss without label smoothing. Runs `plan` in inference mode over the pictures in order.
EvalReport evaluate(Plan& plan, const Pictures& pictures, const std::vector<std::string>& classes,
                    const EvaluateOptions& options = {});

/// Reads the data at `data` (a data set's root, or a bare folder of class folders) by the model's class names. `split`
/// is train, valid or test, held out of train where train() would do so; empty: valid, or the whole of a bare folder.
EvalReport evaluate(Model& model, const std::string& data, const std::string& split);

}  // namespace cudacards
