#include "control/serving/route_table.h"

#include <algorithm>
#include <cassert>

#include "v1/options.pb.h"
#include "wire/http.h"

namespace orchion::control::serving {

namespace {

namespace pb = google::protobuf;

RouteKind kind_of(const pb::MethodDescriptor& method) {
  if (method.client_streaming()) return method.server_streaming() ? RouteKind::kWebSocket : RouteKind::kUpload;
  if (!method.server_streaming()) return RouteKind::kUnary;
  return method.options().GetExtension(v1::rest).download().empty() ? RouteKind::kEvents : RouteKind::kDownload;
}

const pb::FieldDescriptor* data_of(const pb::Descriptor& message) {
  const auto* data = message.FindFieldByName("data");
  assert(data != nullptr && data->type() == pb::FieldDescriptor::TYPE_BYTES && "a file's pieces are bytes in `data`");
  return data;
}

RouteSegment segment_of(std::string text, const pb::Descriptor& request) {
  if (!text.starts_with('{')) return {std::move(text), nullptr};
  const auto* field = request.FindFieldByName(text.substr(1, text.size() - 2));
  assert(field != nullptr && "a route names a field that its request lacks");
  return {"", field};
}

Route route_of(const core::Method& method) {
  const auto& rest = method.descriptor->options().GetExtension(v1::rest);
  const auto& request = *method.descriptor->input_type();
  Route route{&method, kind_of(*method.descriptor), rest.verb(), rest.path()};
  if (route.kind == RouteKind::kUpload) route.data = data_of(request);
  if (route.kind == RouteKind::kDownload) route.data = data_of(*method.descriptor->output_type());
  route.media_type = rest.download();
  const auto target = wire::parse_target(rest.path());
  assert(target && "a route's path is broken");
  for (const auto& text : target->path) route.segments.push_back(segment_of(text, request));
  route.whole_body = rest.body() == "*";
  if (!rest.body().empty() && !route.whole_body) route.body_field = request.FindFieldByName(rest.body());
  return route;
}

bool fits(const Route& route, const std::vector<std::string>& path) {
  if (route.segments.size() != path.size()) return false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (route.segments[i].field == nullptr ? route.segments[i].literal != path[i] : path[i].empty()) return false;
  }
  return true;
}

// Literals before fields, from the left.
bool stands_before(const Route& a, const Route& b) {
  return std::ranges::lexicographical_compare(
      a.segments, b.segments, {}, [](const RouteSegment& segment) { return segment.field != nullptr; },
      [](const RouteSegment& segment) { return segment.field != nullptr; });
}

}  // namespace

RouteTable::RouteTable(const core::MethodTable& methods) {
  for (const auto& [name, method] : methods.all()) {
    if (method.descriptor->options().HasExtension(v1::rest)) routes_.push_back(route_of(method));
  }
  std::ranges::stable_sort(routes_, stands_before);
}

RouteMatch RouteTable::match(std::string_view verb, const std::vector<std::string>& path) const {
  if (verb == "HEAD") verb = "GET";
  RouteMatch match;
  for (const auto& route : routes_) {
    if (!fits(route, path)) continue;
    if (route.verb != verb) {
      match.allowed.push_back(route.verb);
      continue;
    }
    match.route = &route;
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (route.segments[i].field != nullptr) match.parameters.push_back(path[i]);
    }
    return match;
  }
  return match;
}

}  // namespace orchion::control::serving
