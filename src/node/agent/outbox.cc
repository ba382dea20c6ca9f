#include "node/agent/outbox.h"

#include <utility>

namespace orchion::node::agent {

void Outbox::put(v1::TaskReport report) {
  const std::string uid = report.task_uid();
  reports_[uid] = std::move(report);
  if (unsaid_.insert(uid).second) queue_.push_back(uid);
  changed_.notify();
}

void Outbox::put_images(v1::NodeImages images) {
  images_ = std::move(images);
  images_waiting_ = true;
  changed_.notify();
}

bool Outbox::put_heartbeat(v1::Heartbeat heartbeat) {
  const bool another_waits = heartbeat_.has_value();
  if (another_waits && !heartbeat.has_capabilities()) heartbeat = std::move(*heartbeat_);
  heartbeat_ = std::move(heartbeat);
  changed_.notify();
  return !another_waits;
}

void Outbox::put_mesh(v1::NodeMesh mesh) {
  mesh_ = std::move(mesh);
  changed_.notify();
}

void Outbox::put_removed_volume(std::string uid) {
  removed_volumes_.push_back(std::move(uid));
  changed_.notify();
}

void Outbox::put_removed_network(std::string uid) {
  removed_networks_.push_back(std::move(uid));
  changed_.notify();
}

void Outbox::put_leaving() {
  leaving_ = true;
  changed_.notify();
}

void Outbox::forget(const std::string& task_uid) {
  reports_.erase(task_uid);
  unsaid_.erase(task_uid);
}

void Outbox::begin_session() {
  mesh_.reset();
  heartbeat_.reset();
  removed_networks_.clear();  // who still waits for one asks again
  images_waiting_ = images_.has_value();
  queue_.clear();
  unsaid_.clear();
  for (const auto& [uid, report] : reports_) {
    unsaid_.insert(uid);
    queue_.push_back(uid);
  }
  changed_.notify();
}

std::optional<v1::FromAgent> Outbox::next() {
  v1::FromAgent message;
  if (mesh_) {
    *message.mutable_mesh() = *std::exchange(mesh_, std::nullopt);
    return message;
  }
  if (heartbeat_) {
    *message.mutable_heartbeat() = *std::exchange(heartbeat_, std::nullopt);
    return message;
  }
  while (!queue_.empty()) {
    const std::string uid = std::move(queue_.front());
    queue_.pop_front();
    // A uid that was forgotten and came back may stand here twice; only one of them counts.
    if (unsaid_.erase(uid) == 0) continue;
    *message.mutable_report() = reports_.at(uid);
    return message;
  }
  if (std::exchange(images_waiting_, false)) {
    *message.mutable_images() = *images_;
    return message;
  }
  if (!removed_volumes_.empty()) {
    message.set_removed_volume(std::move(removed_volumes_.front()));
    removed_volumes_.pop_front();
    return message;
  }
  if (!removed_networks_.empty()) {
    message.set_removed_network(std::move(removed_networks_.front()));
    removed_networks_.pop_front();
    return message;
  }
  if (std::exchange(leaving_, false)) {
    message.set_leaving(true);
    return message;
  }
  return std::nullopt;
}

}  // namespace orchion::node::agent
