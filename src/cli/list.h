#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/context.h"
#include "cli/output.h"

namespace orchion::cli {

// Calls a list and prints it: as the server sent it for -o json, through `rows_of` for tables.
template <class Response, class Request, class RowsOf>
int list_command(Context& context, const std::string& method, Request request, std::vector<std::string> heading,
                 const std::vector<std::string>& wide_heading, RowsOf rows_of) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto json = context.run((*api)->call_json(method, std::make_shared<const Request>(std::move(request))));
  if (!json) return context.fail(json.error());
  Response response;
  if (auto parsed = client::parse_json(*json, response); !parsed) return context.fail(parsed.error());
  return print_list(context, *json, std::move(heading), wide_heading, rows_of(response));
}

// Calls a method that returns one object and prints that.
template <class Request>
int object_command(Context& context, const std::string& method, Request request) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto json = context.run((*api)->call_json(method, std::make_shared<const Request>(std::move(request))));
  if (!json) return context.fail(json.error());
  return print_object(context, *json);
}

}  // namespace orchion::cli
