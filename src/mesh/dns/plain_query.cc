#include "mesh/dns/plain_query.h"

#include <array>

namespace orchion::mesh::dns {
namespace {

// A question's name with dots, in lower case.
class PlainName {
 public:
  // False: it has bytes that need thought, or none.
  bool read(wire::View name) {
    for (std::size_t at = 0; name[at] != 0; at += std::size_t{1} + name[at]) {
      if (size_ > 0) text_[size_++] = '.';
      for (const std::uint8_t byte : name.subspan(at + 1, name[at])) {
        const auto c = static_cast<char>(wire::fold(byte));
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_') return false;
        text_[size_++] = c;
      }
    }
    return size_ > 0;
  }
  std::string_view text() const { return {text_.data(), size_}; }

 private:
  std::array<char, wire::kNameBytesMax> text_;
  std::size_t size_ = 0;
};

// Writes one after the other; the caller has made room.
class Writer {
 public:
  explicit Writer(Bytes& bytes) : bytes_(bytes) {}
  void put(wire::View part) { bytes_.insert(bytes_.end(), part.begin(), part.end()); }
  void put8(std::uint8_t value) { bytes_.push_back(value); }
  void put16(std::size_t value) {
    put8(static_cast<std::uint8_t>(value >> 8));
    put8(static_cast<std::uint8_t>(value & 0xff));
  }
  void put32(std::uint32_t value) {
    put16(value >> 16);
    put16(value & 0xffff);
  }
  void pointer(std::size_t at) { put16(0xc000 | at); }

 private:
  Bytes& bytes_;
};

// What there is to say, once the table has been asked.
struct Content {
  bool exists = false;
  bool truncated = false;
  std::span<const Address> addresses;  // of the type that is asked for
  std::size_t zone_at = 0;             // where in the message the name of its zone begins
};

void put_header(Writer& out, const Query& query, const wire::PlainQuery& question, const Content& content) {
  const bool negative = content.addresses.empty() && !content.truncated;
  out.put(query.message.first(2));
  out.put16(wire::kReplyFlag | wire::kAuthoritativeFlag | wire::kRecursionAvailableFlag |
            (question.flags & wire::kRecursionDesiredFlag) | (content.truncated ? wire::kTruncatedFlag : 0) |
            (content.exists ? wire::kCodeNoError : wire::kCodeNoSuchName));
  out.put16(1);
  out.put16(content.truncated ? 0 : content.addresses.size());
  out.put16(negative ? 1 : 0);
  out.put16(question.edns ? 1 : 0);
  out.put(query.message.subspan(wire::kHeaderBytes, question.end - wire::kHeaderBytes));
}

void put_address(Writer& out, const Address& address) {
  out.pointer(wire::kHeaderBytes);
  out.put16(address.is_v4() ? wire::kTypeA : wire::kTypeAaaa);
  out.put16(wire::kClassIn);
  out.put32(kTtlSeconds);
  if (address.is_v4()) {
    out.put16(4);
    out.put(address.to_v4().to_bytes());
  } else {
    out.put16(16);
    out.put(address.to_v6().to_bytes());
  }
}

void put_soa(Writer& out, std::size_t zone_at) {
  constexpr std::string_view kMailbox("\6nobody\7invalid\0", 16);
  out.pointer(zone_at);
  out.put16(wire::kTypeSoa);
  out.put16(wire::kClassIn);
  out.put32(kNegativeTtlSeconds);
  out.put16(2 + kMailbox.size() + 5 * 4);
  out.pointer(zone_at);
  for (const char c : kMailbox) out.put8(static_cast<std::uint8_t>(c));
  for (const std::uint32_t number : kSoaNumbers) out.put32(number);
}

void put_edns(Writer& out, const wire::Edns& edns) {
  out.put8(0);
  out.put16(wire::kTypeOpt);
  out.put16(wire::kUdpBytesMax);
  out.put16(0);
  out.put16(edns.dnssec_ok ? 0x8000 : 0);
  out.put16(0);
}

std::size_t bytes_of(const wire::PlainQuery& question, std::span<const Address> addresses) {
  constexpr std::size_t kRecordBytes = 12;
  const std::size_t each = addresses.empty() ? 0 : kRecordBytes + (addresses[0].is_v4() ? 4 : 16);
  return question.end + addresses.size() * each + (question.edns ? 11 : 0);
}

void write_reply(const Query& query, const wire::PlainQuery& question, const Content& content, Bytes& reply) {
  reply.clear();
  Writer out(reply);
  put_header(out, query, question, content);
  const std::size_t count = content.truncated ? 0 : content.addresses.size();
  for (std::size_t i = 0; i < count; ++i) put_address(out, content.addresses[(query.turn + i) % count]);
  if (content.addresses.empty()) put_soa(out, content.zone_at);
  if (question.edns) put_edns(out, *question.edns);
}

std::span<const Address> of_family(const std::vector<Address>& addresses, bool v4) {
  std::size_t first6 = 0;
  while (first6 < addresses.size() && addresses[first6].is_v4()) ++first6;
  return v4 ? std::span(addresses).first(first6) : std::span(addresses).subspan(first6);
}

}  // namespace

std::optional<Handled::Action> handle_plainly(const Query& query, const RecordTable& records, Bytes& reply) {
  using Action = Handled::Action;
  const auto question = wire::read_plain_query(query.message);
  if (!question || question->class_ != wire::kClassIn) return std::nullopt;
  if (question->type != wire::kTypeA && question->type != wire::kTypeAaaa) return std::nullopt;
  PlainName name;
  if (!name.read(query.message.subspan(wire::kHeaderBytes))) return std::nullopt;
  if (!records.knows(query.asker)) return Action::kDrop;
  const Answer answer = records.find(query.asker, name.text());
  if (!answer.authoritative) return Action::kForward;
  const auto addresses = of_family(answer.addresses, question->type == wire::kTypeA);
  // A label's length lies where the dot before it stands.
  const std::size_t zone_at = wire::kHeaderBytes + name.text().size() - zone_of(name.text()).size();
  const bool fits = query.transport == Transport::kTcp || bytes_of(*question, addresses) <= udp_limit(question->edns);
  write_reply(query, *question, {answer.exists, !fits, addresses, zone_at}, reply);
  return Action::kReply;
}

}  // namespace orchion::mesh::dns
