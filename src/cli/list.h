#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/context.h"
#include "cli/output.h"

namespace orchion::cli {

// The JSON name of the field that holds a list's items.
template <class Response>
std::string list_key() {
  const auto* type = Response::descriptor();
  int index = 0;
  while (!type->field(index)->is_repeated()) ++index;
  return type->field(index)->json_name();
}

// Calls a list to its last page and hands each to `take`.
template <class Response, class Request, class Take>
base::Result<> read_pages(Context& context, const std::string& method, Request request, Take take) {
  ASSIGN_OR_RETURN(const auto api, context.api());
  do {
    ASSIGN_OR_RETURN(const auto page, context.run(api->call<Response>(method, request)));
    take(page);
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return {};
}

// Calls a list and prints it: as the server sent it for -o json and yaml (one page, with its nextPageToken), else
// through `rows_of`, or the user's template, to the last page.
template <class Response, class Request, class RowsOf>
int list_command(Context& context, const std::string& method, Request request, std::vector<std::string> heading,
                 const std::vector<std::string>& wide_heading, RowsOf rows_of) {
  constexpr int kPageSize = 10'000;
  auto api = context.api();
  if (!api) return context.fail(api.error());
  const auto format = context.options().output.format;
  request.set_page_size(kPageSize);
  std::vector<Row> rows;
  for (;;) {
    auto json = context.run((*api)->call_json(method, std::make_shared<const Request>(request)));
    if (!json) return context.fail(json.error());
    if (format == OutputFormat::kJson || format == OutputFormat::kYaml) return print_object(context, *json);
    Response response;
    if (auto parsed = client::parse_json(*json, response); !parsed) return context.fail(parsed.error());
    if (format == OutputFormat::kTemplate) {
      auto go_on = print_items(context, *json, list_key<Response>());
      if (!go_on) return context.fail(go_on.error());
      if (!*go_on) return kExitOk;
    } else {
      for (auto& row : rows_of(response)) rows.push_back(std::move(row));
    }
    if (response.next_page_token().empty()) break;
    request.set_page_token(response.next_page_token());
  }
  if (format == OutputFormat::kTemplate) return kExitOk;
  print_rows(context, std::move(heading), wide_heading, rows);
  return kExitOk;
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
