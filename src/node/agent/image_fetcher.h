#pragma once

#include <set>
#include <string>

#include "base/notifier.h"
#include "node/agent/control_link.h"
#include "node/images/images.h"

namespace orchion::node::agent {

// Gets images from nodes that have them, by way of the control plane. Who asks for the same one meanwhile shares it.
// One executor.
class ImageFetcher {
 public:
  ImageFetcher(base::Executor executor, ControlLink& link, base::Clock& clock, images::Images& images)
      : link_(link), clock_(clock), images_(images), changed_(std::move(executor)) {}

  // `digest`, as ContainerSpec.image_digest, where it isn't empty: no other will do. kNotFound: no other node has it
  // now.
  base::Co<images::ImageRecord> fetch(std::string reference, std::string digest);

 private:
  base::Co<images::ImageRecord> fetch_now(std::string reference, std::string digest);

  ControlLink& link_;
  base::Clock& clock_;
  images::Images& images_;
  std::set<std::string> busy_;  // references under way
  base::Notifier changed_;
};

}  // namespace orchion::node::agent
