#pragma once

// What an HTTP request says, as a message of the contract.

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "control/serving/route_table.h"

namespace orchion::control::serving {

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

// Body first (empty is {}), then the query, then the path, which must not contradict the body. All errors are
// kInvalidArgument and name the field.
base::Result<core::MessagePtr> bind_request(const RouteMatch& match, const QueryParameters& query,
                                            const std::string& body);

// JSON into `message`; an unknown field is an error.
base::Result<> parse_json(const std::string& json, google::protobuf::Message& message);

// `text` into the scalar, enum or Timestamp field (or onto the list) that `name` names, in lowerCamelCase or
// snake_case; "size.columns" is a field of a field.
base::Result<> set_parameter(google::protobuf::Message& message, const std::string& name, const std::string& text);

}  // namespace orchion::control::serving
