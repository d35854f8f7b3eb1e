#include "host/report/class_sheet.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "host/data/files.h"
#include "host/data/seen_picture.h"
#include "host/data/shuffle.h"
#include "host/report/contact_sheet.h"
#include "host/report/table.h"
#include "host/runtime/error.h"
#include "host/runtime/threads.h"

namespace cudacards {
namespace {

/// Where in `samples` the pictures of each class are, in a random order.
std::vector<std::vector<std::int64_t>> by_class(const std::vector<Sample>& samples, std::size_t classes,
                                                std::uint64_t seed) {
  std::vector<std::vector<std::int64_t>> places(classes);
  for (std::size_t i = 0; i < samples.size(); ++i)
    places.at(static_cast<std::size_t>(samples[i].label)).push_back(static_cast<std::int64_t>(i));
  for (std::size_t label = 0; label < classes; ++label) shuffle(places[label], seed, label);
  return places;
}

struct RowOfClass {
  ContactSheet::Row row;
  std::vector<BadFile> bad;
};

RowOfClass read_row(const std::vector<Sample>& samples, const std::vector<std::int64_t>& places,
                    const std::string& class_name, const ClassSheetOptions& options) {
  RowOfClass result;
  result.row.title = class_name;
  result.row.notes = {counted(std::ssize(places), "picture")};
  for (const std::int64_t place : places) {
    if (result.row.pictures.size() == static_cast<std::size_t>(options.per_class)) break;
    const auto index = static_cast<std::uint64_t>(place);
    const std::string& path = samples[index].path;
    try {
      const Image seen = seen_picture(path, options.image_size, options.augment, options.seed, index);
      result.row.pictures.push_back(thumbnail(seen, options.thumbnail));
    } catch (const Error& error) {
      result.bad.push_back({printable(path), error.what()});
    }
  }
  return result;
}

}  // namespace

ImageSize class_sheet_size(const std::vector<Sample>& samples, const ClassSheetOptions& options) {
  std::vector<std::size_t> counts;  // of the sheet's classes
  for (const int label : options.labels) {
    const auto count = std::ranges::count(samples, label, &Sample::label);
    counts.push_back(static_cast<std::size_t>(std::min<std::ptrdiff_t>(count, options.per_class)));
  }
  const std::size_t pictures = counts.empty() ? 0 : std::ranges::max(counts);
  return contact_sheet_size({.side = options.thumbnail}, options.labels.size(), pictures);
}

ClassSheet class_sheet(const std::string& title, const std::vector<Sample>& samples,
                       const std::vector<std::string>& classes, const ClassSheetOptions& options) {
  const auto places = by_class(samples, classes.size(), options.seed);
  std::vector<RowOfClass> rows(options.labels.size());
  parallel_items(static_cast<std::int64_t>(rows.size()), {}, [&](std::int64_t i) {
    const auto row = static_cast<std::size_t>(i), label = static_cast<std::size_t>(options.labels[row]);
    rows[row] = read_row(samples, places[label], classes[label], options);
  });
  ContactSheet sheet{.title = title, .side = options.thumbnail};
  ClassSheet result;
  bool is_empty = true;
  for (RowOfClass& row : rows) {
    is_empty &= row.row.pictures.empty();
    sheet.rows.push_back(std::move(row.row));
    std::ranges::move(row.bad, std::back_inserter(result.bad));
  }
  if (is_empty) {
    throw Error(result.bad.empty() ? "these classes have no picture"
                                   : fmt::format("no picture of these classes can be read: {} ({})",
                                                 result.bad.front().path, result.bad.front().reason));
  }
  result.image = draw_contact_sheet(sheet);
  return result;
}

}  // namespace cudacards
