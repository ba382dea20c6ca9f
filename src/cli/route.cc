#include "cli/route.h"

#include <iostream>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/list.h"
#include "core/timestamps.h"
#include "v1/control.pb.h"

namespace orchion::cli {

namespace {

constexpr const char* kService = "orchion.v1.RouteService.";

std::string tls_text(const v1::RouteView& view, base::WallTime now) {
  if (view.route().tls() == v1::HttpRoute::PLAIN) return "-";
  const auto* who = view.route().tls() == v1::HttpRoute::INTERNAL_AUTHORITY ? "internal" : "own";
  if (!view.has_certificate_expires_at()) return who;
  const auto left = core::from_timestamp(view.certificate_expires_at()) - now;
  return fmt::format("{} ({} days)", who, std::chrono::duration_cast<std::chrono::hours>(left).count() / 24);
}

Row route_row(const v1::RouteView& view, base::WallTime now) {
  const std::vector<std::string> addresses(view.addresses().begin(), view.addresses().end());
  return {
      fmt::format("{}/{}/{}", view.stack(), view.service(), view.route().name()),
      {fmt::format("{}", fmt::join(addresses, ", ")), fmt::format("{}/{}", view.stack(), view.service()),
       std::to_string(view.route().port()), std::to_string(view.tasks_serving()), tls_text(view, now), view.message()},
      {view.route().name(), std::to_string(view.route().priority())}};
}

}  // namespace

base::Result<std::vector<v1::RouteView>> read_routes(Context& context, const std::string& stack) {
  v1::ListRoutesRequest request;
  request.set_stack(stack);
  std::vector<v1::RouteView> routes;
  auto read = read_pages<v1::ListRoutesResponse>(
      context, fmt::format("{}ListRoutes", kService), std::move(request),
      [&](const auto& page) { routes.insert(routes.end(), page.routes().begin(), page.routes().end()); });
  const bool is_hidden =
      !read && (read.error().code == base::Code::kPermissionDenied || read.error().code == base::Code::kNotFound);
  if (!read && !is_hidden) return std::unexpected(read.error());
  return routes;
}

int run_route_ls(Context& context) {
  v1::ListRoutesRequest request;
  request.set_stack(context.options().stack);
  return list_command<v1::ListRoutesResponse>(context, fmt::format("{}ListRoutes", kService), request,
                                              {"ADDRESS", "SERVICE", "PORT", "TASKS", "TLS", "MESSAGE"},
                                              {"NAME", "PRIORITY"}, [&](const v1::ListRoutesResponse& response) {
                                                std::vector<Row> rows;
                                                for (const auto& view : response.routes())
                                                  rows.push_back(route_row(view, context.clock().wall()));
                                                return rows;
                                              });
}

int run_route_ca(Context& context) {
  auto api = context.api();
  if (!api) return context.fail(api.error());
  auto json = context.run((*api)->call_json(fmt::format("{}GetRouteAuthority", kService),
                                            std::make_shared<const v1::GetRouteAuthorityRequest>()));
  if (!json) return context.fail(json.error());
  if (wants_object(context)) return print_object(context, *json);
  v1::RouteAuthority authority;
  if (auto parsed = client::parse_json(*json, authority); !parsed) return context.fail(parsed.error());
  std::cout << authority.certificate();
  return kExitOk;
}

}  // namespace orchion::cli
