#pragma once

#include <set>
#include <string>

#include "node/agent/outbox.h"
#include "node/images/images.h"

namespace orchion::node::agent {

v1::Image to_message(const images::ImageRecord& record);

// Tells the control plane which images this node holds, when that has changed. One executor.
class ImageReporter {
 public:
  ImageReporter(base::Executor executor, base::Clock& clock, images::Images& images, Outbox& outbox)
      : clock_(clock), images_(images), outbox_(outbox), changed_(std::move(executor)) {}

  // Something was pulled, imported or removed.
  void look_again();

  // This image is here: news or not.
  void present(const std::string& digest);

  // Until cancelled. Reports once at the start.
  base::Co<> run();

 private:
  base::Clock& clock_;
  images::Images& images_;
  Outbox& outbox_;
  std::set<std::string> digests_;
  std::string told_;  // the last report, serialised
  ChangeSignal changed_;
};

}  // namespace orchion::node::agent
