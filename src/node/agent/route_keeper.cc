#include "node/agent/route_keeper.h"

#include <google/protobuf/util/message_differencer.h>

#include "base/log.h"

namespace orchion::node::agent {

namespace {

constexpr auto kLookDelay = std::chrono::seconds(1);

}  // namespace

void RouteKeeper::set_routes(const v1::RouteAssignments& routes) {
  if (google::protobuf::util::MessageDifferencer::Equals(routes_, routes)) return;
  routes_ = routes;
  ++version_;
  changed_.notify();
}

base::Co<> RouteKeeper::lead() {
  if (ingress_ == nullptr) co_return base::Result<>{};
  while (busy_) {
    const auto seen = turn_.count();
    CO_RETURN_IF_ERROR(co_await turn_.wait(seen));
  }
  std::vector<std::vector<mesh::ingress::Server>> servers;
  for (const auto& route : routes_.routes()) servers.push_back(servers_of_(route));
  if (led_ && led_version_ == version_ && led_servers_ == servers) co_return base::Result<>{};
  const Busy turn(busy_, turn_);
  std::vector<mesh::ingress::RoutedService> services;
  for (int i = 0; i < routes_.routes_size(); ++i)
    services.push_back({routes_.routes(i), servers[static_cast<std::size_t>(i)]});
  is_ours_ = true;
  led_ = false;
  led_version_ = version_;
  led_servers_ = std::move(servers);
  auto done = co_await ingress_->apply(std::move(services));
  if (!done) co_return std::unexpected(done.error());
  led_ = *done;
  co_return base::Result<>{};
}

base::Co<> RouteKeeper::look_after() {
  if (!is_ours_ || (led_ && routes_.routes_size() > 0)) {
    auto is_up = co_await ingress_->is_up();
    if (!is_up) co_return std::unexpected(is_up.error());
    if (!is_ours_ && *is_up) co_return base::Result<>{};
    if (!*is_up) led_ = false;
  }
  co_return co_await lead();
}

base::Co<> RouteKeeper::keep() {
  if (ingress_ == nullptr) co_return base::Result<>{};
  while (true) {
    const auto seen = changed_.count();
    auto done = co_await look_after();
    if (!done && problem_ != done.error().message) base::log::warn("routes: {}", done.error().message);
    problem_ = done ? "" : done.error().message;
    CO_RETURN_IF_ERROR(co_await changed_.wait_until(clock_, clock_.now() + kLookDelay, seen));
    // What failed is tried again, but not as fast as things change.
    if (!done) CO_RETURN_IF_ERROR(co_await clock_.sleep(kLookDelay));
  }
}

}  // namespace orchion::node::agent
