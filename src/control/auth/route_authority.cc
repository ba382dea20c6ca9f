#include "control/auth/route_authority.h"

#include <algorithm>

#include <fmt/core.h>

#include "wire/tls/certificates.h"
#include "wire/tls/keys.h"

namespace orchion::control::auth {

namespace {

using std::chrono::hours;

constexpr auto kLife = hours(24 * 90);
constexpr auto kRenewedWith = kLife / 3;  // left

// RFC 5280, ub-common-name.
constexpr std::size_t kCommonNameMax = 64;

// Those that nobody asks for any more go when there are so many.
constexpr std::size_t kIssuedMax = 10'000;

}  // namespace

base::Result<RouteAuthority> RouteAuthority::open(const std::filesystem::path& data_folder,
                                                  const std::string& cluster_id, base::WallTime now) {
  ASSIGN_OR_RETURN(auto authority,
                   open_authority(data_folder / "route-authority",
                                  {.common_name = fmt::format("orchion routes {}", cluster_id.substr(0, 6)),
                                   .consequence = "whoever trusts the one of `orchion route ca` must get the new one"},
                                  now));
  return RouteAuthority(std::move(authority));
}

base::Result<std::string> RouteAuthority::certificate_for(const std::vector<std::string>& hosts, base::WallTime now) {
  const auto found = issued_.find(hosts);
  if (found != issued_.end() && now < found->second.renewal) return found->second.pem;
  if (issued_.size() >= kIssuedMax) issued_.clear();
  const auto end = std::min(now + kLife, authority_.not_after);
  ASSIGN_OR_RETURN(auto pem, issue(hosts, now, end));
  issued_[hosts] = {pem, end - kRenewedWith};
  return pem;
}

base::Result<std::string> RouteAuthority::issue(const std::vector<std::string>& hosts, base::WallTime now,
                                                base::WallTime end) const {
  const auto name = !hosts.empty() && hosts.front().size() <= kCommonNameMax ? hosts.front() : "route";
  ASSIGN_OR_RETURN(const auto key, wire::tls::make_key());
  ASSIGN_OR_RETURN(const auto request, wire::tls::make_request(key, name));
  wire::tls::CertificatePlan plan;
  plan.role = wire::tls::Role::kServer;
  plan.common_name = name;
  plan.dns_names = hosts;
  plan.not_before = now - kBackdated;
  plan.not_after = end;
  ASSIGN_OR_RETURN(const auto certificate, wire::tls::issue({authority_.certificate, authority_.key}, request, plan));
  return certificate + key;
}

}  // namespace orchion::control::auth
