#include "control/services/route_rules.h"

#include <map>

#include <fmt/core.h>

#include "core/lifecycle.h"
#include "core/routes.h"
#include "wire/tls/certificates.h"
#include "wire/tls/keys.h"

namespace orchion::control::services {

namespace {

using base::Code;

// Key of requests → "shop/web".
using Owners = std::map<std::string, std::string>;

Owners owners_elsewhere(const store::View& view, const std::string& stack) {
  Owners owners;
  for (const auto& [name, other] : view.stacks().all()) {
    if (other->meta().name() == stack || core::is_deleted(other->meta())) continue;
    for (const auto& service : other->spec().services())
      for (const auto& route : service.spec().routes())
        for (auto& key : core::route_keys(route))
          owners.try_emplace(std::move(key), fmt::format("{}/{}", other->meta().name(), service.name()));
  }
  return owners;
}

base::Result<> check_certificate(const v1::HttpRoute& route, const std::string& pointer) {
  const auto refuse = [&](const char* detail) {
    const auto& origin = route.certificate().origin();
    auto text = fmt::format("the certificate of route {}{} can't be used: {}", route.name(),
                            origin.empty() ? "" : " (" + origin + ")", detail);
    base::Error error{Code::kInvalidArgument, text, {{pointer, text}}};
    return std::unexpected(std::move(error));
  };
  const auto& pem = route.certificate().pem();
  const auto certificate = wire::tls::read_certificate(pem);
  if (!certificate) return refuse("there is no certificate in PEM in it; the host's own comes first, then its chain");
  const auto key = wire::tls::key_fingerprint(pem);
  if (!key) return refuse("there is no private key in PEM in it, or a password protects it: add the key without one");
  if (certificate->key_fingerprint != *key)
    return refuse("the key isn't that of the first certificate: give both of the same host");
  return {};
}

}  // namespace

base::Result<> check_route_rules(const store::View& view, const std::string& stack, const v1::StackSpec& spec) {
  auto owners = owners_elsewhere(view, stack);
  for (int s = 0; s < spec.services_size(); ++s) {
    const auto& service = spec.services(s);
    const auto name = fmt::format("{}/{}", stack, service.name());
    for (int r = 0; r < service.spec().routes_size(); ++r) {
      const auto& route = service.spec().routes(r);
      const auto pointer = fmt::format("/spec/services/{}/spec/routes/{}", s, r);
      if (route.tls() == v1::HttpRoute::OWN_CERTIFICATE)
        RETURN_IF_ERROR(check_certificate(route, pointer + "/certificate"));
      for (const auto& key : core::route_keys(route)) {
        const auto [owner, is_new] = owners.try_emplace(key, name);
        if (is_new) continue;
        auto text = fmt::format(
            "{} wants the requests of {}, which are {}'s: change host or path of one, or give one "
            "another priority",
            name, key, owner->second == name ? "another route" : owner->second);
        base::Error error{Code::kFailedPrecondition, text, {{pointer, text}}};
        return std::unexpected(std::move(error));
      }
    }
  }
  return {};
}

}  // namespace orchion::control::services
