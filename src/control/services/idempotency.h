#pragma once

// A write that is sent again with the same key is done once: the second call gets the first one's answer.

#include <map>
#include <optional>
#include <string>

#include <google/protobuf/message.h>

#include "control/services/context.h"
#include "core/methods.h"
#include "v1/idempotency.pb.h"

namespace orchion::control::services {

constexpr std::size_t kIdempotencyRecordsMax = 1000;
constexpr auto kIdempotencyAgeMax = std::chrono::hours(24);

// kInvalidArgument: it is no key.
base::Result<> check_idempotency_key(const std::string& key);

// One call that may have come before. Without a key it does nothing.
struct IdempotentCall {
  std::string store_key;         // empty: the caller gave none
  v1::IdempotencyRecord record;  // as it is to be, or as it was written the first time
  store::Revision replaces = 0;  // of a record that is too old
  bool done = false;             // the work was done before, whether or not the answer is known
};

// The records, in the store as "idempotency/…": each is written in the transaction of its effect, so that neither is
// there without the other, also after a crash. The newest 1,000 of the last 24 hours are kept. One executor.
class IdempotencyRecords {
 public:
  explicit IdempotencyRecords(ServiceContext context) : context_(context) {}

  // Looks up the caller's key. kFailedPrecondition: it was used for another request. kInvalidArgument: it is no key.
  base::Co<IdempotentCall> begin(core::CallContext context, std::string method,
                                 std::shared_ptr<const google::protobuf::Message> request);

  // Adds the record to the transaction that does the work, which is aborted where the same call is done meanwhile.
  void add(const IdempotentCall& call, store::Transaction& transaction);

  // The answer, for who asks again. That it can't be stored is no error: then it is found out anew.
  base::Co<> remember(IdempotentCall call, std::string response);

 private:
  base::Co<> load();
  void drop_old(store::Transaction& transaction);

  ServiceContext context_;
  std::optional<std::multimap<base::WallTime, std::string>> known_;  // keys by age; unset: not read yet
};

// The remembered answer; nullopt where there is none.
template <class Response>
std::optional<Response> answer_of(const IdempotentCall& call) {
  Response response;
  if (call.record.response().empty() || !response.ParseFromString(call.record.response())) return std::nullopt;
  return response;
}

}  // namespace orchion::control::services
