#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "base/clock.h"
#include "client/api_client.h"
#include "client/patience.h"

namespace orchion::cli {

// Reads one object again and again, also through a restart of the server, until `look` says what came of it: it gets
// the object, or kNotFound, and gives nullopt to go on.
template <class Object, class Request, class Look>
base::Co<Object> poll_until(std::shared_ptr<client::ApiClient> api, base::Clock* clock, std::string method,
                            Request request, Look look) {
  constexpr auto kInterval = std::chrono::milliseconds(50);
  client::Patience patience(*clock);
  while (true) {
    auto answer = co_await api->call<Object>(method, request);
    if (answer || answer.error().code == base::Code::kNotFound) {
      patience.answered();
      if (std::optional<base::Result<Object>> verdict = look(answer)) co_return std::move(*verdict);
      CO_RETURN_IF_ERROR(co_await clock->sleep(kInterval));
    } else {
      CO_RETURN_IF_ERROR(co_await patience.wait_after(std::move(answer).error()));
    }
  }
}

// Returns when the object is no more.
template <class Object, class Request>
base::Co<> poll_until_gone(std::shared_ptr<client::ApiClient> api, base::Clock* clock, std::string method,
                           Request request) {
  auto look = [](const base::Result<Object>& found) -> std::optional<base::Result<Object>> {
    if (found) return std::nullopt;
    return Object();
  };
  CO_RETURN_IF_ERROR(co_await poll_until<Object>(api, clock, std::move(method), std::move(request), look));
  co_return base::Result<>{};
}

}  // namespace orchion::cli
