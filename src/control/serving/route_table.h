#pragma once

// REST routes, read from the contract's route options once, at start.

#include <string>
#include <string_view>
#include <vector>

#include "core/methods.h"

namespace orchion::control::serving {

enum class RouteKind { kUnary, kEvents, kDownload, kUpload, kWebSocket };

struct RouteSegment {
  std::string literal;                                       // where `field` is null
  const google::protobuf::FieldDescriptor* field = nullptr;  // of the request
};

struct Route {
  const core::Method* method = nullptr;
  RouteKind kind = RouteKind::kUnary;
  std::string verb;
  std::string path;  // "/v1/stacks/{name}"
  std::vector<RouteSegment> segments;
  bool whole_body = false;                                        // the body is the request
  const google::protobuf::FieldDescriptor* body_field = nullptr;  // the body is this field of it
  std::string media_type;                                         // kDownload: of the answer
  const google::protobuf::FieldDescriptor* data = nullptr;        // kUpload, kDownload: a message's piece of the file

  bool has_body() const { return whole_body || body_field != nullptr; }
};

struct RouteMatch {
  const Route* route = nullptr;
  std::vector<std::string> parameters;  // one for each segment with a field
  std::vector<std::string> allowed;     // where no route has that verb: the verbs the path knows
};

class RouteTable {
 public:
  // Every method of `methods` that has a route; `methods` must outlive the table. A broken route option is a broken
  // contract and asserted.
  explicit RouteTable(const core::MethodTable& methods);

  // A literal segment wins over a field. HEAD is served by GET.
  RouteMatch match(std::string_view verb, const std::vector<std::string>& path) const;

  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
};

}  // namespace orchion::control::serving
