#include <algorithm>
#include <iostream>

#include <fmt/core.h>
#include <fmt/ranges.h>
#include <boost/json.hpp>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/starters.h"

namespace orchion::cli {

namespace {

namespace json = boost::json;

json::array paths_of(const Starter& starter) {
  json::array out;
  for (const auto& file : starter.files) out.emplace_back(std::string(file.path));
  for (const auto& secret : starter.secrets) out.emplace_back(secret);
  return out;
}

int list_starters(Context& context, const std::vector<Starter>& all) {
  if (wants_object(context)) {
    json::array list;
    for (const auto& starter : all)
      list.push_back({{"name", starter.name}, {"summary", starter.summary}, {"files", paths_of(starter)}});
    return print_list(context, json::serialize(json::object{{"starters", std::move(list)}}), "starters");
  }
  std::vector<Row> rows;
  for (const auto& starter : all)
    rows.push_back({starter.name,
                    {starter.name, starter.summary},
                    {std::to_string(starter.files.size() + starter.secrets.size())}});
  print_rows(context, {"STARTER", "WHAT IT IS"}, {"FILES"}, rows);
  return kExitOk;
}

void say_what_now(const Context& context, const Starter& starter, const std::string& folder) {
  if (!starter.secrets.empty())
    context.say(fmt::format("{} {} random text: keep what is in there to yourself", fmt::join(starter.secrets, ", "),
                            starter.secrets.size() == 1 ? "holds" : "hold"));
  context.say(
      fmt::format("next: {}read README.md · orchion config · orchion up", folder == "." ? "" : "cd " + folder + " · "));
}

}  // namespace

int run_init(Context& context, const InitOptions& options) {
  const auto all = starters(embedded_starter_files());
  if (options.list) return list_starters(context, all);
  if (options.starter.empty()) {
    context.say("orchion init STARTER writes one of these into the working folder:");
    return list_starters(context, all);
  }
  const auto found = std::ranges::find(all, options.starter, &Starter::name);
  if (found == all.end())
    return context.fail({base::Code::kNotFound,
                         fmt::format("there is no starter {}: `orchion init --list` lists them", options.starter),
                         {}});
  const auto written = write_starter(*found, options.folder);
  if (!written) return context.fail(written.error());
  if (wants_object(context)) {
    json::array files(written->begin(), written->end());
    return print_object(
        context, json::serialize(json::object{{"starter", found->name}, {"folder", options.folder}, {"files", files}}));
  }
  for (const auto& path : *written) std::cout << path << "\n";
  say_what_now(context, *found, options.folder);
  return kExitOk;
}

}  // namespace orchion::cli
