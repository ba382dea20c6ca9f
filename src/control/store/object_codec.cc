// How objects become entries of a transaction.

#include <algorithm>
#include <cassert>

#include "base/random.h"
#include "control/store/keys.h"
#include "control/store/object_store.h"
#include "control/store/table_keeper.h"
#include "v1/channels.pb.h"

namespace orchion::control::store {
namespace {

template <class T>
std::string key_of_status(const T& object) {
  return status_key(T::descriptor()->name(), object.meta().stack(), object.meta().name());
}

// In place of what the transaction wrote to `key` before.
void put_once(Transaction& transaction, std::string key, std::string value) {
  for (auto& operation : transaction.operations) {
    if (operation.key == key) {
      operation.value = std::move(value);
      return;
    }
  }
  transaction.put(std::move(key), std::move(value));
}

[[maybe_unused]] bool writes(const Transaction& transaction, const std::string& key) {
  return std::ranges::any_of(transaction.operations, [&](const auto& operation) { return operation.key == key; });
}

template <class T>
std::string encode_spec(T object) {
  if constexpr (HasStatus<T>) object.clear_status();
  object.mutable_meta()->clear_revision();
  return object.SerializeAsString();
}

}  // namespace

template <class T>
std::string spec_key(const T& object) {
  assert(!object.meta().name().empty());
  return spec_key(T::descriptor()->name(), object.meta().stack(), object.meta().name());
}

template <class T>
void create(Transaction& transaction, const T& object) {
  T stored = object;
  auto& meta = *stored.mutable_meta();
  if (meta.uid().empty()) {
    auto random = base::Random::from_system();
    meta.set_uid(base::new_uid(random));
  }
  if (meta.generation() == 0) meta.set_generation(1);
  transaction.expect(spec_key(object), 0);
  if constexpr (HasStatus<T>) {
    if (object.has_status()) transaction.put(key_of_status(object), object.status().SerializeAsString());
  }
  transaction.put(spec_key(object), encode_spec(std::move(stored)));
}

template <class T>
void put_spec(Transaction& transaction, const T& object) {
  assert(object.meta().revision() != 0 && "pass the object as read");
  transaction.expect(spec_key(object), object.meta().revision());
  transaction.put(spec_key(object), encode_spec(object));
}

template <class T>
void put_status(Transaction& transaction, const T& object) {
  if (object.meta().revision() != 0) {
    transaction.expect_kept(spec_key(object), object.meta().revision());
  } else {
    assert(writes(transaction, spec_key(object)) && "pass the object as read, or as created in this transaction");
  }
  put_once(transaction, key_of_status(object), object.status().SerializeAsString());
}

template <class T>
void remove(Transaction& transaction, const T& object) {
  assert(object.meta().revision() != 0 && "pass the object as read");
  transaction.expect(spec_key(object), object.meta().revision());
  transaction.remove(spec_key(object));
  if constexpr (HasStatus<T>) transaction.remove(key_of_status(object));
}

#define ORCHION_OBJECT(T)                         \
  template std::string spec_key(const T&);        \
  template void create(Transaction&, const T&);   \
  template void put_spec(Transaction&, const T&); \
  template void remove(Transaction&, const T&);
#define ORCHION_OBJECT_WITH_STATUS(T) \
  ORCHION_OBJECT(T)                   \
  template void put_status(Transaction&, const T&);

ORCHION_OBJECT_WITH_STATUS(v1::Stack)
ORCHION_OBJECT_WITH_STATUS(v1::Service)
ORCHION_OBJECT_WITH_STATUS(v1::Revision)
ORCHION_OBJECT_WITH_STATUS(v1::Task)
ORCHION_OBJECT_WITH_STATUS(v1::Network)
ORCHION_OBJECT_WITH_STATUS(v1::Volume)
ORCHION_OBJECT_WITH_STATUS(v1::Node)
ORCHION_OBJECT_WITH_STATUS(v1::Image)
ORCHION_OBJECT_WITH_STATUS(v1::Job)
ORCHION_OBJECT_WITH_STATUS(v1::Run)
ORCHION_OBJECT_WITH_STATUS(v1::Channel)
ORCHION_OBJECT_WITH_STATUS(v1::Delivery)
ORCHION_OBJECT(v1::Event)
ORCHION_OBJECT(v1::Token)
ORCHION_OBJECT(v1::TaskRecord)
ORCHION_OBJECT(v1::NetworkPolicy)

#undef ORCHION_OBJECT_WITH_STATUS
#undef ORCHION_OBJECT

}  // namespace orchion::control::store
