#pragma once

// Several datagrams by one system call, in both directions.

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <span>

#include <boost/asio/ip/udp.hpp>

#include "mesh/dns/wire.h"

namespace orchion::mesh::dns {

// Room for what has come in on a socket that doesn't block, and for what goes out on it. Used again and again.
class DatagramBatch {
 public:
  static constexpr std::size_t kDatagramsMax = 32;

  DatagramBatch();
  DatagramBatch(const DatagramBatch&) = delete;
  DatagramBatch& operator=(const DatagramBatch&) = delete;

  // How many there were, at most kDatagramsMax; 0: none now. Those of before are gone.
  std::size_t receive(int socket);

  // Empty where it was longer than any query.
  wire::View message(std::size_t index) const;
  boost::asio::ip::udp::endpoint from(std::size_t index) const;

  // Where the reply to it is written; empty, as after receive(): none.
  Bytes& reply(std::size_t index) { return replies_[index]; }

  // Sends the replies. One that the kernel doesn't take is lost, as datagrams may be.
  void send(int socket);

 private:
  static constexpr std::size_t kQueryBytesMax = 4096;

  std::size_t count_ = 0;
  std::array<std::array<std::uint8_t, kQueryBytesMax>, kDatagramsMax> queries_;
  std::array<sockaddr_storage, kDatagramsMax> peers_;
  std::array<iovec, kDatagramsMax> parts_;
  std::array<mmsghdr, kDatagramsMax> received_;
  std::array<Bytes, kDatagramsMax> replies_;
};

}  // namespace orchion::mesh::dns
