// How objects become entries of a transaction.

#include <cassert>

#include "base/random.h"
#include "control/store/keys.h"
#include "control/store/object_store.h"
#include "control/store/table_keeper.h"

namespace orchion::control::store {
namespace {

template <class T>
std::string key_of_spec(const T& object) {
  assert(!object.meta().name().empty());
  return spec_key(T::descriptor()->name(), object.meta().stack(), object.meta().name());
}

template <class T>
std::string key_of_status(const T& object) {
  return status_key(T::descriptor()->name(), object.meta().stack(), object.meta().name());
}

template <class T>
std::string encode_spec(T object) {
  if constexpr (HasStatus<T>) object.clear_status();
  object.mutable_meta()->clear_revision();
  return object.SerializeAsString();
}

}  // namespace

template <class T>
void create(Transaction& transaction, const T& object) {
  T stored = object;
  auto& meta = *stored.mutable_meta();
  if (meta.uid().empty()) {
    auto random = base::Random::from_system();
    meta.set_uid(base::new_uid(random));
  }
  if (meta.generation() == 0) meta.set_generation(1);
  transaction.expect(key_of_spec(object), 0);
  if constexpr (HasStatus<T>) {
    if (object.has_status()) transaction.put(key_of_status(object), object.status().SerializeAsString());
  }
  transaction.put(key_of_spec(object), encode_spec(std::move(stored)));
}

template <class T>
void put_spec(Transaction& transaction, const T& object) {
  assert(object.meta().revision() != 0 && "pass the object as read");
  transaction.expect(key_of_spec(object), object.meta().revision());
  transaction.put(key_of_spec(object), encode_spec(object));
}

template <class T>
void put_status(Transaction& transaction, const T& object) {
  assert(object.meta().revision() != 0 && "pass the object as read");
  transaction.expect_kept(key_of_spec(object), object.meta().revision());
  transaction.put(key_of_status(object), object.status().SerializeAsString());
}

template <class T>
void remove(Transaction& transaction, const T& object) {
  assert(object.meta().revision() != 0 && "pass the object as read");
  transaction.expect(key_of_spec(object), object.meta().revision());
  transaction.remove(key_of_spec(object));
  if constexpr (HasStatus<T>) transaction.remove(key_of_status(object));
}

#define ORCHION_OBJECT(T)                         \
  template void create(Transaction&, const T&);   \
  template void put_spec(Transaction&, const T&); \
  template void remove(Transaction&, const T&);
#define ORCHION_OBJECT_WITH_STATUS(T) \
  ORCHION_OBJECT(T)                   \
  template void put_status(Transaction&, const T&);

ORCHION_OBJECT_WITH_STATUS(v1::Stack)
ORCHION_OBJECT_WITH_STATUS(v1::Service)
ORCHION_OBJECT(v1::Revision)
ORCHION_OBJECT_WITH_STATUS(v1::Task)
ORCHION_OBJECT_WITH_STATUS(v1::Network)
ORCHION_OBJECT_WITH_STATUS(v1::Volume)
ORCHION_OBJECT_WITH_STATUS(v1::Node)
ORCHION_OBJECT_WITH_STATUS(v1::Image)
ORCHION_OBJECT(v1::Event)
ORCHION_OBJECT(v1::Token)

#undef ORCHION_OBJECT_WITH_STATUS
#undef ORCHION_OBJECT

}  // namespace orchion::control::store
