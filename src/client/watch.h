#pragma once

#include <memory>
#include <string>

#include "base/backoff.h"
#include "client/api_client.h"
#include "v1/watch.pb.h"

namespace orchion::client {

struct WatchOptions {
  // How long without a connection until next() gives up with kUnavailable.
  base::Duration patience = std::chrono::seconds(30);
};

// Changes as they become durable, across broken connections: each new one goes on after the last event seen.
// One reader; `client` outlives it.
class Watch {
 public:
  Watch(ApiClient& client, v1::WatchRequest request, WatchOptions options = {});

  // Never ends in order. LIST_AGAIN comes out as an event; the next call then begins anew, with every present
  // object. Errors other than lost connections end the watch.
  base::Co<v1::WatchEvent> next();

 private:
  base::Co<> connect();

  ApiClient& client_;
  v1::WatchRequest request_;
  WatchOptions options_;
  std::unique_ptr<EventSource> source_;
  std::string last_id_;
  base::SystemClock clock_;
  base::Random random_;
  base::Backoff backoff_;
};

}  // namespace orchion::client
