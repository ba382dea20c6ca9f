#pragma once

// How a View keeps one of its tables. Only view.cc needs this.

#include <cassert>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>

#include "control/store/keys.h"
#include "control/store/view.h"

namespace orchion::control::store {

template <class T>
concept HasStatus = requires(T object) { object.mutable_status(); };

// What one commit writes to one object; either is null where that part isn't touched.
struct ObjectWrites {
  ObjectKey key;
  const Change* spec = nullptr;
  const Change* status = nullptr;
};

class AnyTableKeeper {
 public:
  virtual ~AnyTableKeeper() = default;

  // Takes one entry in; an object's spec comes before its status.
  virtual base::Result<> load(const ObjectKey& key, const Entry& entry) = 0;
  virtual base::Result<> apply(const ObjectWrites& writes, Revision revision, std::vector<ObjectChange>& changes) = 0;
  virtual void difference(const AnyTableKeeper& newer, std::vector<ObjectChange>& changes) const = 0;
};

inline std::unexpected<base::Error> fail_undecodable(const ObjectKey& key) {
  return base::fail(base::Code::kDataLoss,
                    fmt::format("the store's entry for \"{}\" can't be read; restore a backup, or run the version of "
                                "orchion that wrote it",
                                key.object));
}

template <class T>
class TableKeeper : public AnyTableKeeper {
 public:
  using Pointer = std::shared_ptr<const T>;

  const ObjectTable<T>& table() const { return table_; }

  base::Result<> load(const ObjectKey& key, const Entry& entry) override {
    if (key.part == ObjectKey::Part::kSpec) {
      ASSIGN_OR_RETURN(auto object, parse_spec(key, entry.value, entry.revision));
      set(key.object_name(), nullptr, std::move(object));
      return {};
    }
    const auto found = table_.by_name_.find(key.object_name());
    if (found == table_.by_name_.end()) return {};
    // Nobody else has seen it yet.
    RETURN_IF_ERROR(parse_status(key, entry.value, const_cast<T&>(*found->second)));
    changed(found->second, found->second);
    return {};
  }

  base::Result<> apply(const ObjectWrites& writes, Revision revision, std::vector<ObjectChange>& changes) override {
    ObjectName name = writes.key.object_name();
    const auto found = table_.by_name_.find(name);
    const Pointer before = found == table_.by_name_.end() ? nullptr : found->second;
    ASSIGN_OR_RETURN(Pointer after, written(before, writes, revision));
    if (before == after) return {};
    set(name, before, after);
    changes.push_back({std::string(writes.key.kind), std::move(name), before, std::move(after)});
    return {};
  }

  void difference(const AnyTableKeeper& newer, std::vector<ObjectChange>& changes) const override {
    const auto& others = static_cast<const TableKeeper<T>&>(newer).table_.by_name_;
    const std::string kind = T::descriptor()->name();
    for (const auto& [name, after] : others) {
      const auto found = table_.by_name_.find(name);
      const Pointer before = found == table_.by_name_.end() ? nullptr : found->second;
      if (before && google::protobuf::util::MessageDifferencer::Equals(*before, *after)) continue;
      changes.push_back({kind, name, before, after});
    }
    for (const auto& [name, before] : table_.by_name_) {
      if (!others.contains(name)) changes.push_back({kind, name, before, nullptr});
    }
  }

 protected:
  // For indexes: either may be null.
  virtual void changed(const Pointer& before, const Pointer& after) {
    (void)before;
    (void)after;
  }

 private:
  static base::Result<std::shared_ptr<T>> parse_spec(const ObjectKey& key, const std::string& value,
                                                     Revision revision) {
    auto object = std::make_shared<T>();
    if (!object->ParseFromString(value)) return fail_undecodable(key);
    if (object->meta().name() != key.name || object->meta().stack() != key.stack) return fail_undecodable(key);
    object->mutable_meta()->set_revision(revision);
    return object;
  }

  static base::Result<> parse_status(const ObjectKey& key, const std::string& value, T& object) {
    if constexpr (HasStatus<T>) {
      if (object.mutable_status()->ParseFromString(value)) return {};
    }
    return fail_undecodable(key);
  }

  // The object after `writes`; `before` itself where they don't concern it, null where it is gone.
  static base::Result<Pointer> written(const Pointer& before, const ObjectWrites& writes, Revision revision) {
    if (writes.spec && !writes.spec->value) return Pointer();
    if (!writes.spec && !before) return Pointer();
    std::shared_ptr<T> after;
    if (writes.spec) {
      ASSIGN_OR_RETURN(after, parse_spec(writes.key, *writes.spec->value, revision));
      if constexpr (HasStatus<T>) {
        if (before && before->has_status()) *after->mutable_status() = before->status();
      }
    } else {
      after = copy_without_status(*before);
    }
    RETURN_IF_ERROR(write_status(writes, *after));
    return Pointer(std::move(after));
  }

  // It is written anew: most changes of tasks are of their status, and that is half of them.
  static std::shared_ptr<T> copy_without_status(const T& from) {
    if constexpr (HasStatus<T> && requires { from.spec(); }) {
      assert(T::descriptor()->field_count() == 3 && "meta, spec and status are all there is");
      auto to = std::make_shared<T>();
      *to->mutable_meta() = from.meta();
      *to->mutable_spec() = from.spec();
      return to;
    } else {
      return std::make_shared<T>(from);
    }
  }

  static base::Result<> write_status(const ObjectWrites& writes, T& object) {
    if (!writes.status) return {};
    if (writes.status->value) return parse_status(writes.key, *writes.status->value, object);
    if constexpr (HasStatus<T>) object.clear_status();
    return {};
  }

  void set(const ObjectName& name, const Pointer& before, Pointer after) {
    if (before && (!after || after->meta().uid() != before->meta().uid())) table_.by_uid_.erase(before->meta().uid());
    if (after) {
      table_.by_uid_[after->meta().uid()] = after;
      table_.by_name_[name] = after;
    } else {
      table_.by_name_.erase(name);
    }
    changed(before, after);
  }

  ObjectTable<T> table_;
};

// Tasks, with the questions that are asked of them all the time answered by indexes.
class TaskTableKeeper final : public TableKeeper<v1::Task> {
 public:
  std::vector<Pointer> of_service(const std::string& stack, const std::string& service) const;
  std::vector<Pointer> of_run(const std::string& stack, const std::string& run) const;
  std::vector<Pointer> of_node(const std::string& node_uid) const;

 protected:
  void changed(const Pointer& before, const Pointer& after) override;

 private:
  using Group = std::map<ObjectName, Pointer>;

  std::map<ObjectName, Group> by_service_;
  std::map<ObjectName, Group> by_run_;
  std::unordered_map<std::string, Group> by_node_;
};

// Runs by their jobs, and what their tasks are made from.
class RunTableKeeper final : public TableKeeper<v1::Run> {
 public:
  std::vector<Pointer> of_job(const std::string& stack, const std::string& job) const;
  std::shared_ptr<const v1::Revision> template_of(const std::string& stack, const std::string& run) const;

 protected:
  void changed(const Pointer& before, const Pointer& after) override;

 private:
  std::map<ObjectName, std::map<std::uint64_t, Pointer>> by_job_;  // then by number
  std::map<ObjectName, std::shared_ptr<const v1::Revision>> templates_;
};

}  // namespace orchion::control::store
