#include "control/store/view.h"

#include <cassert>
#include <string_view>
#include <unordered_map>

#include "control/store/table_keeper.h"
#include "v1/channels.pb.h"

namespace orchion::control::store {

struct View::Tables {
  TableKeeper<v1::Stack> stacks;
  TableKeeper<v1::Service> services;
  TableKeeper<v1::Revision> revisions;
  TaskTableKeeper tasks;
  TableKeeper<v1::Network> networks;
  TableKeeper<v1::Volume> volumes;
  TableKeeper<v1::Node> nodes;
  TableKeeper<v1::Image> images;
  TableKeeper<v1::Event> events;
  TableKeeper<v1::Token> tokens;
  TableKeeper<v1::Job> jobs;
  RunTableKeeper runs;
  TableKeeper<v1::Channel> channels;
  TableKeeper<v1::Delivery> deliveries;
  TableKeeper<v1::TaskRecord> task_records;
  TableKeeper<v1::NetworkPolicy> network_policies;

  const std::unordered_map<std::string_view, AnyTableKeeper*> by_kind = {
      {"Stack", &stacks},
      {"Service", &services},
      {"Revision", &revisions},
      {"Task", &tasks},
      {"Network", &networks},
      {"Volume", &volumes},
      {"Node", &nodes},
      {"Image", &images},
      {"Event", &events},
      {"Token", &tokens},
      {"Job", &jobs},
      {"Run", &runs},
      {"Channel", &channels},
      {"Delivery", &deliveries},
      {"TaskRecord", &task_records},
      {"NetworkPolicy", &network_policies},
  };

  base::Result<AnyTableKeeper*> of(const ObjectKey& key) const {
    const auto found = by_kind.find(key.kind);
    if (found != by_kind.end()) return found->second;
    return base::fail(base::Code::kDataLoss,
                      fmt::format("the store holds an object of the unknown kind \"{}\"; run the version of orchion "
                                  "that wrote it",
                                  key.kind));
  }
};

namespace {

// One item per object, in the order in which the commit first names them.
std::vector<ObjectWrites> group_by_object(const Commit& commit) {
  std::vector<ObjectWrites> writes;
  std::unordered_map<std::string_view, std::size_t> places;
  for (const auto& change : commit.changes) {
    const auto key = parse_object_key(change.key);
    if (!key) continue;
    const auto [place, added] = places.try_emplace(key->object, writes.size());
    if (added) writes.push_back({*key});
    auto& object = writes[place->second];
    (key->part == ObjectKey::Part::kSpec ? object.spec : object.status) = &change;
  }
  return writes;
}

}  // namespace

View::View() : tables_(std::make_unique<Tables>()) {}
View::~View() = default;
View::View(View&&) noexcept = default;
View& View::operator=(View&&) noexcept = default;

base::Result<> View::load(const Snapshot& snapshot) {
  tables_ = std::make_unique<Tables>();
  revision_ = snapshot.revision;
  for (const auto& entry : snapshot.entries) {
    const auto key = parse_object_key(entry.key);
    if (!key) continue;
    ASSIGN_OR_RETURN(auto* const table, tables_->of(*key));
    RETURN_IF_ERROR(table->load(*key, entry));
  }
  return {};
}

base::Result<std::vector<ObjectChange>> View::apply(const Commit& commit) {
  assert(commit.revision > revision_);
  std::vector<ObjectChange> changes;
  for (const auto& writes : group_by_object(commit)) {
    ASSIGN_OR_RETURN(auto* const table, tables_->of(writes.key));
    RETURN_IF_ERROR(table->apply(writes, commit.revision, changes));
  }
  revision_ = commit.revision;
  return changes;
}

std::vector<ObjectChange> View::replace(View newer) {
  std::vector<ObjectChange> changes;
  for (const auto& [kind, table] : tables_->by_kind) table->difference(*newer.tables_->by_kind.at(kind), changes);
  *this = std::move(newer);
  return changes;
}

const ObjectTable<v1::Stack>& View::stacks() const {
  return tables_->stacks.table();
}
const ObjectTable<v1::Service>& View::services() const {
  return tables_->services.table();
}
const ObjectTable<v1::Revision>& View::revisions() const {
  return tables_->revisions.table();
}
const ObjectTable<v1::Task>& View::tasks() const {
  return tables_->tasks.table();
}
const ObjectTable<v1::Network>& View::networks() const {
  return tables_->networks.table();
}
const ObjectTable<v1::Volume>& View::volumes() const {
  return tables_->volumes.table();
}
const ObjectTable<v1::Node>& View::nodes() const {
  return tables_->nodes.table();
}
const ObjectTable<v1::Image>& View::images() const {
  return tables_->images.table();
}
const ObjectTable<v1::Event>& View::events() const {
  return tables_->events.table();
}
const ObjectTable<v1::Token>& View::tokens() const {
  return tables_->tokens.table();
}
const ObjectTable<v1::Job>& View::jobs() const {
  return tables_->jobs.table();
}
const ObjectTable<v1::Run>& View::runs() const {
  return tables_->runs.table();
}
const ObjectTable<v1::Channel>& View::channels() const {
  return tables_->channels.table();
}
const ObjectTable<v1::Delivery>& View::deliveries() const {
  return tables_->deliveries.table();
}
const ObjectTable<v1::TaskRecord>& View::task_records() const {
  return tables_->task_records.table();
}
const ObjectTable<v1::NetworkPolicy>& View::network_policies() const {
  return tables_->network_policies.table();
}

std::vector<std::shared_ptr<const v1::Task>> View::tasks_of_service(const std::string& stack,
                                                                    const std::string& service) const {
  return tables_->tasks.of_service(stack, service);
}

std::vector<std::shared_ptr<const v1::Task>> View::tasks_of_run(const std::string& stack,
                                                                const std::string& run) const {
  return tables_->tasks.of_run(stack, run);
}

std::vector<std::shared_ptr<const v1::Run>> View::runs_of_job(const std::string& stack, const std::string& job) const {
  return tables_->runs.of_job(stack, job);
}

std::shared_ptr<const v1::Revision> View::template_of(const v1::Task& task) const {
  if (!task.spec().run().empty()) return template_of_run(task.meta().stack(), task.spec().run());
  return revisions().find(task.meta().stack(), task.spec().revision());
}

std::shared_ptr<const v1::Revision> View::template_of_run(const std::string& stack, const std::string& run) const {
  return tables_->runs.template_of(stack, run);
}

std::vector<std::shared_ptr<const v1::Task>> View::tasks_of_node(const std::string& node_uid) const {
  return tables_->tasks.of_node(node_uid);
}

}  // namespace orchion::control::store
