#include "control/serving/http_guard.h"

#include <algorithm>
#include <cctype>

#include <boost/asio/ip/address.hpp>

namespace orchion::control::serving {

using base::Code;

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

// "[::1]:4600" → "::1"; "Example.org:80" → "example.org".
std::string host_of(std::string_view authority) {
  if (authority.starts_with('[')) return lower(authority.substr(1, authority.find(']') - 1));
  return lower(authority.substr(0, authority.rfind(':')));
}

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  boost::system::error_code ec;
  const auto address = boost::asio::ip::make_address(host, ec);
  return !ec && address.is_loopback();
}

bool is_change(const std::string& method) {
  return method != "GET" && method != "HEAD";
}

}  // namespace

base::Result<> check_origin(const wire::Request& request, bool websocket,
                            const std::vector<std::string>& allowed_hosts) {
  const auto host = request.headers.find("Host");
  if (request.transport == wire::Transport::kTcp) {
    if (!host) return base::fail(Code::kInvalidArgument, "the request has no Host header: send one");
    const auto name = host_of(*host);
    if (!is_loopback(name) && std::ranges::find(allowed_hosts, name) == allowed_hosts.end()) {
      return base::fail(Code::kPermissionDenied,
                        "this server is not known as '" + name + "': use 127.0.0.1, or start it with --advertise");
    }
  }
  const auto origin = request.headers.find("Origin");
  if (!origin || !(websocket || is_change(request.method))) return {};
  const auto scheme = origin->find("://");
  if (host && scheme != std::string_view::npos && lower(origin->substr(scheme + 3)) == lower(*host)) return {};
  return base::fail(Code::kPermissionDenied,
                    "a page of " + std::string(*origin) + " may not use this server: open its own dashboard instead");
}

base::Result<wire::HostPort> check_listen_address(std::string_view address, bool tls) {
  const auto parts = wire::parse_host_port(address);
  if (!parts)
    return base::fail(
        Code::kInvalidArgument,
        "'" + std::string(address) + "' is no address to listen on: write HOST:PORT, as in 127.0.0.1:4600");
  if (tls || is_loopback(lower(parts->host))) return *parts;
  return base::fail(Code::kFailedPrecondition,
                    "will not listen on " + std::string(address) +
                        " without TLS, since tokens would travel in the clear: listen on 127.0.0.1 and reach it "
                        "through an SSH tunnel, or set up TLS");
}

}  // namespace orchion::control::serving
