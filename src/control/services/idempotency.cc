#include "control/services/idempotency.h"

#include <algorithm>

#include <fmt/core.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "control/services/view_wait.h"
#include "core/fingerprint.h"
#include "core/timestamps.h"

namespace orchion::control::services {

namespace {

constexpr std::string_view kPrefix = "idempotency/";
constexpr std::size_t kKeyBytesMax = 200;

constexpr auto kViewLimit = std::chrono::seconds(5);

// Of one transaction; the rest goes with the next.
constexpr std::size_t kDroppedAtOnceMax = 20;

// Equal for equal messages, whatever the order of their maps.
std::string fingerprint_of(const google::protobuf::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream out(&bytes);
    google::protobuf::io::CodedOutputStream coded(&out);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return core::fnv1a_128(bytes);
}

}  // namespace

base::Result<> check_idempotency_key(const std::string& key) {
  if (!key.empty() && key.size() <= kKeyBytesMax &&
      std::ranges::all_of(key, [](unsigned char c) { return c > ' ' && c < 0x7f; }))
    return {};
  return base::fail(
      base::Code::kInvalidArgument,
      fmt::format("the Idempotency-Key must have 1 to {} visible ASCII characters without spaces", kKeyBytesMax));
}

base::Co<IdempotentCall> IdempotencyRecords::begin(core::CallContext context, std::string method,
                                                   std::shared_ptr<const google::protobuf::Message> request) {
  IdempotentCall call;
  if (!context.idempotency_key) co_return call;
  const auto& key = *context.idempotency_key;
  CO_RETURN_IF_ERROR(check_idempotency_key(key));
  CO_RETURN_IF_ERROR(co_await load());
  *call.record.mutable_created_at() = core::to_timestamp(context_.clock.wall());
  call.record.set_method(std::move(method));
  call.record.set_fingerprint(fingerprint_of(*request));
  // With the length of the identity two callers can't be taken for each other, whatever they are called.
  call.store_key = fmt::format("{}{}:{}/{}", kPrefix, context.identity.size(), context.identity, key);
  CO_ASSIGN_OR_RETURN(const auto entry, co_await context_.objects.get(call.store_key));
  v1::IdempotencyRecord before;
  if (!entry) co_return call;
  call.replaces = entry->revision;
  if (!before.ParseFromString(entry->value)) co_return call;
  if (context_.clock.wall() - core::from_timestamp(before.created_at()) > kIdempotencyAgeMax) co_return call;
  if (before.method() != call.record.method() || before.fingerprint() != call.record.fingerprint())
    co_return base::fail(base::Code::kFailedPrecondition,
                         fmt::format("the Idempotency-Key {} was used for another request: choose a new one", key));
  call.record = std::move(before);
  call.done = true;
  // The effect came with the record, but the view may not show it yet.
  std::function<bool()> shown = [this, revision = entry->revision] {
    return context_.objects.view().revision() >= revision;
  };
  CO_RETURN_IF_ERROR(co_await wait_for_view(context_, std::move(shown), kViewLimit, "catching up with the store"));
  co_return call;
}

void IdempotencyRecords::add(const IdempotentCall& call, store::Transaction& transaction) {
  if (call.store_key.empty()) return;
  std::erase_if(*known_, [&](const auto& entry) { return entry.second == call.store_key; });
  transaction.expect(call.store_key, call.replaces);
  transaction.put(call.store_key, call.record.SerializeAsString());
  drop_old(transaction);
  known_->emplace(core::from_timestamp(call.record.created_at()), call.store_key);
}

void IdempotencyRecords::drop_old(store::Transaction& transaction) {
  const auto oldest = context_.clock.wall() - kIdempotencyAgeMax;
  for (std::size_t i = 0; i < kDroppedAtOnceMax && !known_->empty(); ++i) {
    const auto first = known_->begin();
    if (first->first >= oldest && known_->size() < kIdempotencyRecordsMax) return;
    transaction.remove(first->second);
    known_->erase(first);
  }
}

base::Co<> IdempotencyRecords::remember(IdempotentCall call, std::string response) {
  if (call.store_key.empty() || !call.record.response().empty()) co_return base::Result<>{};
  call.record.set_response(std::move(response));
  store::Transaction transaction;
  transaction.put(call.store_key, call.record.SerializeAsString());
  (void)co_await context_.objects.commit(std::move(transaction));
  co_return base::Result<>{};
}

base::Co<> IdempotencyRecords::load() {
  if (known_) co_return base::Result<>{};
  CO_ASSIGN_OR_RETURN(const auto snapshot, co_await context_.objects.list(std::string(kPrefix)));
  if (known_) co_return base::Result<>{};  // another call was quicker
  known_.emplace();
  for (const auto& entry : snapshot.entries) {
    v1::IdempotencyRecord record;
    if (record.ParseFromString(entry.value)) known_->emplace(core::from_timestamp(record.created_at()), entry.key);
  }
  co_return base::Result<>{};
}

}  // namespace orchion::control::services
