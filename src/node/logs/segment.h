#pragma once

// The format of captured output. The shim writes it, node/logs reads it, nobody else knows it.
//
// A folder holds segments "00000001.log", "00000002.log", …; output is appended to the newest. A record is a
// header and its payload; a payload is whatever one read of the container's pipe gave, lines cut or not. A
// record never spans segments. A segment that ends in half a record was being written: what precedes it counts.
// When the segments exceed their cap together the oldest is removed, whole; a line whose beginning went with it is
// left out by readers.
//
// A segment that is no longer the newest may be replaced, under its name, by its sealed form (sealed_segment.h): the
// same records, compressed. The newest belongs to its writer. A writer that finds it sealed begins another.

#include <cstdint>

namespace orchion::node::logs {

constexpr std::uint32_t kRecordMagic = 0x314c4f52;  // "ROL1"
constexpr std::uint32_t kSealedMagic = 0x315a4f52;  // "ROZ1": a sealed segment begins with it

enum class OutputStream : std::uint8_t { kOut = 0, kError = 1 };

// Little-endian, as laid out here, 20 bytes.
struct [[gnu::packed]] RecordHeader {
  std::uint32_t magic = kRecordMagic;
  std::uint32_t length = 0;  // of the payload
  std::int64_t time_ns = 0;  // since the Unix epoch
  OutputStream stream = OutputStream::kOut;
  std::uint8_t continues = 0;  // 1: the payload begins within a line, whose beginning is in an earlier record
  std::uint16_t attempt = 0;   // of the task
};
static_assert(sizeof(RecordHeader) == 20);

constexpr std::uint32_t kPayloadMax = 64u << 10;
constexpr std::uint32_t kSegmentBytes = 1u << 20;  // a new one is begun beyond this

}  // namespace orchion::node::logs
