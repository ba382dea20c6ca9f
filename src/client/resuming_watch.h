#pragma once

// WatchService.Watch as one endless stream, whatever happens to the connection.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "client/api_client.h"
#include "client/patience.h"
#include "v1/watch.pb.h"

namespace orchion::client {

struct WatchOptions {
  PatienceOptions patience;
  // The server says something at least every 15 s; a connection that is silent for this long is a dead one.
  base::Duration silence_max = std::chrono::seconds(60);
  // Told with a sentence when the connection is lost, once until it stands again.
  std::function<void(const std::string&)> say = [](const std::string&) {};
};

// Hands out every change once and in order. A connection that breaks is made again after the last whole commit; where
// the server says "list again" the difference to what was handed out is found by this class, which remembers the
// present objects for it. One executor, one reader.
class ResumingWatch {
 public:
  // `clock` outlives it. `request.since` must be empty.
  ResumingWatch(std::shared_ptr<ApiClient> api, base::Clock& clock, v1::WatchRequest request,
                WatchOptions options = {});

  // The first time every present object as PUT, in no order, also where there is none; then what changed, PUT and
  // REMOVED, never nothing. An error of the first connection comes back at once; later ones only where trying again
  // changes nothing, or the server stayed away for too long.
  base::Co<std::vector<v1::WatchEvent>> next();

 private:
  base::Co<v1::WatchEvent> receive();
  base::Co<> connect();
  base::Co<> lost(base::Error error);
  void take(v1::WatchEvent event);
  void take_change(v1::WatchEvent event);
  void finish_list();

  std::shared_ptr<ApiClient> api_;
  base::Clock& clock_;
  v1::WatchRequest request_;
  WatchOptions options_;
  Patience patience_;
  std::unique_ptr<EventReader> reader_;
  bool ever_connected_ = false;

  std::string whole_;        // the id after which to resume: all of its commit has come; empty: list
  std::string partial_;      // the commit of which more may come
  bool listing_ = true;      // until the list's SYNCED
  bool handed_out_ = false;  // the first list was
  std::map<std::string, v1::WatchEvent> known_;   // what was handed out as PUT and not REMOVED, by kind and uid
  std::map<std::string, v1::WatchEvent> listed_;  // seen in the list that is coming in
  std::vector<v1::WatchEvent> ready_;
};

}  // namespace orchion::client
