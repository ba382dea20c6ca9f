#include "spec/problems.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include <fmt/core.h>

namespace orchion::spec {

namespace {

constexpr std::size_t kShownMax = 100;

}  // namespace

void Problems::add(const Position& at, std::string sentence) {
  if (!settled_.contains(place(at))) problems_.push_back({at, std::move(sentence)});
}

void Problems::add_final(const Position& at, std::string sentence) {
  add(at, std::move(sentence));
  settled_.insert(place(at));
}

void Problems::add_all(Problems others) {
  std::ranges::move(others.problems_, std::back_inserter(problems_));
  settled_.merge(others.settled_);
}

base::Error Problems::error() const {
  std::map<std::string_view, std::size_t> file_order;
  for (const auto& problem : problems_)
    if (problem.at.file) file_order.try_emplace(*problem.at.file, file_order.size());
  std::vector<const Problem*> sorted;
  for (const auto& problem : problems_) sorted.push_back(&problem);
  std::ranges::stable_sort(sorted, {}, [&](const Problem* problem) {
    const auto file = problem->at.file ? file_order[*problem->at.file] : 0;
    return std::tuple(file, problem->at.line, problem->at.column);
  });
  // An anchor used in ten places is one mistake.
  std::set<std::string> seen;
  std::string message;
  for (const auto* problem : sorted) {
    auto line = fmt::format("{}: {}", problem->at.text(), problem->sentence);
    if (!seen.insert(line).second || seen.size() > kShownMax) continue;
    if (!message.empty()) message += '\n';
    message += line;
  }
  if (seen.size() > kShownMax) message += fmt::format("\n… and {} more", seen.size() - kShownMax);
  return base::Error{base::Code::kInvalidArgument, std::move(message), {}};
}

base::Result<> Problems::result() const {
  if (empty()) return {};
  return std::unexpected(error());
}

}  // namespace orchion::spec
