#include "mesh/dns/answer_cache.h"

#include <algorithm>

#include <boost/asio/ip/address.hpp>

namespace orchion::mesh::dns {
namespace {

using std::chrono::seconds;

constexpr seconds kTtlMax = std::chrono::hours(1);
constexpr std::size_t kEntryBytes = 200;  // of the containers, about

// RFC 2181, 8: a TTL with the highest bit is none.
std::uint32_t ttl_at(wire::View message, std::size_t at) {
  const std::uint32_t ttl = wire::read32(message, at);
  return ttl > 0x7fffffff ? 0 : ttl;
}

std::uint16_t asked_type(wire::View message) {
  return wire::read16(message, wire::question_end(message) - 4);
}

// Whether what was asked for is there, rather than, say, an alias that leads nowhere.
bool is_positive(wire::View reply, const std::vector<wire::RecordAt>& records) {
  const std::uint16_t type = asked_type(reply);
  return std::any_of(records.begin(), records.end(), [&](const wire::RecordAt& each) {
    return each.section == wire::Section::kAnswer && (each.type == type || type == wire::kTypeAny);
  });
}

// RFC 2308, 5. nullopt: it has none.
std::optional<std::uint32_t> negative_ttl(wire::View reply, const std::vector<wire::RecordAt>& records) {
  for (const auto& record : records) {
    if (record.section != wire::Section::kAuthority || record.type != wire::kTypeSoa || record.data_bytes < 22)
      continue;
    const std::size_t minimum_at = record.data_at + record.data_bytes - 4;
    return std::min(ttl_at(reply, record.ttl_at), ttl_at(reply, minimum_at));
  }
  return std::nullopt;
}

std::uint16_t code_of(wire::View reply) {
  return wire::read16(reply, 2) & wire::kCodeMask;
}

bool is_whole_answer(wire::View reply) {
  if (reply.size() < wire::kHeaderBytes) return false;
  const std::uint16_t flags = wire::read16(reply, 2);
  if ((flags & wire::kReplyFlag) == 0 || (flags & wire::kTruncatedFlag) != 0) return false;
  return code_of(reply) == wire::kCodeNoError || code_of(reply) == wire::kCodeNoSuchName;
}

std::string address_text(wire::View bytes) {
  if (bytes.size() == 4) {
    boost::asio::ip::address_v4::bytes_type v4{};
    std::copy(bytes.begin(), bytes.end(), v4.begin());
    return boost::asio::ip::address_v4(v4).to_string();
  }
  boost::asio::ip::address_v6::bytes_type v6{};
  std::copy(bytes.begin(), bytes.end(), v6.begin());
  return boost::asio::ip::address_v6(v6).to_string();
}

}  // namespace

std::optional<std::string> question_key(wire::View query) {
  const auto plain = wire::read_plain_query(query);
  if (!plain) return std::nullopt;
  std::string key(2, '\0');
  key[0] = static_cast<char>(plain->flags >> 8);
  key[1] = static_cast<char>((plain->flags & 0xff) | (plain->edns ? 1 : 0) |
                             (plain->edns && plain->edns->dnssec_ok ? 2 : 0));
  // The bytes of type and class are no letters.
  for (const std::uint8_t byte : query.subspan(wire::kHeaderBytes, plain->end - 4 - wire::kHeaderBytes))
    key += static_cast<char>(wire::fold(byte));
  for (const std::uint8_t byte : query.subspan(plain->end - 4, 4)) key += static_cast<char>(byte);
  return key;
}

std::optional<Lifetime> lifetime_of(wire::View reply) {
  if (!is_whole_answer(reply)) return std::nullopt;
  const auto records = wire::read_records(reply);
  if (!records) return std::nullopt;
  Lifetime lifetime{.ttl = kTtlMax, .record_ttl_max = kTtlMax, .ttls_at = {}};
  for (const auto& record : *records) {
    if (record.type == wire::kTypeOpt) continue;
    lifetime.ttl = std::min(lifetime.ttl, seconds(ttl_at(reply, record.ttl_at)));
    lifetime.ttls_at.push_back(static_cast<std::uint16_t>(record.ttl_at));
  }
  if (code_of(reply) == wire::kCodeNoSuchName || !is_positive(reply, *records)) {
    const auto negative = negative_ttl(reply, *records);
    if (!negative) return std::nullopt;
    lifetime.ttl = lifetime.record_ttl_max = std::min(lifetime.ttl, seconds(*negative));
  }
  return lifetime.ttl > seconds(0) ? std::optional(std::move(lifetime)) : std::nullopt;
}

ForwardedAddresses addresses_in(wire::View reply) {
  ForwardedAddresses found{.addresses = {}, .ttl = kTtlMax};
  const auto records = wire::read_records(reply);
  if (!records || code_of(reply) != wire::kCodeNoError) return found;
  const std::uint16_t type = asked_type(reply);
  const std::size_t size = type == wire::kTypeA ? 4 : 16;
  if (type != wire::kTypeA && type != wire::kTypeAaaa) return found;
  for (const auto& record : *records) {
    if (record.section != wire::Section::kAnswer) continue;
    found.ttl = std::min(found.ttl, seconds(ttl_at(reply, record.ttl_at)));
    if (record.type == type && record.class_ == wire::kClassIn && record.data_bytes == size)
      found.addresses.push_back(address_text(reply.subspan(record.data_at, size)));
  }
  return found;
}

std::string question_name(wire::View message) {
  std::string name;
  const std::size_t end = wire::question_end(message);
  for (std::size_t at = wire::kHeaderBytes; at < end && message[at] != 0; at += std::size_t{1} + message[at]) {
    if (!name.empty()) name += '.';
    for (const std::uint8_t byte : message.subspan(at + 1, message[at])) name += static_cast<char>(wire::fold(byte));
  }
  return name;
}

void readdress(Bytes& reply, wire::View query) {
  const std::size_t end = wire::question_end(query);
  if (end == 0 || reply.size() < end) return;
  std::copy_n(query.begin(), 2, reply.begin());
  std::copy(query.begin() + wire::kHeaderBytes, query.begin() + static_cast<std::ptrdiff_t>(end),
            reply.begin() + wire::kHeaderBytes);
}

std::size_t AnswerCache::Entry::bytes() const {
  return reply.size() + key.size() + lifetime.ttls_at.size() * sizeof(std::uint16_t) + kEntryBytes;
}

std::optional<Bytes> AnswerCache::find(const std::string& key, wire::View query, std::size_t bytes_max) {
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  const Entry& entry = *found->second;
  const auto age = std::chrono::duration_cast<seconds>(clock_.now() - entry.stored);
  if (age >= entry.lifetime.ttl) {
    drop(found->second);
    return std::nullopt;
  }
  if (entry.reply.size() > bytes_max) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, found->second);
  Bytes reply = entry.reply;
  for (const auto at : entry.lifetime.ttls_at) {
    const auto ttl = std::min<std::int64_t>(ttl_at(reply, at), entry.lifetime.record_ttl_max.count());
    wire::write32(reply, at, static_cast<std::uint32_t>(ttl - age.count()));
  }
  readdress(reply, query);
  return reply;
}

void AnswerCache::put(const std::string& key, const Bytes& reply) {
  auto lifetime = lifetime_of(reply);
  if (!lifetime) return;
  if (const auto found = by_key_.find(key); found != by_key_.end()) drop(found->second);
  Entry entry{key, reply, std::move(*lifetime), clock_.now()};
  if (entry.bytes() > options_.bytes_max) return;
  bytes_ += entry.bytes();
  entries_.push_front(std::move(entry));
  by_key_.emplace(entries_.front().key, entries_.begin());
  while (entries_.size() > options_.entries_max || bytes_ > options_.bytes_max) drop(std::prev(entries_.end()));
}

void AnswerCache::drop(Entries::iterator entry) {
  bytes_ -= entry->bytes();
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace orchion::mesh::dns
