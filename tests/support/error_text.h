#pragma once
// What an action complains about, so that a test can look at the words.

#include <string>

#include "host/runtime/error.h"

namespace cudacards::testing_support {

/// The message of the Error that `action` throws; "(no error)" when it throws none. Other exceptions pass through.
template <class Action>
std::string error_text(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "(no error)";
}

}  // namespace cudacards::testing_support
