#include "core/lifecycle.h"

#include <algorithm>
#include <cstdlib>

namespace orchion::core {

v1::Meta owned_meta(const std::string& stack, const std::string& name, const std::string& uid, base::WallTime now,
                    std::string_view finalizer) {
  v1::Meta meta;
  meta.set_name(name);
  meta.set_stack(stack);
  meta.set_uid(uid);
  meta.set_generation(1);
  *meta.mutable_created_at() = to_timestamp(now);
  add_finalizer(meta, finalizer);
  (*meta.mutable_labels())[kOwnerLabel] = kStackOwner;
  return meta;
}

bool is_deleted(const v1::Meta& meta) {
  return meta.has_deleted_at();
}

void mark_deleted(v1::Meta& meta, base::WallTime now) {
  if (!is_deleted(meta)) *meta.mutable_deleted_at() = to_timestamp(now);
}

std::string agent_finalizer(const std::string& node_uid) {
  return std::string(kAgentFinalizer) + "/" + node_uid;
}

bool has_finalizer(const v1::Meta& meta, std::string_view finalizer) {
  return std::find(meta.finalizers().begin(), meta.finalizers().end(), finalizer) != meta.finalizers().end();
}

void add_finalizer(v1::Meta& meta, std::string_view finalizer) {
  if (!has_finalizer(meta, finalizer)) meta.add_finalizers(std::string(finalizer));
}

void remove_finalizer(v1::Meta& meta, std::string_view finalizer) {
  auto& all = *meta.mutable_finalizers();
  all.erase(std::remove(all.begin(), all.end(), finalizer), all.end());
}

bool is_ready_to_go(const v1::Meta& meta) {
  return is_deleted(meta) && meta.finalizers().empty();
}

std::string label(const v1::Meta& meta, std::string_view key) {
  const auto it = meta.labels().find(std::string(key));
  return it == meta.labels().end() ? std::string() : it->second;
}

unsigned label_count(const v1::Meta& meta, std::string_view key) {
  return static_cast<unsigned>(std::clamp(std::atoi(label(meta, key).c_str()), 0, 1000));
}

}  // namespace orchion::core
