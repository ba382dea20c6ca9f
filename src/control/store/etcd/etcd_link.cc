#include "control/store/etcd/etcd_link.h"

#include <exception>

#include <boost/asio/co_spawn.hpp>

#include "base/log.h"
#include "base/timeout.h"

namespace orchion::control::store {

base::Co<> EtcdLink::pause(base::Duration duration) {
  const auto paused = co_await base::with_timeout(clock, duration, "a pause", closing.wait());
  if (!paused && paused.error().code == base::Code::kCancelled) co_return paused;
  co_return base::Result<>{};
}

void EtcdLink::spawn(base::Co<> coroutine) const {
  boost::asio::co_spawn(executor, std::move(coroutine), [](std::exception_ptr thrown, base::Result<>) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const std::exception& exception) {
      base::log::error("etcd: {}", exception.what());
    }
  });
}

}  // namespace orchion::control::store
