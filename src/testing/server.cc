#include "testing/server.h"

#include <utility>

#include "control/services/node_service.h"

namespace orchion::testing {

namespace {

constexpr char kClusterId[] = "simulated-cluster";

base::Co<> run_call(const core::Method* method, std::shared_ptr<core::MessageStream> stream) {
  core::CallContext context;
  context.identity = "admin";
  auto called = co_await method->call(std::move(context), stream);
  if (called) {
    stream->finish();
  } else {
    stream->finish(std::move(called.error()));
  }
  co_return base::Result<>{};
}

}  // namespace

Server::Server(base::Executor executor, control::store::Store& store, base::Clock& clock, std::uint64_t seed)
    : executor_(executor),
      clock_(clock),
      random_(seed),
      calls_(executor),
      objects_(executor, store),
      liveness_(clock.now()),
      streams_(executor, clock, random_),
      dispatcher_({executor, objects_, clock, random_}, streams_,
                  {.cluster_id = kClusterId,
                   .heard = [this](const std::string& uid) { liveness_.heard(uid, clock_.now()); },
                   .left = [this](const std::string& uid) { liveness_.left(uid); }}) {}

base::Co<> Server::start(control::store::ObjectStore::Listener listener) {
  CO_RETURN_IF_ERROR(co_await objects_.start());
  subscription_ = objects_.subscribe(std::move(listener));
  control::services::add_handlers(methods_, {executor_, objects_, clock_, random_}, dispatcher_, streams_, nullptr, {});
  control::services::add_rebalancing(methods_, [this](v1::RebalanceRequest request, std::string actor) {
    return controllers_->rebalance(std::move(request), std::move(actor));
  });
  calls_.spawn("the writer of reports", dispatcher_.run());
  controllers_ = std::make_unique<control::controllers::ControllerSet>(executor_, objects_, clock_,
                                                                       base::Random(random_.next()), liveness_);
  controllers_->start();
  co_return base::Result<>{};
}

base::Co<> Server::shutdown() {
  CO_RETURN_IF_ERROR(co_await controllers_->shutdown());
  CO_RETURN_IF_ERROR(co_await calls_.shutdown());
  CO_RETURN_IF_ERROR(co_await objects_.shutdown());
  subscription_.reset();
  co_return base::Result<>{};
}

void Server::call(const core::Method& method, std::shared_ptr<core::MessageStream> stream) {
  calls_.spawn("a call", run_call(&method, std::move(stream)));
}

}  // namespace orchion::testing
