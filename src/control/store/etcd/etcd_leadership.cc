#include "control/store/etcd/etcd_leadership.h"

#include <fmt/format.h>

#include "base/log.h"

namespace orchion::control::store {

using base::Code;
using etcdserverpb::RangeResponse;
using etcdserverpb::TxnResponse;

namespace {

// How soon a lead that is free is seen.
constexpr base::Duration kLook = std::chrono::milliseconds(300);

// A renewal, a release: what takes longer is tried with another member.
constexpr base::Duration kCallLimit = std::chrono::seconds(1);

base::Error closed() {
  return {Code::kUnavailable, "this server ends", {}};
}

}  // namespace

EtcdLeadership::EtcdLeadership(base::Executor executor, LeadershipOptions options)
    : options_(std::move(options)),
      key_(EtcdLayout(options_.prefix).leader()),
      client_(std::make_shared<EtcdClient>(executor, options_.access)) {}

EtcdLeadership::~EtcdLeadership() {
  close();
}

void EtcdLeadership::close() {
  client_->close();
}

base::Co<EtcdRevision> EtcdLeadership::acquire() {
  std::string said;
  for (;;) {
    if (client_->closed()) co_return std::unexpected(closed());
    const auto tried = co_await try_once();
    if (tried && *tried) co_return **tried;
    auto state = tried ? std::string("another server leads: standing by") : tried.error().message;
    if (!tried && !EtcdClient::is_undecided(tried.error())) co_return std::unexpected(tried.error());
    if (tried) {
      const auto name = co_await leader();
      if (name && !name->empty()) state = fmt::format("the server {} leads: standing by", *name);
    }
    if (state != said && !client_->closed()) base::log::info("{}", state);
    said = std::move(state);
    CO_RETURN_IF_ERROR(co_await clock_.sleep(kLook));
  }
}

// nullopt: another leads.
base::Co<std::optional<EtcdRevision>> EtcdLeadership::try_once() {
  CO_ASSIGN_OR_RETURN(const auto other, co_await leader());
  if (!other.empty()) co_return std::optional<EtcdRevision>();
  etcdserverpb::LeaseGrantRequest grant;
  grant.set_ttl(options_.lease.count());
  CO_ASSIGN_OR_RETURN(const auto granted, co_await client_->call_once<etcdserverpb::LeaseGrantResponse>(
                                              "/etcdserverpb.Lease/LeaseGrant", grant, EtcdClient::kAttemptLimit));
  lease_ = granted.id();
  etcdserverpb::TxnRequest request;
  auto& compare = *request.add_compare();
  compare.set_key(key_);
  compare.set_target(etcdserverpb::Compare::CREATE);
  compare.set_create_revision(0);
  auto& put = *request.add_success()->mutable_request_put();
  put.set_key(key_);
  put.set_value(options_.name);
  put.set_lease(lease_);
  const auto answer =
      co_await client_->call_once<TxnResponse>("/etcdserverpb.KV/Txn", request, EtcdClient::kAttemptLimit);
  if (answer && answer->succeeded()) co_return answer->header().revision();
  // Whether or not it was carried out: without the lease there is no such key, now or later.
  CO_RETURN_IF_ERROR(co_await revoke());
  if (!answer) co_return std::unexpected(answer.error());
  co_return std::optional<EtcdRevision>();
}

// Empty: nobody.
base::Co<std::string> EtcdLeadership::leader() {
  etcdserverpb::RangeRequest request;
  request.set_key(key_);
  CO_ASSIGN_OR_RETURN(const auto found, co_await client_->call_once<RangeResponse>(
                                            "/etcdserverpb.KV/Range", std::move(request), EtcdClient::kAttemptLimit));
  co_return found.kvs().empty() ? std::string() : found.kvs(0).value();
}

base::Co<> EtcdLeadership::hold() {
  bool silent = false;
  for (;;) {
    const auto renewed = co_await renew();
    if (client_->closed()) co_return std::unexpected(closed());
    if (!renewed && !EtcdClient::is_undecided(renewed.error())) co_return renewed;
    if (!renewed && !silent)
      base::log::warn("etcd doesn't renew the lead of this server ({}): reads go on, writes when it does",
                      renewed.error().message);
    silent = !renewed;
    CO_RETURN_IF_ERROR(co_await clock_.sleep(silent ? base::Duration(kLook) : base::Duration(options_.lease) / 5));
  }
}

// kNotFound: etcd has ended the lease.
base::Co<> EtcdLeadership::renew() {
  etcdserverpb::LeaseKeepAliveRequest request;
  request.set_id(lease_);
  CO_ASSIGN_OR_RETURN(const auto answer, co_await client_->call_once<etcdserverpb::LeaseKeepAliveResponse>(
                                             "/etcdserverpb.Lease/LeaseKeepAlive", request, kCallLimit));
  if (answer.ttl() > 0) co_return base::Result<>{};
  co_return base::fail(Code::kNotFound, "this server leads no more: its lease of the lead came to its end");
}

base::Co<> EtcdLeadership::release() {
  if (lease_ == 0 || client_->closed()) co_return base::Result<>{};
  const auto released = co_await revoke();
  if (!released) base::log::info("the lead ends with its lease ({})", released.error().message);
  co_return base::Result<>{};
}

base::Co<> EtcdLeadership::revoke() {
  etcdserverpb::LeaseRevokeRequest request;
  request.set_id(std::exchange(lease_, 0));
  const auto revoked = co_await client_->call<etcdserverpb::LeaseRevokeResponse>("/etcdserverpb.Lease/LeaseRevoke",
                                                                                 std::move(request), kCallLimit);
  if (!revoked && revoked.error().code != Code::kNotFound) co_return std::unexpected(revoked.error());
  co_return base::Result<>{};
}

}  // namespace orchion::control::store
