#include "control/serving/openapi.h"

#include <set>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "control/serving/comments.h"
#include "control/serving/openapi_schemas.h"
#include "control/serving/operation_headers.h"
#include "core/methods.h"

namespace orchion::control::serving {

namespace json = boost::json;
namespace pb = google::protobuf;

namespace {

bool stands_in_path(const Route& route, const pb::FieldDescriptor& field) {
  for (const auto& segment : route.segments) {
    if (segment.field == &field) return true;
  }
  return false;
}

json::object parameter(const pb::FieldDescriptor& field, bool in_path, Schemas& schemas) {
  auto schema = schemas.of(field);
  json::object out{{"name", in_path ? field.name() : field.json_name()}, {"in", in_path ? "path" : "query"}};
  if (in_path) out["required"] = true;
  if (const auto* said = schema.if_contains("description")) {
    out["description"] = *said;
    schema.erase("description");
  }
  out["schema"] = std::move(schema);
  return out;
}

bool fits_query(const pb::FieldDescriptor& field) {
  if (field.is_map() || field.type() == pb::FieldDescriptor::TYPE_BYTES) return false;
  return field.message_type() == nullptr || field.message_type()->full_name() == "google.protobuf.Timestamp" ||
         field.message_type()->full_name() == "google.protobuf.Duration";
}

json::object header(std::string_view name, std::string_view description) {
  return {{"name", name}, {"in", "header"}, {"description", description}, {"schema", json::object{{"type", "string"}}}};
}

void add_headers(const Route& route, json::array& out) {
  if (heeds_if_match(*route.method->descriptor))
    out.push_back(header("If-Match", "The ETag of what is to be changed; 412 where it moved."));
  if (heeds_idempotency_key(*route.method->descriptor)) {
    out.push_back(
        header("Idempotency-Key", "1 to 200 visible ASCII characters: a call that comes again is done once."));
  }
  if (resumes(route)) out.push_back(header("Last-Event-ID", "The id of the event after which to go on."));
}

json::array parameters(const Route& route, Schemas& schemas) {
  json::array out;
  const auto& request = *route.method->descriptor->input_type();
  for (int i = 0; i < request.field_count(); ++i) {
    const auto& field = *request.field(i);
    if (stands_in_path(route, field)) {
      out.push_back(parameter(field, true, schemas));
    } else if (field.name() == "dry_run" && route.kind != RouteKind::kWebSocket) {
      auto dry_run = parameter(field, false, schemas);
      dry_run["description"] = "Check and answer with what would be, and change nothing.";
      out.push_back(std::move(dry_run));
    } else if (!route.whole_body && route.kind != RouteKind::kWebSocket && &field != route.body_field &&
               fits_query(field)) {
      out.push_back(parameter(field, false, schemas));
    }
  }
  add_headers(route, out);
  return out;
}

json::object content(std::string_view type, json::object schema) {
  return {{type, json::object{{"schema", std::move(schema)}}}};
}

// Each event's data is one message.
json::object events_of(const pb::Descriptor& message, Schemas& schemas) {
  return content(
      "text/event-stream",
      {{"type", "string"}, {"contentMediaType", "application/json"}, {"contentSchema", schemas.reference(message)}});
}

json::object good_response(const Route& route, Schemas& schemas) {
  const auto& output = *route.method->descriptor->output_type();
  json::object answer{{"description", "OK"}};
  switch (route.kind) {
    case RouteKind::kWebSocket:
      answer["description"] = "A WebSocket: text frames of " + route.method->descriptor->input_type()->name() +
                              " to the server, of " + output.name() +
                              " back; with ?binary=true what is in a message's `data` is a binary frame";
      break;
    case RouteKind::kEvents: answer["content"] = events_of(output, schemas); break;
    case RouteKind::kDownload: answer["content"] = content(route.media_type, {}); break;
    default: answer["content"] = content("application/json", schemas.reference(output));
  }
  if (answers_etag(route)) {
    const json::object tag{{"description", "meta.revision, quoted: for If-Match"},
                           {"schema", json::object{{"type", "string"}}}};
    answer["headers"] = json::object{{"ETag", tag}};
  }
  return answer;
}

// Beside the good one: problems, of which `default` is what no caller can foresee.
std::set<std::string> failures(const Route& route) {
  std::set<std::string> statuses{"400", "401", "403", "default"};
  if (route.segments.back().field != nullptr || route.path.find('{') != std::string::npos) statuses.insert("404");
  if (route.verb != "GET") statuses.insert("409");
  if (heeds_if_match(*route.method->descriptor)) statuses.insert("412");
  if (route.has_body()) statuses.insert("413");
  if (route.kind == RouteKind::kWebSocket) statuses.insert("426");
  return statuses;
}

json::object responses(const Route& route, Schemas& schemas) {
  json::object out{{route.kind == RouteKind::kWebSocket ? "101" : "200", good_response(route, schemas)}};
  for (const auto& status : failures(route)) out[status] = json::object{{"$ref", "#/components/responses/Problem"}};
  return out;
}

json::object body(json::object described) {
  return {{"content", std::move(described)}};
}

std::string description(const pb::MethodDescriptor& method, std::string_view said, const std::string& permission) {
  std::string out(said);
  if (!out.empty()) out += "\n\n";
  return out + method.full_name() + " over gRPC. Who calls needs " + permission + ".";
}

json::object operation(const Route& route, Schemas& schemas, const Comments& comments) {
  const auto& method = *route.method->descriptor;
  const auto permission = core::permission_of(method);
  const auto said = explain(comments.of(method.full_name()));
  json::object out{{"operationId", method.name()},
                   {"tags", json::array{method.service()->name()}},
                   {"summary", said.summary},
                   {"description", description(method, said.rest, permission)},
                   {"x-permission", permission},
                   {"parameters", parameters(route, schemas)},
                   {"responses", responses(route, schemas)}};
  if (permission == "public") out["security"] = json::array();
  if (route.whole_body) {
    out["requestBody"] = body(content("application/json", schemas.reference(*method.input_type())));
  } else if (route.body_field != nullptr) {
    out["requestBody"] = body(content("application/json", schemas.of(*route.body_field)));
  } else if (route.kind == RouteKind::kUpload) {
    out["requestBody"] = body({{"application/octet-stream", json::object()}});
  }
  return out;
}

// What a server answers to anybody.
json::object page(std::string_view id, std::string_view summary, json::object described) {
  json::object answer{{"description", "OK"}, {"content", std::move(described)}};
  json::object responses{{"200", std::move(answer)}};
  if (id == "Readyz") {
    responses["503"] = json::object{{"description", "Not yet; the text says why"},
                                    {"content", content("text/plain", {{"type", "string"}})}};
  }
  const json::object get{{"operationId", id},
                         {"tags", json::array{"Pages"}},
                         {"summary", summary},
                         {"security", json::array()},
                         {"responses", std::move(responses)}};
  return {{"get", get}};
}

void add_pages(json::object& paths) {
  paths["/livez"] = page("Livez", "The server answers", content("text/plain", {{"type", "string"}}));
  paths["/readyz"] = page("Readyz", "The server can serve", content("text/plain", {{"type", "string"}}));
  paths["/openapi.json"] = page("OpenApi", "This document", content("application/json", {{"type", "object"}}));
}

json::object problem_schema() {
  const json::object text{{"type", "string"}};
  const json::object violation{{"type", "object"}, {"properties", json::object{{"pointer", text}, {"detail", text}}}};
  return {{"type", "object"},
          {"properties", json::object{{"type", text},
                                      {"title", text},
                                      {"status", json::object{{"type", "integer"}}},
                                      {"detail", text},
                                      {"code", text},
                                      {"errors", json::object{{"type", "array"}, {"items", violation}}}}}};
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return text;
}

}  // namespace

std::string openapi_document(const RouteTable& routes, const std::string& version) {
  const Comments comments;
  Schemas schemas(comments);
  json::object paths;
  for (const auto& route : routes.routes()) {
    auto& path = paths[route.path];
    if (path.is_null()) path.emplace_object();
    path.as_object()[lower(route.verb)] = operation(route, schemas, comments);
  }
  add_pages(paths);
  auto named = schemas.all();
  named["Problem"] = problem_schema();
  const json::object failed{
      {"description", "A problem (RFC 9457): `detail` says what to do"},
      {"content", content("application/problem+json", {{"$ref", "#/components/schemas/Problem"}})}};
  const json::object bearer{{"type", "http"}, {"scheme", "bearer"}};
  const json::object document{{"openapi", "3.1.0"},
                              {"info", json::object{{"title", "orchion"},
                                                    {"version", version},
                                                    {"description", "docs/reference/api.md says how it is used."}}},
                              {"servers", json::array{json::object{{"url", "http://127.0.0.1:4600"}}}},
                              {"security", json::array{json::object{{"bearer", json::array()}}}},
                              {"paths", std::move(paths)},
                              {"components", json::object{{"securitySchemes", json::object{{"bearer", bearer}}},
                                                          {"responses", json::object{{"Problem", failed}}},
                                                          {"schemas", std::move(named)}}}};
  return json::serialize(document);
}

}  // namespace orchion::control::serving
