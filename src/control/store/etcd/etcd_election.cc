#include "control/store/etcd/etcd_election.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"

namespace orchion::control::store {

using base::Code;
using etcdserverpb::TxnResponse;

namespace {

// How soon a lead that is free, and a server that came or went, is seen.
constexpr base::Duration kLook = std::chrono::milliseconds(300);

// A renewal, a release: what takes longer is tried with another member.
constexpr base::Duration kCallLimit = std::chrono::seconds(1);

// What an id's key holds: "ADDRESS NAME".
std::string member_text(const ElectionOptions& options) {
  return options.address + " " + options.name;
}

EtcdMember parse_member(std::string id, const std::string& text) {
  const auto space = text.find(' ');
  return {std::move(id), space == std::string::npos ? "" : text.substr(space + 1), text.substr(0, space), false};
}

void ask_for(etcdserverpb::TxnRequest& request, const KeyRange& range) {
  auto& asked = *request.add_success()->mutable_request_range();
  asked.set_key(range.begin);
  asked.set_range_end(range.end);
}

base::Error over() {
  return {Code::kNotFound, "this server leads no more: its lease came to its end", {}};
}

}  // namespace

EtcdElection::EtcdElection(base::Executor executor, ElectionOptions options, std::function<void()> changed)
    : options_(std::move(options)),
      layout_(options_.prefix),
      changed_(std::move(changed)),
      client_(std::make_shared<EtcdClient>(std::move(executor), options_.access)) {}

EtcdElection::~EtcdElection() {
  close();
}

void EtcdElection::close() {
  client_->close();
}

const EtcdMember* EtcdElection::leader() const {
  const auto found = std::ranges::find(members_, true, &EtcdMember::leads);
  return found == members_.end() ? nullptr : &*found;
}

base::Co<> EtcdElection::run() {
  bool silent = false;
  for (;;) {
    const auto turned = co_await take_turn();
    if (client_->closed()) co_return base::fail(Code::kUnavailable, "this server ends");
    if (!turned && !EtcdClient::is_undecided(turned.error())) co_return turned;
    if (!turned && !silent)
      base::log::warn("etcd doesn't answer ({}): reads go on, writes when it does", turned.error().message);
    if (turned && silent) base::log::info("etcd answers again");
    silent = !turned;
    CO_RETURN_IF_ERROR(co_await clock_.sleep(kLook));
  }
}

base::Co<> EtcdElection::take_turn() {
  if (lease_ == 0) CO_RETURN_IF_ERROR(co_await join());
  if (clock_.now() - renewed_ >= base::Duration(options_.lease) / 5) CO_RETURN_IF_ERROR(co_await renew());
  CO_ASSIGN_OR_RETURN(auto seen, co_await look());
  if (!seen.led) {
    CO_RETURN_IF_ERROR(co_await stand());
    CO_ASSIGN_OR_RETURN(seen, co_await look());
  }
  const bool lost = term_ && seen.term != term_;
  take(std::move(seen));
  if (lost) co_return std::unexpected(over());
  co_return base::Result<>{};
}

// A lease whose grant nobody heard of ends by itself, and nothing is bound to it.
base::Co<> EtcdElection::join() {
  etcdserverpb::LeaseGrantRequest grant;
  grant.set_ttl(options_.lease.count());
  CO_ASSIGN_OR_RETURN(const auto granted, co_await client_->call_once<etcdserverpb::LeaseGrantResponse>(
                                              "/etcdserverpb.Lease/LeaseGrant", grant, EtcdClient::kAttemptLimit));
  etcdserverpb::TxnRequest request;
  auto& put = *request.add_success()->mutable_request_put();
  put.set_key(layout_.member(options_.id));
  put.set_value(member_text(options_));
  put.set_lease(granted.id());
  CO_RETURN_IF_ERROR(
      co_await client_->call_once<TxnResponse>("/etcdserverpb.KV/Txn", std::move(request), EtcdClient::kAttemptLimit));
  lease_ = granted.id();
  renewed_ = clock_.now();
  co_return base::Result<>{};
}

base::Co<EtcdElection::Seen> EtcdElection::look() {
  etcdserverpb::TxnRequest request;
  ask_for(request, layout_.members());
  request.add_success()->mutable_request_range()->set_key(layout_.leader());
  CO_ASSIGN_OR_RETURN(const auto answer,
                      co_await client_->call_once<TxnResponse>("/etcdserverpb.KV/Txn", std::move(request), kCallLimit));
  Seen seen;
  for (const auto& pair : answer.responses(0).response_range().kvs())
    seen.members.push_back(parse_member(pair.key().substr(layout_.members().begin.size()), pair.value()));
  const auto& leaders = answer.responses(1).response_range().kvs();
  seen.led = !leaders.empty();
  if (!seen.led) co_return seen;
  // The lease tells, not the id: a life of this server that ended may still hold the key.
  if (leaders[0].lease() == lease_) seen.term = leaders[0].create_revision();
  for (auto& member : seen.members)
    member.leads = member.id == leaders[0].value() && (member.id != options_.id || seen.term);
  co_return seen;
}

// Whether it was carried out the next look tells.
base::Co<> EtcdElection::stand() {
  etcdserverpb::TxnRequest request;
  auto& compare = *request.add_compare();
  compare.set_key(layout_.leader());
  compare.set_target(etcdserverpb::Compare::CREATE);
  compare.set_create_revision(0);
  auto& put = *request.add_success()->mutable_request_put();
  put.set_key(layout_.leader());
  put.set_value(options_.id);
  put.set_lease(lease_);
  const auto answer = co_await client_->call_once<TxnResponse>("/etcdserverpb.KV/Txn", std::move(request), kCallLimit);
  if (!answer && answer.error().code == Code::kNotFound) lease_ = 0;
  if (!answer) co_return std::unexpected(answer.error());
  co_return base::Result<>{};
}

base::Co<> EtcdElection::renew() {
  etcdserverpb::LeaseKeepAliveRequest request;
  request.set_id(lease_);
  CO_ASSIGN_OR_RETURN(const auto answer, co_await client_->call_once<etcdserverpb::LeaseKeepAliveResponse>(
                                             "/etcdserverpb.Lease/LeaseKeepAlive", request, kCallLimit));
  if (answer.ttl() > 0) {
    renewed_ = clock_.now();
    co_return base::Result<>{};
  }
  lease_ = 0;
  if (term_) co_return std::unexpected(over());
  co_return co_await join();
}

void EtcdElection::take(Seen seen) {
  if (seen.members == members_ && seen.term == term_) return;
  members_ = std::move(seen.members);
  term_ = seen.term;
  changed_();
}

base::Co<> EtcdElection::release() {
  if (lease_ == 0 || client_->closed()) co_return base::Result<>{};
  etcdserverpb::LeaseRevokeRequest request;
  request.set_id(std::exchange(lease_, 0));
  const auto revoked = co_await client_->call<etcdserverpb::LeaseRevokeResponse>("/etcdserverpb.Lease/LeaseRevoke",
                                                                                 std::move(request), kCallLimit);
  if (!revoked) base::log::info("the place of this server ends with its lease ({})", revoked.error().message);
  co_return base::Result<>{};
}

}  // namespace orchion::control::store
