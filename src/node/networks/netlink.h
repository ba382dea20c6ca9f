#pragma once

// The kernel's netlink, in batches: several requests in one system call, one answer each.
// Source: rtnetlink(7), netlink(7).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace orchion::node::networks {

// One request, built front to back: the header, a fixed structure, then attributes. A value.
class NetlinkRequest {
 public:
  // `flags` besides NLM_F_REQUEST.
  NetlinkRequest(std::uint16_t type, std::uint16_t flags);

  template <class T>
  NetlinkRequest& body(const T& value) {
    append(&value, sizeof(value));
    return *this;
  }
  NetlinkRequest& attribute(std::uint16_t type, const void* data, std::size_t size);
  NetlinkRequest& text(std::uint16_t type, std::string_view value);  // zero-terminated on the wire
  template <class T>
  NetlinkRequest& value(std::uint16_t type, const T& number) {
    return attribute(type, &number, sizeof(number));
  }

  // An attribute that holds attributes: everything up to close() with what open() returned.
  std::size_t open(std::uint16_t type);
  NetlinkRequest& close(std::size_t opened);

 private:
  friend class NetlinkSocket;
  void append(const void* data, std::size_t size);

  std::vector<std::uint8_t> bytes_;
};

// The first of the attributes in `rest`, which goes on behind it; nullopt where there is none.
std::optional<std::pair<std::uint16_t, std::span<const std::uint8_t>>> take_attribute(
    std::span<const std::uint8_t>& rest);

// One message from the kernel.
struct NetlinkMessage {
  std::uint16_t type = 0;
  std::vector<std::uint8_t> payload;  // the fixed structure and the attributes

  template <class T>
  T body() const {
    T out{};
    copy_body(&out, sizeof(out));
    return out;
  }

  // The attribute's bytes, empty where it isn't there. `body_size` is that of the fixed structure.
  std::span<const std::uint8_t> attribute(std::size_t body_size, std::uint16_t wanted) const;

 private:
  void copy_body(void* out, std::size_t size) const;
};

// Each of the attributes that follow each other in `bytes`: fn(type, value).
template <class Function>
void for_attributes(std::span<const std::uint8_t> bytes, Function fn) {
  while (const auto attribute = take_attribute(bytes)) fn(attribute->first, attribute->second);
}

// Stays in the network namespace of the thread that opened it. Blocks; one thread at a time.
class NetlinkSocket {
 public:
  // `groups`: multicast groups to hear (RTMGRP_…), 0 for none.
  static base::Result<NetlinkSocket> open(std::uint32_t groups = 0);

  // Generic netlink, for what has no family of its own.
  static base::Result<NetlinkSocket> open_generic();

  // Sends all at once; the kernel carries them out in order and goes on after a failure. Returns an errno for each,
  // 0 where it worked.
  base::Result<std::vector<int>> run(std::span<NetlinkRequest> requests);

  // One request whose failure is an error: "action: …".
  base::Result<> run_one(NetlinkRequest request, std::string_view action);

  // The answers to one request: a single object, or a dump with NLM_F_DUMP.
  base::Result<std::vector<NetlinkMessage>> query(NetlinkRequest request, std::string_view action);

  // Waits for any message of the groups; false when `timeout_ms` passed.
  base::Result<bool> wait(int timeout_ms);

 private:
  explicit NetlinkSocket(base::UniqueFd fd) : fd_(std::move(fd)) {}
  static base::Result<NetlinkSocket> open_family(int family, std::uint32_t groups);
  base::Result<> send(std::span<const std::uint8_t> bytes);
  base::Result<std::size_t> receive();

  base::UniqueFd fd_;
  std::uint32_t sequence_ = 0;
  std::vector<std::uint8_t> buffer_;
};

}  // namespace orchion::node::networks
