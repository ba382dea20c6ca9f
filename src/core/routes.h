#pragma once

// The rules about HTTP routes. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "core/network_names.h"
#include "core/validation.h"
#include "v1/specs.pb.h"

namespace orchion::core {

// "shop.example.com" or "*.example.com", in lower case.
bool is_route_host(std::string_view host);

// Begins with '/', and holds only what a request's path may (RFC 3986, pchar and '/').
bool is_route_path(std::string_view path);

// Adds what is wrong with the routes of one service; pointers begin at `at` ("/spec").
void check_routes(const v1::ServiceSpec& spec, const std::string& at, Violations& violations);

// What tells which requests are a route's: two routes that share one of these are in each other's way.
std::vector<std::string> route_keys(const v1::HttpRoute& route);

// The network in which a service of `stack` is reached by the route; `name` empty: it is in none.
NetworkName network_of_route(std::string_view stack, const v1::ServiceSpec& spec, const v1::HttpRoute& route);

// "https://shop.example.com/api", one for each host; `*` stands for any. The ports of the ingress are left out where
// browsers know them (80, 443, 0).
std::vector<std::string> route_addresses(const v1::HttpRoute& route, std::uint32_t http_port, std::uint32_t https_port);

}  // namespace orchion::core
